#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

long ber_length(const uint8_t **p, const uint8_t *end)
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

enum found next_message(const uint8_t **p, const uint8_t *end, struct message *message)
{
    if (*p >= end)
        return CUT_OFF;
    const uint8_t *q = *p + 1;
    long length = ber_length(&q, end);
    if (**p != 0x30 || length == -2)
        return NONSENSE;
    if (length == -1 || length > end - q)
        return length > BUFFER - 16 ? NONSENSE : CUT_OFF;
    message->end = q + length;
    if (length < 5 || q[0] != 0x02 || q[1] != 1)
        return NONSENSE;
    message->id = q[2];
    message->tag = q[3];
    q += 4;
    long inner = ber_length(&q, message->end);
    if (inner < 0 || inner > message->end - q)
        return NONSENSE;
    message->content = q;
    message->content_end = q + inner;
    *p = message->end;
    return COMPLETE;
}

int read_result(const struct message *message, struct result *result, const char **why)
{
    const uint8_t *p = message->content, *end = message->content_end;
    if (end - p < 3 || p[0] != 0x0a || p[1] != 1) {
        *why = "an answer that is no LDAPResult";
        return 0;
    }
    result->code = p[2];
    p += 3;
    for (int part = 0; part < 2; part++) { /* matchedDN, diagnosticMessage */
        long length;
        if (end - p < 2 || *p++ != 0x04 || (length = ber_length(&p, end)) < 0 || length > end - p) {
            *why = "an LDAPResult that is cut off";
            return 0;
        }
        result->text = (const char *)p;
        result->length = (int)length;
        p += length;
    }
    return 1;
}

int connect_to(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("%s: expected an IPv4 address", host);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        die("%s:%d: %s", host, port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
