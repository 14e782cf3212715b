#include "tally.h"

#include <stdio.h>
#include <string.h>

#include "wire.h"

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

void record(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->bin[bin_of(value)]++;
}

static void add_histogram(struct histogram *histogram, const struct histogram *other)
{
    histogram->count += other->count;
    histogram->sum += other->sum;
    if (other->max > histogram->max)
        histogram->max = other->max;
    for (unsigned bin = 0; bin < sizeof histogram->bin / sizeof *histogram->bin; bin++)
        histogram->bin[bin] += other->bin[bin];
}

static double percentile_ms(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->count + 0.5), seen = 0;
    for (unsigned bin = 0; bin < sizeof histogram->bin / sizeof *histogram->bin; bin++) {
        seen += histogram->bin[bin];
        if (seen && seen >= wanted)
            return (double)bin_value(bin) / 1e6;
    }
    return (double)histogram->max / 1e6;
}

void start_tally(struct tally *tally, double seconds)
{
    memset(tally, 0, sizeof *tally);
    tally->begin = tally->last_end = now_ns();
    tally->deadline = seconds > 0 ? tally->begin + (uint64_t)(seconds * 1e9) : UINT64_MAX;
}

void count_done(struct tally *tally, uint64_t began, uint64_t now)
{
    tally->last_end = now;
    if (now <= tally->deadline) {
        tally->in_time++;
        record(&tally->cycle, now - began);
    } else
        tally->late++;
}

static void add_refusal(struct tally *tally, int step, int code, uint64_t count, const char *text, int length)
{
    for (int i = 0; i < tally->refusals; i++)
        if (tally->refusal[i].step == step && tally->refusal[i].code == code) {
            tally->refusal[i].count += count;
            return;
        }
    if (tally->refusals == MAX_REFUSALS)
        return;
    struct refusal *refusal = &tally->refusal[tally->refusals++];
    refusal->step = step;
    refusal->code = code;
    refusal->count = count;
    snprintf(refusal->text, sizeof refusal->text, "%.*s", length, text);
}

void count_refusal(struct tally *tally, int step, int code, const char *text, int length)
{
    add_refusal(tally, step, code, 1, text, length);
}

void add_tally(struct tally *tally, const struct tally *other)
{
    tally->begun += other->begun;
    tally->in_time += other->in_time;
    tally->late += other->late;
    tally->refused += other->refused;
    tally->unknown += other->unknown;
    if (other->last_end > tally->last_end)
        tally->last_end = other->last_end;
    if (other->exhausted_at > tally->exhausted_at)
        tally->exhausted_at = other->exhausted_at;
    add_histogram(&tally->cycle, &other->cycle);
    for (unsigned step = 0; step < MAX_STEPS; step++)
        add_histogram(&tally->step[step], &other->step[step]);
    for (int i = 0; i < other->refusals; i++) {
        const struct refusal *refusal = &other->refusal[i];
        int length = (int)strlen(refusal->text);
        add_refusal(tally, refusal->step, refusal->code, refusal->count, refusal->text, length);
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

static void print_latency(const char *name, const struct histogram *histogram)
{
    printf("\"%s\":{\"count\":%llu,\"mean_ms\":%.4f,\"p50_ms\":%.4f,\"p90_ms\":%.4f,\"p99_ms\":%.4f,\"p999_ms\":%.4f,"
           "\"max_ms\":%.4f}",
           name, (unsigned long long)histogram->count,
           histogram->count ? (double)histogram->sum / (double)histogram->count / 1e6 : 0.0,
           percentile_ms(histogram, 0.5), percentile_ms(histogram, 0.9), percentile_ms(histogram, 0.99),
           percentile_ms(histogram, 0.999), (double)histogram->max / 1e6);
}

void print_tally(const struct tally *tally, int connections, unsigned steps, double cpu, const char *more)
{
    /* The time that counts: to the deadline, or, when the work ended before it, to the last answer. */
    uint64_t end = tally->deadline;
    if (tally->exhausted_at && tally->last_end < end)
        end = tally->last_end;
    double elapsed = (double)(end - tally->begin) / 1e9;
    printf("{\"connections\":%d,\"seconds\":%.4f,\"cycles\":%llu,\"cycles_per_second\":%.1f,\"late\":%llu,"
           "\"refused\":%llu,\"unknown\":%llu,\"exhausted\":%s,\"begun\":%llu,\"until_last_answer_s\":%.4f,"
           "\"generator_cpu_s\":%.3f,%s",
           connections, elapsed, (unsigned long long)tally->in_time,
           elapsed > 0 ? (double)tally->in_time / elapsed : 0.0, (unsigned long long)tally->late,
           (unsigned long long)tally->refused, (unsigned long long)tally->unknown,
           tally->deadline != UINT64_MAX && tally->exhausted_at ? "true" : "false", (unsigned long long)tally->begun,
           (double)(tally->last_end - tally->begin) / 1e9, cpu, more);
    print_latency("latency", &tally->cycle);
    printf(",\"steps\":{");
    for (unsigned step = 0; step < steps; step++) {
        char name[16];
        snprintf(name, sizeof name, "%u", step + 1);
        if (step)
            putchar(',');
        print_latency(name, &tally->step[step]);
    }
    printf("},\"refusals\":[");
    for (int i = 0; i < tally->refusals; i++) {
        const struct refusal *refusal = &tally->refusal[i];
        printf("%s{\"step\":%d,\"code\":%d,\"count\":%llu,\"text\":", i ? "," : "", refusal->step + 1, refusal->code,
               (unsigned long long)refusal->count);
        print_text(refusal->text);
        putchar('}');
    }
    printf("]}\n");
}
