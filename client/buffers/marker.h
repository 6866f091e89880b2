/* End-marker search that survives any split between blocks, looks at each byte once, and goes by
 * memchr for the marker's rarest byte (memmem on short needles is slower than loopback itself).
 *
 * The search is a stream: feed it consecutive pieces, it keeps what it needs to recognise a marker
 * that began in an earlier piece, without keeping the pieces. */
#ifndef FANIN_MARKER_H
#define FANIN_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MARKER_BYTES_MAX = 16 };

/* What is the same for all streams. Made once; read-only afterwards. */
struct marker {
    uint8_t bytes[MARKER_BYTES_MAX];
    unsigned count;     /* 1..MARKER_BYTES_MAX */
    unsigned rarest;    /* index of the byte that memchr looks for */
    unsigned companion; /* index of the byte looked for as well where memchr stops too often */
    /* Of `starts` positions from `at` on, how many at the beginning are certainly no marker's: the
     * fastest code for that which this processor runs. */
    size_t (*pass_over)(const struct marker *marker, const uint8_t *at, size_t starts);
};

/* What one stream remembers: the last count-1 bytes since the last marker's end. Zeroed is a fresh
 * stream. */
struct marker_state {
    uint8_t tail[MARKER_BYTES_MAX];
    uint8_t tail_bytes;
    bool crowded; /* bytes of the marker's are frequent in what is no marker */
};

void marker_init(struct marker *marker, const uint8_t *bytes, unsigned count);

/* marker_find: looks for the first marker that ends in piece[0..bytes). Returns how many bytes of
 * the piece belong to the frame, marker included (1..bytes), the state being fresh again; or 0 when
 * no marker ends in the piece, the state remembering its end. */
size_t marker_find(const struct marker *marker, struct marker_state *state, const uint8_t *piece,
                   size_t bytes);

/* marker_use: makes pass_over the index-th of the codes that this processor runs, the fastest
 * first. False: there are not so many. */
bool marker_use(struct marker *marker, unsigned index);

#endif
