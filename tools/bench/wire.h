/* LDAP as far as a load generator looks at it: lengths, ids, results. Nothing is copied. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

#define BUFFER 65536 /* bytes of one read; a message must fit */
#define SILENCE 60   /* seconds without any answer after which a run is given up */

/* RFC 4511: the tags of what comes before a final answer, and of a bind's */
#define TAG_BIND_RESPONSE 0x61
#define TAG_ENTRY 0x64
#define TAG_REFERENCE 0x73

/* One complete LDAPMessage: `content` to `content_end` is the protocolOp's, `content_end` to `end` the controls. */
struct message {
    int id;
    uint8_t tag;
    const uint8_t *content, *content_end, *end;
};

/* An LDAPResult (RFC 4511 section 4.1.9). */
struct result {
    int code;
    const char *text;
    int length;
};

enum found { CUT_OFF = 0, COMPLETE = 1, NONSENSE = -1 };

/* A BER length at *p, which moves on. -1: more bytes are needed; -2: not ours to understand (indefinite, absurd). */
long ber_length(const uint8_t **p, const uint8_t *end);

/* The message at *p, which moves behind it when it is complete. */
enum found next_message(const uint8_t **p, const uint8_t *end, struct message *message);

/* 0: it is no LDAPResult, and `why` says so. */
int read_result(const struct message *message, struct result *result, const char **why);

/* A connected socket, TCP_NODELAY; IPv4 addresses only. Ends the program when nobody listens. */
int connect_to(const char *host, int port);

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t now_ns(void);
double cpu_seconds(void);

#endif
