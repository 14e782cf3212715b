/* The load generator: many LDAP connections in a closed loop, each going through cycles of prepared requests.
 *
 *   cycle run  FILE HOST PORT CONNECTIONS SECONDS [RESULTS]    SECONDS 0: until every cycle of FILE was done once
 *   cycle echo FILE CONNECTIONS SECONDS                        the same against a null server in a process of its own:
 *                                                              what the generator can do alone
 *
 * FILE (requests.py writes it) holds complete LDAPMessages; nothing is encoded or patched here. A connection binds once,
 * then takes the next cycle of the file, sends its first request, waits for the answer, sends the next, and so on. An
 * answer that is not the expected one ends the cycle (an agent would veto the change) and is counted by step and code.
 * At the deadline no new cycle begins; those begun are finished, so that the outcome of each is known, but only those
 * that ended before the deadline count. RESULTS receives one byte for each cycle: '-' not begun, 'K' all answers as
 * expected, 'R' refused, '?' no answer (what the server did is unknown).
 *
 * One thread, epoll, no allocation while running; one file, because it is one small program. Reports JSON on standard
 * output. Exit code 0 even with refusals: it is the runner who judges; 1 when it could not run.
 *
 * File format, little endian: "PVCYCLE1", u32 steps, u32 cycles, u32 length of the bind request, then for each step
 * u8 message id, u8 tag of the final response, u8 expected resultCode, u8 entries that must come before it (255: any);
 * the bind request; then for each cycle and step u32 length and the request.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_STEPS 8
#define BUFFER 65536      /* an answer must fit; ours are some hundred bytes */
#define SILENCE 60        /* seconds without any answer after which the run is given up */
#define TAG_ENTRY 0x64    /* RFC 4511 section 4.5.2 */
#define TAG_REFERENCE 0x73

enum outcome { NOT_BEGUN = '-', ACKNOWLEDGED = 'K', REFUSED = 'R', UNKNOWN = '?' };

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("cycle: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- latencies: log-linear like HdrHistogram, 128 parts for each doubling: off by less than 0.8 % ---- */

#define PARTS 128
struct histogram { uint64_t count, sum, max, bin[58 * PARTS]; };

static unsigned bin_of(uint64_t value)
{
    if (value < PARTS)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 7u;
    return (shift + 1) * PARTS + (unsigned)((value >> shift) - PARTS);
}

static uint64_t bin_value(unsigned bin)
{
    if (bin < PARTS)
        return bin;
    unsigned shift = bin / PARTS - 1;
    return ((uint64_t)(bin % PARTS + PARTS) << shift) + (((uint64_t)1 << shift) >> 1);
}

static void record(struct histogram *h, uint64_t value)
{
    h->count++;
    h->sum += value;
    if (value > h->max)
        h->max = value;
    h->bin[bin_of(value)]++;
}

static double percentile_ms(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count + 0.5), seen = 0;
    for (unsigned bin = 0; bin < sizeof h->bin / sizeof *h->bin; bin++) {
        seen += h->bin[bin];
        if (seen && seen >= wanted)
            return (double)bin_value(bin) / 1e6;
    }
    return (double)h->max / 1e6;
}

/* ---- the prepared requests ---- */

struct step { uint8_t id, tag, result, entries; };

static struct {
    uint32_t steps, cycles, bind_length;
    struct step step[MAX_STEPS];
    const uint8_t *bind;
    const uint8_t **request; /* [cycle * steps + step] -> u32 length, bytes */
} work;

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void load(const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &status))
        die("%s: %s", path, strerror(errno));
    /* MAP_POPULATE: reading the file must not be part of what is measured. */
    const uint8_t *p = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (p == MAP_FAILED)
        die("%s: %s", path, strerror(errno));
    const uint8_t *end = p + status.st_size;
    close(file);
    if (status.st_size < 20 || memcmp(p, "PVCYCLE1", 8))
        die("%s: not a file of cycles", path);
    work.steps = u32(p + 8);
    work.cycles = u32(p + 12);
    work.bind_length = u32(p + 16);
    if (!work.steps || work.steps > MAX_STEPS || !work.cycles)
        die("%s: %u cycles of %u steps: expected at least 1, and at most %d steps", path, work.cycles, work.steps,
            MAX_STEPS);
    p += 20;
    memcpy(work.step, p, 4 * work.steps);
    p += 4 * work.steps;
    work.bind = p;
    p += work.bind_length;
    size_t requests = (size_t)work.cycles * work.steps;
    work.request = malloc(requests * sizeof *work.request);
    if (!work.request)
        die("no memory for %zu requests", requests);
    for (size_t i = 0; i < requests; i++) {
        if (end - p < 4 || (size_t)(end - p) < 4 + (size_t)u32(p))
            die("%s: cut off in request %zu of %zu", path, i, requests);
        work.request[i] = p;
        p += 4 + u32(p);
    }
}

/* ---- one connection ---- */

struct connection {
    int fd;
    int step;        /* -1: the bind is under way */
    int done;        /* no cycle under way, none to come */
    int entries;
    uint32_t cycle;
    uint64_t began, step_began;
    const uint8_t *unsent;
    size_t unsent_length;
    size_t have;
    uint8_t buffer[BUFFER];
};

#define MAX_REFUSALS 32
struct refusal { int step, code; uint64_t count; char text[240]; };

static struct {
    int epoll;
    uint32_t next;                 /* the next cycle that nobody has begun */
    uint32_t limit;
    int active, bound;
    uint64_t deadline, begin, last_end, last_answer;
    uint64_t in_time, late, refused, unknown, exhausted_at;
    struct histogram cycle, step[MAX_STEPS];
    struct refusal refusal[MAX_REFUSALS];
    int refusals;
    char *outcome;
} run;

static void count_refusal(int step, int code, const char *text, size_t length)
{
    for (int i = 0; i < run.refusals; i++)
        if (run.refusal[i].step == step && run.refusal[i].code == code) {
            run.refusal[i].count++;
            return;
        }
    if (run.refusals == MAX_REFUSALS)
        return;
    struct refusal *r = &run.refusal[run.refusals++];
    r->step = step;
    r->code = code;
    r->count = 1;
    if (length >= sizeof r->text)
        length = sizeof r->text - 1;
    memcpy(r->text, text, length);
    r->text[length] = 0;
}

static void watch(struct connection *c, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(run.epoll, operation, c->fd, &event))
        die("epoll_ctl: %s", strerror(errno));
}

static void lose(struct connection *c, const char *why)
{
    if (c->fd < 0)
        return;
    if (c->step < 0)
        die("a connection ended before it was bound: %s", why);
    close(c->fd);
    c->fd = -1;
    if (c->done)
        return;
    count_refusal(c->step, -1, why, strlen(why));
    run.unknown++; /* the outcome of its cycle stays UNKNOWN */
    c->done = 1;
    run.active--;
}

static void transmit(struct connection *c)
{
    while (c->unsent_length) {
        ssize_t sent = send(c->fd, c->unsent, c->unsent_length, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN) {
                watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
                return;
            }
            lose(c, strerror(errno));
            return;
        }
        c->unsent += sent;
        c->unsent_length -= (size_t)sent;
    }
}

static void send_step(struct connection *c, uint64_t now)
{
    const uint8_t *request = work.request[(size_t)c->cycle * work.steps + (size_t)c->step];
    c->entries = 0;
    c->step_began = now;
    c->unsent = request + 4;
    c->unsent_length = u32(request);
    transmit(c);
}

static void next_cycle(struct connection *c, uint64_t now)
{
    if (run.next >= run.limit && !run.exhausted_at)
        run.exhausted_at = now;
    if (run.next >= run.limit || now >= run.deadline) {
        c->done = 1;
        run.active--;
        return;
    }
    c->cycle = run.next++;
    run.outcome[c->cycle] = UNKNOWN;
    c->step = 0;
    c->began = now;
    send_step(c, now);
}

static void finish_cycle(struct connection *c, uint64_t now, enum outcome outcome)
{
    run.outcome[c->cycle] = (char)outcome;
    run.last_end = now;
    if (outcome == REFUSED)
        run.refused++;
    else if (now <= run.deadline) {
        run.in_time++;
        record(&run.cycle, now - c->began);
    } else
        run.late++;
    next_cycle(c, now);
}

/* A BER length at *p; -1: more bytes are needed; -2: not ours to understand (indefinite, or absurd). */
static long ber_length(const uint8_t **p, const uint8_t *end)
{
    if (*p >= end)
        return -1;
    unsigned first = *(*p)++;
    if (first < 0x80)
        return first;
    unsigned count = first & 0x7f;
    if (!count || count > 4)
        return -2;
    if (end - *p < (long)count)
        return -1;
    long length = 0;
    while (count--)
        length = length << 8 | *(*p)++;
    return length;
}

/* One complete protocolOp. Returns 0 when the connection was lost over it. */
static int answer(struct connection *c, int id, uint8_t tag, const uint8_t *p, const uint8_t *end, uint64_t now)
{
    if (tag == TAG_ENTRY || tag == TAG_REFERENCE) {
        c->entries += tag == TAG_ENTRY;
        return 1;
    }
    /* LDAPResult: ENUMERATED resultCode, matchedDN, diagnosticMessage (RFC 4511 section 4.1.9) */
    if (end - p < 3 || p[0] != 0x0a || p[1] != 1) {
        lose(c, "an answer that is no LDAPResult");
        return 0;
    }
    int code = p[2];
    const char *text = "";
    long length = 0;
    p += 3;
    for (int part = 0; part < 2; part++) {
        if (end - p < 2 || *p++ != 0x04 || (length = ber_length(&p, end)) < 0 || length > end - p) {
            lose(c, "an LDAPResult that is cut off");
            return 0;
        }
        text = (const char *)p;
        p += length;
    }
    if (id == 0) {
        char why[200];
        snprintf(why, sizeof why, "Notice of Disconnection, code %d: %.*s", code, (int)length, text);
        lose(c, why);
        return 0;
    }
    run.last_answer = now;
    if (c->step < 0) {
        if (tag != 0x61 || code)
            die("bind refused with code %d: %.*s", code, (int)length, text);
        run.bound++;
        return 1;
    }
    const struct step *expected = &work.step[c->step];
    if (id != expected->id || tag != expected->tag) {
        lose(c, "an answer to another request than the one under way");
        return 0;
    }
    if (now <= run.deadline)
        record(&run.step[c->step], now - c->step_began);
    if (code != expected->result) {
        count_refusal(c->step, code, text, (size_t)length);
        finish_cycle(c, now, REFUSED);
    } else if (expected->entries != 255 && c->entries != expected->entries) {
        char found[80];
        int n = snprintf(found, sizeof found, "%d entries found, %d expected", c->entries, expected->entries);
        count_refusal(c->step, -2, found, (size_t)n);
        finish_cycle(c, now, REFUSED);
    } else if (++c->step == (int)work.steps)
        finish_cycle(c, now, ACKNOWLEDGED);
    else
        send_step(c, now);
    return c->fd >= 0;
}

static void receive(struct connection *c)
{
    ssize_t got = recv(c->fd, c->buffer + c->have, BUFFER - c->have, 0);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            return;
        lose(c, got ? strerror(errno) : "the server closed the connection");
        return;
    }
    c->have += (size_t)got;
    uint64_t now = now_ns();
    const uint8_t *p = c->buffer, *end = c->buffer + c->have;
    while (p < end) {
        const uint8_t *q = p + 1;
        long length = ber_length(&q, end);
        if (length == -1 || (length >= 0 && length > end - q)) {
            if (length > BUFFER - 16)
                lose(c, "an answer larger than the generator's buffer");
            break;
        }
        if (*p != 0x30 || length < 5 || q[0] != 0x02 || q[1] != 1) {
            lose(c, "bytes that are no LDAPMessage with an id of one byte");
            return;
        }
        const uint8_t *message_end = q + length;
        int id = q[2];
        uint8_t tag = q[3];
        q += 4;
        long inner = ber_length(&q, message_end);
        if (inner < 0 || inner > message_end - q) {
            lose(c, "an LDAPMessage with a wrong inner length");
            return;
        }
        if (!answer(c, id, tag, q, q + inner, now))
            return;
        p = message_end;
    }
    c->have = (size_t)(end - p);
    if (c->have && p != c->buffer)
        memmove(c->buffer, p, c->have);
}

static void poll_once(int milliseconds)
{
    struct epoll_event events[256];
    int count = epoll_wait(run.epoll, events, 256, milliseconds);
    for (int i = 0; i < count; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->fd >= 0 && events[i].events & EPOLLOUT) {
            transmit(c);
            if (c->fd >= 0 && !c->unsent_length)
                watch(c, EPOLLIN, EPOLL_CTL_MOD);
        }
        if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            receive(c);
    }
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            printf("\\u%04x", *text);
        else
            putchar(*text);
    putchar('"');
}

static void print_latency(const char *name, const struct histogram *h)
{
    printf("\"%s\":{\"count\":%llu,\"mean_ms\":%.4f,\"p50_ms\":%.4f,\"p90_ms\":%.4f,\"p99_ms\":%.4f,\"p999_ms\":%.4f,"
           "\"max_ms\":%.4f}",
           name, (unsigned long long)h->count, h->count ? (double)h->sum / (double)h->count / 1e6 : 0.0,
           percentile_ms(h, 0.5), percentile_ms(h, 0.9), percentile_ms(h, 0.99), percentile_ms(h, 0.999),
           (double)h->max / 1e6);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void generate(const char *host, int port, int connections, double seconds, const char *results)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("%s: expected an IPv4 address", host);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    run.outcome = malloc(work.cycles);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!all || !run.outcome || run.epoll < 0)
        die("no memory, or no epoll, for %d connections", connections);
    memset(run.outcome, NOT_BEGUN, work.cycles);
    memset(&run.cycle, 0, sizeof run.cycle);
    run.deadline = UINT64_MAX;
    run.limit = work.cycles;
    for (int i = 0; i < connections; i++) {
        struct connection *c = &all[i];
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address))
            die("%s:%d: %s", host, port, strerror(errno));
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        c->step = -1;
        watch(c, EPOLLIN, EPOLL_CTL_ADD);
        c->unsent = work.bind;
        c->unsent_length = work.bind_length;
        transmit(c);
    }
    uint64_t patience = now_ns() + SILENCE * 1000000000ull;
    while (run.bound < connections) {
        poll_once(100);
        if (now_ns() > patience)
            die("%d of %d connections bound after %d s", run.bound, connections, SILENCE);
    }

    double cpu_before = cpu_seconds();
    run.begin = run.last_answer = run.last_end = now_ns();
    run.active = connections;
    if (seconds > 0)
        run.deadline = run.begin + (uint64_t)(seconds * 1e9);
    for (int i = 0; i < connections; i++)
        next_cycle(&all[i], now_ns());
    int stalled = 0;
    while (run.active > 0 && !stalled) {
        poll_once(100);
        stalled = now_ns() > run.last_answer + SILENCE * 1000000000ull;
    }
    if (stalled)
        for (int i = 0; i < connections; i++)
            if (!all[i].done)
                lose(&all[i], "no answer for a minute");
    double cpu = cpu_seconds() - cpu_before;

    /* The time that counts: to the deadline, or, when the file ended before it, to the last answer. */
    uint64_t end = run.deadline;
    if (run.exhausted_at && run.last_end < end)
        end = run.last_end;
    double elapsed = (double)(end - run.begin) / 1e9;
    printf("{\"connections\":%d,\"seconds\":%.4f,\"cycles\":%llu,\"cycles_per_second\":%.1f,\"late\":%llu,"
           "\"refused\":%llu,\"unknown\":%llu,\"exhausted\":%s,\"begun\":%u,\"until_last_answer_s\":%.4f,"
           "\"generator_cpu_s\":%.3f,",
           connections, elapsed, (unsigned long long)run.in_time, elapsed > 0 ? (double)run.in_time / elapsed : 0.0,
           (unsigned long long)run.late, (unsigned long long)run.refused, (unsigned long long)run.unknown,
           seconds > 0 && run.exhausted_at ? "true" : "false", run.next, (double)(run.last_end - run.begin) / 1e9, cpu);
    print_latency("latency", &run.cycle);
    printf(",\"steps\":{");
    for (uint32_t i = 0; i < work.steps; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i + 1);
        if (i)
            putchar(',');
        print_latency(name, &run.step[i]);
    }
    printf("},\"refusals\":[");
    for (int i = 0; i < run.refusals; i++) {
        printf("%s{\"step\":%d,\"code\":%d,\"count\":%llu,\"text\":", i ? "," : "", run.refusal[i].step + 1,
               run.refusal[i].code, (unsigned long long)run.refusal[i].count);
        print_text(run.refusal[i].text);
        putchar('}');
    }
    printf("]}\n");

    if (results) {
        FILE *file = fopen(results, "wb");
        if (!file || fwrite(run.outcome, 1, work.cycles, file) != work.cycles || fclose(file))
            die("%s: %s", results, strerror(errno));
    }
}

/* ---- the null server: looks at nothing but the length, the id and the kind of a request ---- */

struct echo { int fd; size_t have; uint8_t buffer[BUFFER]; };

static size_t put_result(uint8_t *out, uint8_t id, uint8_t tag, uint8_t code)
{
    const uint8_t bytes[] = {0x30, 0x0c, 0x02, 0x01, id, tag, 0x07, 0x0a, 0x01, code, 0x04, 0x00, 0x04, 0x00};
    memcpy(out, bytes, sizeof bytes);
    return sizeof bytes;
}

static size_t put_answer(uint8_t *out, uint8_t id, uint8_t request)
{
    static const uint8_t entry[] = {0x30, 0x0f, 0x02, 0x01, 0, 0x64, 0x0a, 0x04, 0x06, 'c', 'n', '=', 'n', 'u', 'l',
                                    0x30, 0x00};
    switch (request) {
    case 0x60:
        return put_result(out, id, 0x61, 0);
    case 0x63:
        memcpy(out, entry, sizeof entry);
        out[4] = id;
        return sizeof entry + put_result(out + sizeof entry, id, 0x65, 0);
    case 0x66:
        return put_result(out, id, 0x67, 0);
    case 0x6e:
        return put_result(out, id, 0x6f, 6);
    default:
        return 0;
    }
}

static void serve_nothing(int listener)
{
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < count; i++) {
            struct echo *e = events[i].data.ptr;
            if (!e) {
                int one = 1;
                e = calloc(1, sizeof *e);
                e->fd = accept(listener, NULL, NULL);
                setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event.data.ptr = e;
                epoll_ctl(poller, EPOLL_CTL_ADD, e->fd, &event);
                continue;
            }
            ssize_t got = recv(e->fd, e->buffer + e->have, BUFFER - e->have, 0);
            if (got <= 0) {
                close(e->fd);
                free(e);
                continue;
            }
            e->have += (size_t)got;
            const uint8_t *p = e->buffer, *end = e->buffer + e->have;
            uint8_t out[4096];
            size_t length = 0;
            while (p < end && length < sizeof out - 64) {
                const uint8_t *q = p + 1;
                long inner = ber_length(&q, end);
                if (inner < 0 || inner > end - q)
                    break;
                length += put_answer(out + length, q[2], q[3]);
                p = q + inner;
            }
            e->have = (size_t)(end - p);
            memmove(e->buffer, p, e->have);
            if (length && send(e->fd, out, length, MSG_NOSIGNAL) < 0)
                continue;
        }
    }
}

static void echo(int connections, double seconds)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        die("no listener: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        die("fork: %s", strerror(errno));
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_nothing(listener);
    }
    close(listener);
    generate("127.0.0.1", ntohs(address.sin_port), connections, seconds, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(int count, char **argument)
{
    signal(SIGPIPE, SIG_IGN);
    if ((count == 7 || count == 8) && !strcmp(argument[1], "run")) {
        load(argument[2]);
        generate(argument[3], atoi(argument[4]), atoi(argument[5]), atof(argument[6]), count == 8 ? argument[7] : NULL);
    } else if (count == 5 && !strcmp(argument[1], "echo")) {
        load(argument[2]);
        echo(atoi(argument[3]), atof(argument[4]));
    } else
        die("usage: cycle run FILE HOST PORT CONNECTIONS SECONDS [RESULTS] | cycle echo FILE CONNECTIONS SECONDS");
    return 0;
}
