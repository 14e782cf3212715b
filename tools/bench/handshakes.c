/* New LDAPS connections in a closed loop: connect, TLS handshake, bind, the steps of a cycle, unbind, close.
 *
 *   handshakes FILE HOST PORT CLIENTS SECONDS AUTHORITY RESUME
 *
 * FILE is described in prepared.h and begins anew at its end. TLS 1.3 only; the server's certificate is verified
 * against AUTHORITY (PEM), and must be for the address HOST. RESUME 1: a client offers the last session it was given
 * (and says how often the server took it), 0: every handshake is a full one.
 *
 * A thread for each client; they are few, and what costs here is cryptography. Reports JSON like cycle.c; step 1 is
 * connecting with the handshake, step 2 the bind, step 3 the first of the file.
 */
#define _GNU_SOURCE
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "prepared.h"
#include "tally.h"
#include "wire.h"

static const uint8_t unbind[] = {0x30, 0x05, 0x02, 0x01, 0x7f, 0x42, 0x00};

static struct {
    struct prepared prepared;
    const char *host, *authority;
    int port, resume;
    double seconds;
    atomic_uint next;
    pthread_barrier_t start;
} work;

struct client {
    pthread_t thread;
    SSL_CTX *context;
    SSL_SESSION *session;
    uint64_t resumed;
    struct tally tally;
    size_t have;
    uint8_t buffer[BUFFER];
};

/* TLS 1.3 gives sessions whenever it likes after the handshake: the last one is kept for the next connection. */
static int keep_session(SSL *tls, SSL_SESSION *session)
{
    struct client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));
    SSL_SESSION_free(client->session);
    client->session = session;
    return 1;
}

static void make_context(struct client *client)
{
    SSL_CTX *context = client->context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
        !SSL_CTX_load_verify_locations(context, work.authority, NULL) ||
        !X509_VERIFY_PARAM_set1_ip_asc(SSL_CTX_get0_param(context), work.host))
        die("no TLS: %s", ERR_reason_error_string(ERR_get_error()));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_app_data(context, client);
    if (work.resume) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
}

static void refuse(struct client *client, int step, int code, const char *text, int length)
{
    count_refusal(&client->tally, step, code, text, length);
    client->tally.refused++;
}

static void lose(struct client *client, int step, const char *why)
{
    refuse(client, step, LOST, why, (int)strlen(why));
}

/* Sends a request and reads to its final answer. 0: it was not as expected, and is counted. */
static int ask(struct client *client, SSL *tls, int number, struct request request, const struct step *expected)
{
    uint64_t began = now_ns();
    int entries = 0;
    if (SSL_write(tls, request.bytes, (int)request.length) <= 0) {
        lose(client, number, "a request could not be sent");
        return 0;
    }
    for (;;) {
        const uint8_t *p = client->buffer, *end = client->buffer + client->have;
        struct message message;
        enum found found = next_message(&p, end, &message);
        if (found == COMPLETE && message.tag != TAG_ENTRY && message.tag != TAG_REFERENCE) {
            struct result result;
            const char *why = "an answer to another request than the one under way";
            if (!read_result(&message, &result, &why) || message.id != expected->id || message.tag != expected->tag) {
                lose(client, number, why);
                return 0;
            }
            if (result.code != expected->result) {
                refuse(client, number, result.code, result.text, result.length);
                return 0;
            }
            if (expected->entries != ANY_ENTRIES && entries != expected->entries) {
                refuse(client, number, WRONG_COUNT, "another number of entries than expected", 39);
                return 0;
            }
            client->have = 0; /* nothing is asked before the answer is there, so nothing follows it */
            record(&client->tally.step[number], now_ns() - began);
            return 1;
        }
        if (found == NONSENSE) {
            lose(client, number, "bytes that are no LDAPMessage");
            return 0;
        }
        if (found == COMPLETE) {
            entries += message.tag == TAG_ENTRY;
            client->have = (size_t)(end - p);
            memmove(client->buffer, p, client->have);
            continue;
        }
        int got = SSL_read(tls, client->buffer + client->have, (int)(BUFFER - client->have));
        if (got <= 0) {
            lose(client, number, "the server closed the connection");
            return 0;
        }
        client->have += (size_t)got;
    }
}

static void converse(struct client *client, uint32_t cycle)
{
    static const struct step bound = {1, TAG_BIND_RESPONSE, 0, ANY_ENTRIES};
    uint64_t began = now_ns();
    static const struct timeval patience = {.tv_sec = SILENCE};
    int fd = connect_to(work.host, work.port);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL *tls = SSL_new(client->context);
    client->tally.begun++;
    client->have = 0;
    if (client->session)
        SSL_set_session(tls, client->session);
    SSL_set_fd(tls, fd);
    if (SSL_connect(tls) != 1) {
        const char *why = ERR_reason_error_string(ERR_peek_last_error());
        lose(client, 0, why ? why : "the TLS handshake failed");
        ERR_clear_error();
    } else {
        record(&client->tally.step[0], now_ns() - began);
        client->resumed += (uint64_t)SSL_session_reused(tls);
        int good = ask(client, tls, 1, work.prepared.bind, &bound);
        for (uint32_t step = 0; good && step < work.prepared.steps; step++)
            good = ask(client, tls, (int)step + 2, request_of(&work.prepared, cycle, step), &work.prepared.step[step]);
        if (good && SSL_write(tls, unbind, sizeof unbind) > 0)
            count_done(&client->tally, began, now_ns());
        SSL_shutdown(tls);
    }
    SSL_free(tls);
    close(fd);
}

static void *run_client(void *argument)
{
    struct client *client = argument;
    make_context(client);
    pthread_barrier_wait(&work.start);
    start_tally(&client->tally, work.seconds);
    while (now_ns() < client->tally.deadline)
        converse(client, atomic_fetch_add(&work.next, 1) % work.prepared.cycles);
    return NULL;
}

int main(int count, char **argument)
{
    signal(SIGPIPE, SIG_IGN);
    if (count != 8)
        die("usage: handshakes FILE HOST PORT CLIENTS SECONDS AUTHORITY RESUME");
    load_prepared(&work.prepared, argument[1]);
    if (work.prepared.steps + 2 > MAX_STEPS)
        die("%s: expected at most %d steps", argument[1], MAX_STEPS - 2);
    work.host = argument[2];
    work.port = atoi(argument[3]);
    int clients = atoi(argument[4]);
    work.seconds = atof(argument[5]);
    work.authority = argument[6];
    work.resume = atoi(argument[7]);
    if (clients < 1 || work.seconds <= 0)
        die("expected at least one client and a number of seconds, not %s and %s", argument[4], argument[5]);
    struct client *all = calloc((size_t)clients, sizeof *all);
    if (!all || pthread_barrier_init(&work.start, NULL, (unsigned)clients))
        die("no memory for %d clients", clients);
    double cpu = -cpu_seconds();
    for (int i = 0; i < clients; i++)
        if (pthread_create(&all[i].thread, NULL, run_client, &all[i]))
            die("no thread for client %d", i + 1);
    for (int i = 0; i < clients; i++)
        pthread_join(all[i].thread, NULL);
    uint64_t resumed = all[0].resumed;
    for (int i = 1; i < clients; i++) {
        add_tally(&all[0].tally, &all[i].tally);
        resumed += all[i].resumed;
    }
    char more[64];
    snprintf(more, sizeof more, "\"resumed\":%llu,", (unsigned long long)resumed);
    print_tally(&all[0].tally, clients, work.prepared.steps + 2, cpu + cpu_seconds(), more);
    return 0;
}
