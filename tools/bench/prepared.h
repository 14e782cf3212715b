/* The file of prepared requests that prepared.py writes: complete LDAPMessages; nothing is encoded or patched here.
 *
 * Little endian: "PVCYCLE1", u32 steps, u32 cycles, u32 length of the bind request, then for each step
 * u8 message id, u8 tag of the final response, u8 expected resultCode, u8 entries that must come before it (255: any);
 * the bind request; then for each cycle and step u32 length and the request.
 */
#ifndef PREPARED_H
#define PREPARED_H

#include <stdint.h>

#include "tally.h"

#define ANY_ENTRIES 255

struct step { uint8_t id, tag, result, entries; };

struct request { const uint8_t *bytes; uint32_t length; };

struct prepared {
    uint32_t steps, cycles;
    struct step step[MAX_STEPS];
    struct request bind;
    const uint8_t **request; /* [cycle * steps + step] -> u32 length, bytes */
};

/* Ends the program, saying why, when it is no such file. */
void load_prepared(struct prepared *prepared, const char *path);

struct request request_of(const struct prepared *prepared, uint32_t cycle, uint32_t step);

#endif
