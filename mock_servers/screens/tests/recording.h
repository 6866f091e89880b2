/* All that a screen of ours says to a viewer, made by its own scenes and encoders: for tests and
 * benches of viewers, without a network. */
#ifndef FANIN_SCREENS_TESTS_RECORDING_H
#define FANIN_SCREENS_TESTS_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recording {
    uint8_t *data; /* handshake of 3.8 without security, then updates; free it */
    size_t bytes;
    size_t first; /* bytes up to the end of the first update, which is the whole picture */
    uint64_t updates, pixels;
    uint64_t digest; /* of the last picture */
};

/* recording_make: `frames` frames of the scene, or of random boxes of random kinds ("random"); each
 * an update. Lossless at quality 0. False: the encoding or the scene is not there. */
bool recording_make(const char *scene, int encoding, unsigned width, unsigned height,
                    unsigned frames, int quality, struct recording *recording);

#endif
