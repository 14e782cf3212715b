#include "prepared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire.h"

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void load_prepared(struct prepared *prepared, const char *path)
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
    prepared->steps = u32(p + 8);
    prepared->cycles = u32(p + 12);
    prepared->bind.length = u32(p + 16);
    if (!prepared->steps || prepared->steps > MAX_STEPS || !prepared->cycles)
        die("%s: %u cycles of %u steps: expected at least 1, and at most %d steps", path, prepared->cycles,
            prepared->steps, MAX_STEPS);
    p += 20;
    if ((uint64_t)(end - p) < 4 * prepared->steps + (uint64_t)prepared->bind.length)
        die("%s: cut off in its head", path);
    memcpy(prepared->step, p, 4 * prepared->steps);
    p += 4 * prepared->steps;
    prepared->bind.bytes = p;
    p += prepared->bind.length;
    size_t requests = (size_t)prepared->cycles * prepared->steps;
    prepared->request = malloc(requests * sizeof *prepared->request);
    if (!prepared->request)
        die("no memory for %zu requests", requests);
    for (size_t i = 0; i < requests; i++) {
        if (end - p < 4 || (size_t)(end - p) < 4 + (size_t)u32(p))
            die("%s: cut off in request %zu of %zu", path, i, requests);
        prepared->request[i] = p;
        p += 4 + u32(p);
    }
}

struct request request_of(const struct prepared *prepared, uint32_t cycle, uint32_t step)
{
    const uint8_t *p = prepared->request[(size_t)cycle * prepared->steps + step];
    return (struct request){p + 4, u32(p)};
}
