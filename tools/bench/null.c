#define _GNU_SOURCE
#include "null.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

#define ANSWER 64 /* bytes that the longest answer has room in */

struct guest { int fd; size_t have; uint8_t buffer[BUFFER]; };

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

static void welcome(int poller, int listener)
{
    struct guest *guest = calloc(1, sizeof *guest);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = guest};
    int one = 1;
    guest->fd = accept(listener, NULL, NULL);
    setsockopt(guest->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(poller, EPOLL_CTL_ADD, guest->fd, &event);
}

static void answer(struct guest *guest)
{
    ssize_t got = recv(guest->fd, guest->buffer + guest->have, BUFFER - guest->have, 0);
    if (got <= 0) {
        close(guest->fd);
        free(guest);
        return;
    }
    guest->have += (size_t)got;
    const uint8_t *p = guest->buffer, *end = guest->buffer + guest->have;
    uint8_t out[4096];
    size_t length = 0;
    struct message request;
    while (length < sizeof out - ANSWER && next_message(&p, end, &request) == COMPLETE)
        length += put_answer(out + length, (uint8_t)request.id, request.tag);
    guest->have = (size_t)(end - p);
    memmove(guest->buffer, p, guest->have);
    if (length && send(guest->fd, out, length, MSG_NOSIGNAL) < 0)
        return; /* the guest is gone: the next recv says so */
}

static _Noreturn void serve(int listener)
{
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr)
                answer(events[i].data.ptr);
            else
                welcome(poller, listener);
    }
}

pid_t start_null_server(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        die("no listener: %s", strerror(errno));
    pid_t server = fork();
    if (server < 0)
        die("fork: %s", strerror(errno));
    if (!server) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener);
    }
    close(listener);
    *port = ntohs(address.sin_port);
    return server;
}

void end_null_server(pid_t server)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}
