/* What a generator counts, and its report as JSON: one shape for all generators. */
#ifndef TALLY_H
#define TALLY_H

#include <stdint.h>

#define MAX_STEPS 8
#define MAX_REFUSALS 32

/* Log-linear like HdrHistogram, 128 parts for each doubling: off by less than 0.8 %. Nanoseconds. */
#define PARTS 128
struct histogram { uint64_t count, sum, max, bin[58 * PARTS]; };

void record(struct histogram *histogram, uint64_t value);

/* An answer that should not have come: -1 the connection was lost, -2 a wrong number of entries, else its code. */
enum { LOST = -1, WRONG_COUNT = -2 };
struct refusal { int step, code; uint64_t count; char text[240]; };

struct tally {
    uint64_t begin, deadline, last_end; /* now_ns */
    uint64_t exhausted_at;              /* when the work ran out; 0: it did not */
    uint64_t begun, in_time, late, refused, unknown;
    struct histogram cycle, step[MAX_STEPS];
    struct refusal refusal[MAX_REFUSALS];
    int refusals;
};

/* The clock starts. `seconds` 0: no deadline, the end of the work is the end. */
void start_tally(struct tally *tally, double seconds);

/* A cycle ended with all answers as expected. What ends after the deadline is counted apart. */
void count_done(struct tally *tally, uint64_t began, uint64_t now);

/* `step` counts from 0. Of each step and code the first text is kept. */
void count_refusal(struct tally *tally, int step, int code, const char *text, int length);

/* Adds what another counted in the same time. */
void add_tally(struct tally *tally, const struct tally *other);

/* One JSON object. `more` is what else belongs into it, a text such as "\"walks\":3,", or "". */
void print_tally(const struct tally *tally, int connections, unsigned steps, double cpu, const char *more);

#endif
