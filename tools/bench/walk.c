/* Walks over a search's entries in pages (RFC 2696), on a few connections, one after the other on each.
 *
 *   walk FILE HOST PORT CONNECTIONS SECONDS PAGE ENTRIES
 *
 * FILE (see prepared.h) holds the search, without controls, as its first request. A page is asked for with the cookie
 * that came with the page before; the walk is over when the cookie is empty, and must have seen ENTRIES entries, none of
 * its pages more than PAGE. At the deadline no new walk begins; each connection ends the one under way, so the rates
 * count everything to the last answer. Reports JSON like cycle.c, where a "cycle" is a page.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "prepared.h"
#include "tally.h"
#include "wire.h"

#define PAGED_RESULTS "1.2.840.113556.1.4.319"
#define CONTROLS 0xa0 /* the tag of a message's controls (RFC 4511 section 4.1.11) */
#define ID 2
#define MAX_COOKIE 8192
#define READ_AHEAD (4 * BUFFER) /* a page is some hundred KiB */

struct walker {
    int fd;
    int done;
    uint32_t in_page, in_walk;
    uint64_t began; /* of the page */
    size_t cookie_length;
    uint8_t cookie[MAX_COOKIE];
    size_t have;
    uint8_t buffer[READ_AHEAD];
};

static struct {
    const uint8_t *search; /* the protocolOp, as it is in the file */
    size_t search_length;
    uint32_t page, expected;
    int epoll, active;
    uint64_t walks, entries, last_answer;
} run;

static struct tally tally;

/* ---- a request: written backwards, so that every length is known when its header is written ---- */

static uint8_t *prepend(uint8_t *p, const void *bytes, size_t length)
{
    return memcpy(p - length, bytes, length);
}

static uint8_t *header(uint8_t *p, uint8_t tag, size_t length)
{
    int size = 0;
    if (length < 0x80)
        *--p = (uint8_t)length;
    else {
        for (; length; length >>= 8, size++)
            *--p = (uint8_t)length;
        *--p = (uint8_t)(0x80 | size);
    }
    *--p = tag;
    return p;
}

static uint8_t *integer(uint8_t *p, uint32_t value)
{
    const uint8_t *end = p;
    do
        *--p = (uint8_t)value;
    while (value >>= 8);
    if (*p & 0x80)
        *--p = 0;
    return header(p, 0x02, (size_t)(end - p));
}

/* SEQUENCE { id, search, controls { { PAGED_RESULTS, TRUE, OCTET STRING { SEQUENCE { PAGE, cookie } } } } } */
static void ask(struct walker *w)
{
    static uint8_t room[MAX_COOKIE + BUFFER];
    static const uint8_t critical[] = {0x01, 0x01, 0xff};
    uint8_t *const end = room + sizeof room, *p = end;
    p = prepend(p, w->cookie, w->cookie_length);
    p = header(p, 0x04, w->cookie_length);
    p = integer(p, run.page);
    p = header(p, 0x30, (size_t)(end - p));
    p = header(p, 0x04, (size_t)(end - p));
    p = prepend(p, critical, sizeof critical);
    p = prepend(p, PAGED_RESULTS, sizeof PAGED_RESULTS - 1);
    p = header(p, 0x04, sizeof PAGED_RESULTS - 1);
    p = header(p, 0x30, (size_t)(end - p));
    p = header(p, CONTROLS, (size_t)(end - p));
    p = prepend(p, run.search, run.search_length);
    p = prepend(p, (const uint8_t[]){0x02, 0x01, ID}, 3);
    p = header(p, 0x30, (size_t)(end - p));
    w->in_page = 0;
    w->began = now_ns();
    /* Blocking, and some hundred bytes: it fits into the socket's buffer. */
    if (send(w->fd, p, (size_t)(end - p), MSG_NOSIGNAL) != end - p)
        die("a request could not be sent: %s", strerror(errno));
}

/* ---- an answer ---- */

static const uint8_t *inside(const uint8_t **p, const uint8_t *end, uint8_t tag, const uint8_t **content)
{
    if (end - *p < 2 || **p != tag)
        return NULL;
    ++*p;
    long length = ber_length(p, end);
    if (length < 0 || length > end - *p)
        return NULL;
    *content = *p;
    *p += length;
    return *p;
}

/* The cookie of the control among a message's; 0: there is none, or one that cannot be understood. */
static int take_cookie(struct walker *w, const struct message *message)
{
    const uint8_t *p = message->content_end, *list, *list_end = inside(&p, message->end, CONTROLS, &list);
    while (list_end && list < list_end) {
        const uint8_t *control, *control_end = inside(&list, list_end, 0x30, &control), *oid, *value, *end;
        if (!control_end || !(end = inside(&control, control_end, 0x04, &oid)))
            return 0;
        if (end - oid != sizeof PAGED_RESULTS - 1 || memcmp(oid, PAGED_RESULTS, sizeof PAGED_RESULTS - 1))
            continue;
        inside(&control, control_end, 0x01, &value); /* criticality, if any */
        const uint8_t *sequence, *size, *cookie;
        if (!(end = inside(&control, control_end, 0x04, &value)) || !(end = inside(&value, end, 0x30, &sequence)) ||
            !inside(&sequence, end, 0x02, &size) || !(end = inside(&sequence, end, 0x04, &cookie)) ||
            end - cookie > MAX_COOKIE)
            return 0;
        w->cookie_length = (size_t)(end - cookie);
        memcpy(w->cookie, cookie, w->cookie_length);
        return 1;
    }
    return 0;
}

static void give_up(struct walker *w, int code, const char *text, int length)
{
    count_refusal(&tally, 0, code, text, length);
    tally.refused++;
    epoll_ctl(run.epoll, EPOLL_CTL_DEL, w->fd, NULL);
    w->done = 1;
    run.active--;
}

static void page_done(struct walker *w, const struct message *message, uint64_t now)
{
    struct result result;
    const char *why;
    char found[80];
    run.last_answer = tally.last_end = now;
    if (!read_result(message, &result, &why)) {
        give_up(w, LOST, why, (int)strlen(why));
    } else if (result.code) {
        give_up(w, result.code, result.text, result.length);
    } else if (!take_cookie(w, message)) {
        why = "a page without the control that says how to go on";
        give_up(w, LOST, why, (int)strlen(why));
    } else if (w->in_page > run.page || (!w->cookie_length && w->in_walk != run.expected)) {
        int n = snprintf(found, sizeof found, "%u entries in a page, %u in the walk; expected %u of %u", w->in_page,
                         w->in_walk, run.page, run.expected);
        give_up(w, WRONG_COUNT, found, n);
    } else {
        count_done(&tally, w->began, now);
        if (now > tally.deadline)
            record(&tally.cycle, now - w->began); /* no page is left out: the rates count to the last answer */
        if (!w->cookie_length) {
            run.walks++;
            w->in_walk = 0;
        }
        if (w->cookie_length || now < tally.deadline) {
            tally.begun++;
            ask(w);
        } else {
            w->done = 1;
            run.active--;
        }
    }
}

static void receive(struct walker *w)
{
    ssize_t got = recv(w->fd, w->buffer + w->have, READ_AHEAD - w->have, 0);
    if (got <= 0) {
        const char *why = got ? strerror(errno) : "the server closed the connection";
        give_up(w, LOST, why, (int)strlen(why));
        return;
    }
    w->have += (size_t)got;
    uint64_t now = now_ns();
    const uint8_t *p = w->buffer, *end = w->buffer + w->have;
    struct message message;
    enum found found;
    while (!w->done && (found = next_message(&p, end, &message)) != CUT_OFF) {
        if (found == NONSENSE || message.id != ID) {
            const char *why = "bytes that are no answer to the search";
            give_up(w, LOST, why, (int)strlen(why));
        } else if (message.tag == TAG_ENTRY) {
            w->in_page++;
            w->in_walk++;
            run.entries++;
        } else
            page_done(w, &message, now);
    }
    w->have = (size_t)(end - p);
    memmove(w->buffer, p, w->have);
}

static void bind_as(struct walker *w, const struct prepared *prepared)
{
    ssize_t got = 0;
    const uint8_t *p = w->buffer;
    struct message message;
    struct result result;
    const char *why = "no answer";
    if (send(w->fd, prepared->bind.bytes, prepared->bind.length, MSG_NOSIGNAL) == (ssize_t)prepared->bind.length)
        got = recv(w->fd, w->buffer, READ_AHEAD, 0);
    if (got <= 0 || next_message(&p, w->buffer + got, &message) != COMPLETE || !read_result(&message, &result, &why))
        die("the bind failed: %s", why);
    if (message.tag != TAG_BIND_RESPONSE || result.code)
        die("bind refused with code %d: %.*s", result.code, result.length, result.text);
}

static void walk(const struct prepared *prepared, const char *host, int port, int connections, double seconds)
{
    struct walker *all = calloc((size_t)connections, sizeof *all);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!all || run.epoll < 0)
        die("no memory, or no epoll, for %d connections", connections);
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        all[i].fd = connect_to(host, port);
        bind_as(&all[i], prepared);
        if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, all[i].fd, &event))
            die("epoll_ctl: %s", strerror(errno));
    }
    double cpu = -cpu_seconds();
    start_tally(&tally, seconds);
    run.last_answer = tally.begin;
    run.active = connections;
    tally.begun = (uint64_t)connections;
    for (int i = 0; i < connections; i++)
        ask(&all[i]);
    while (run.active > 0) {
        struct epoll_event events[64];
        int count = epoll_wait(run.epoll, events, 64, 100);
        for (int i = 0; i < count; i++)
            receive(events[i].data.ptr);
        if (now_ns() > run.last_answer + SILENCE * 1000000000ull)
            die("no page for %d s", SILENCE);
    }
    double elapsed = (double)(tally.last_end - tally.begin) / 1e9;
    char more[160];
    snprintf(more, sizeof more, "\"walks\":%llu,\"entries\":%llu,\"entries_per_second\":%.1f,",
             (unsigned long long)run.walks, (unsigned long long)run.entries, (double)run.entries / elapsed);
    print_tally(&tally, connections, 0, cpu + cpu_seconds(), more);
}

int main(int count, char **argument)
{
    static struct prepared prepared;
    signal(SIGPIPE, SIG_IGN);
    if (count != 8)
        die("usage: walk FILE HOST PORT CONNECTIONS SECONDS PAGE ENTRIES");
    load_prepared(&prepared, argument[1]);
    struct request request = request_of(&prepared, 0, 0);
    const uint8_t *p = request.bytes;
    struct message message;
    if (next_message(&p, request.bytes + request.length, &message) != COMPLETE || message.content_end != message.end)
        die("%s: expected a search without controls", argument[1]);
    run.search = request.bytes + (request.bytes[1] < 0x80 ? 2 : 2 + (request.bytes[1] & 0x7f)) + 3; /* behind the id */
    run.search_length = (size_t)(message.content_end - run.search);
    run.page = (uint32_t)atoi(argument[6]);
    run.expected = (uint32_t)atoi(argument[7]);
    if (!run.page)
        die("PAGE: expected at least 1, not %s", argument[6]);
    walk(&prepared, argument[2], atoi(argument[3]), atoi(argument[4]), atof(argument[5]));
    return 0;
}
