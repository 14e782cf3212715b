/* The load generator: many LDAP connections in a closed loop, each going through cycles of prepared requests.
 *
 *   cycle run  FILE HOST PORT CONNECTIONS SECONDS [RESULTS]    SECONDS 0: until every cycle of FILE was done once
 *   cycle loop FILE HOST PORT CONNECTIONS SECONDS FIRST        from cycle FIRST (from 0); FILE begins anew at its end
 *   cycle echo FILE CONNECTIONS SECONDS                        run against a null server in a process of its own:
 *                                                              what the generator can do alone
 *
 * FILE is described in prepared.h. A connection binds once, then takes the next cycle of the file, sends its first
 * request, waits for the answer, sends the next, and so on. An answer that is not the expected one ends the cycle (an
 * agent would veto the change) and is counted by step and code. At the deadline no new cycle begins; those begun are
 * finished, so that the outcome of each is known, but only those that ended before the deadline count. RESULTS receives
 * one byte for each cycle: '-' not begun, 'K' all answers as expected, 'R' refused, '?' no answer (what the server did
 * is unknown).
 *
 * One thread, epoll, no allocation while running. Reports JSON on standard output. Exit code 0 even with refusals: it
 * is the runner who judges; 1 when it could not run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "null.h"
#include "prepared.h"
#include "tally.h"
#include "wire.h"

enum outcome { NOT_BEGUN = '-', ACKNOWLEDGED = 'K', REFUSED = 'R', UNKNOWN = '?' };

struct connection {
    int fd;
    int step; /* -1: the bind is under way */
    int done; /* no cycle under way, none to come */
    int entries;
    uint32_t cycle;
    uint64_t began, step_began;
    struct request unsent;
    size_t have;
    uint8_t buffer[BUFFER];
};

static struct prepared work;
static struct tally tally;

static struct {
    int epoll;
    uint64_t first, limit; /* where in the file the first cycle is, and how many may begin */
    int active, bound;
    uint64_t last_answer;
    char *outcome;
} run;

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
    count_refusal(&tally, c->step, LOST, why, (int)strlen(why));
    tally.unknown++; /* the outcome of its cycle stays UNKNOWN */
    c->done = 1;
    run.active--;
}

static void transmit(struct connection *c)
{
    while (c->unsent.length) {
        ssize_t sent = send(c->fd, c->unsent.bytes, c->unsent.length, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN)
                watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            else
                lose(c, strerror(errno));
            return;
        }
        c->unsent.bytes += sent;
        c->unsent.length -= (uint32_t)sent;
    }
}

static void send_step(struct connection *c, uint64_t now)
{
    c->entries = 0;
    c->step_began = now;
    c->unsent = request_of(&work, c->cycle, (uint32_t)c->step);
    transmit(c);
}

static void next_cycle(struct connection *c, uint64_t now)
{
    if (tally.begun >= run.limit && !tally.exhausted_at)
        tally.exhausted_at = now;
    if (tally.begun >= run.limit || now >= tally.deadline) {
        c->done = 1;
        run.active--;
        return;
    }
    c->cycle = (uint32_t)((run.first + tally.begun++) % work.cycles);
    run.outcome[c->cycle] = UNKNOWN;
    c->step = 0;
    c->began = now;
    send_step(c, now);
}

static void finish_cycle(struct connection *c, uint64_t now, enum outcome outcome)
{
    run.outcome[c->cycle] = (char)outcome;
    if (outcome == ACKNOWLEDGED)
        count_done(&tally, c->began, now);
    else {
        tally.last_end = now;
        tally.refused++;
    }
    next_cycle(c, now);
}

/* One complete message. Returns 0 when the connection was lost over it. */
static int answer(struct connection *c, const struct message *message, uint64_t now)
{
    if (message->tag == TAG_ENTRY || message->tag == TAG_REFERENCE) {
        c->entries += message->tag == TAG_ENTRY;
        return 1;
    }
    struct result result;
    const char *why;
    if (!read_result(message, &result, &why)) {
        lose(c, why);
        return 0;
    }
    if (message->id == 0) {
        char notice[200];
        snprintf(notice, sizeof notice, "Notice of Disconnection, code %d: %.*s", result.code, result.length,
                 result.text);
        lose(c, notice);
        return 0;
    }
    run.last_answer = now;
    if (c->step < 0) {
        if (message->tag != TAG_BIND_RESPONSE || result.code)
            die("bind refused with code %d: %.*s", result.code, result.length, result.text);
        run.bound++;
        return 1;
    }
    const struct step *expected = &work.step[c->step];
    if (message->id != expected->id || message->tag != expected->tag) {
        lose(c, "an answer to another request than the one under way");
        return 0;
    }
    if (now <= tally.deadline)
        record(&tally.step[c->step], now - c->step_began);
    if (result.code != expected->result) {
        count_refusal(&tally, c->step, result.code, result.text, result.length);
        finish_cycle(c, now, REFUSED);
    } else if (expected->entries != ANY_ENTRIES && c->entries != expected->entries) {
        char found[80];
        int n = snprintf(found, sizeof found, "%d entries found, %d expected", c->entries, expected->entries);
        count_refusal(&tally, c->step, WRONG_COUNT, found, n);
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
    struct message message;
    enum found found;
    while ((found = next_message(&p, end, &message)) == COMPLETE)
        if (!answer(c, &message, now))
            return;
    if (found == NONSENSE) {
        lose(c, "bytes that are no LDAPMessage with an id of one byte, or one larger than the generator's buffer");
        return;
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
            if (c->fd >= 0 && !c->unsent.length)
                watch(c, EPOLLIN, EPOLL_CTL_MOD);
        }
        if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            receive(c);
    }
}

static struct connection *bound_connections(const char *host, int port, int connections)
{
    struct connection *all = calloc((size_t)connections, sizeof *all);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!all || run.epoll < 0)
        die("no memory, or no epoll, for %d connections", connections);
    for (int i = 0; i < connections; i++) {
        struct connection *c = &all[i];
        c->fd = connect_to(host, port);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        c->step = -1;
        watch(c, EPOLLIN, EPOLL_CTL_ADD);
        c->unsent = work.bind;
        transmit(c);
    }
    uint64_t patience = now_ns() + SILENCE * 1000000000ull;
    while (run.bound < connections) {
        poll_once(100);
        if (now_ns() > patience)
            die("%d of %d connections bound after %d s", run.bound, connections, SILENCE);
    }
    return all;
}

static void generate(const char *host, int port, int connections, double seconds, const char *results)
{
    run.outcome = malloc(work.cycles);
    if (!run.outcome)
        die("no memory for %u outcomes", work.cycles);
    memset(run.outcome, NOT_BEGUN, work.cycles);
    struct connection *all = bound_connections(host, port, connections);
    run.active = connections;
    double cpu = -cpu_seconds();
    start_tally(&tally, seconds);
    run.last_answer = tally.begin;
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
    print_tally(&tally, connections, work.steps, cpu + cpu_seconds(), "");
    if (results) {
        FILE *file = fopen(results, "wb");
        if (!file || fwrite(run.outcome, 1, work.cycles, file) != work.cycles || fclose(file))
            die("%s: %s", results, strerror(errno));
    }
}

int main(int count, char **argument)
{
    signal(SIGPIPE, SIG_IGN);
    const char *how = count > 1 ? argument[1] : "";
    if (!strcmp(how, "run") && (count == 7 || count == 8)) {
        load_prepared(&work, argument[2]);
        run.limit = work.cycles;
        generate(argument[3], atoi(argument[4]), atoi(argument[5]), atof(argument[6]), argument[7]);
    } else if (!strcmp(how, "loop") && count == 8) {
        if (atof(argument[6]) <= 0)
            die("loop: expected a number of seconds, not %s", argument[6]);
        load_prepared(&work, argument[2]);
        run.first = strtoull(argument[7], NULL, 10);
        run.limit = UINT64_MAX;
        generate(argument[3], atoi(argument[4]), atoi(argument[5]), atof(argument[6]), NULL);
    } else if (!strcmp(how, "echo") && count == 5) {
        int port;
        load_prepared(&work, argument[2]);
        run.limit = work.cycles;
        pid_t server = start_null_server(&port);
        generate("127.0.0.1", port, atoi(argument[3]), atof(argument[4]), NULL);
        end_null_server(server);
    } else
        die("usage: cycle run FILE HOST PORT CONNECTIONS SECONDS [RESULTS] | cycle loop FILE HOST PORT CONNECTIONS "
            "SECONDS FIRST | cycle echo FILE CONNECTIONS SECONDS");
    return 0;
}
