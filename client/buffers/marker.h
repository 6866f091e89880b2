/* End-marker search in consecutive pieces of a stream, wherever a marker is split. It looks at each
 * byte once, first for two of the marker's bytes, then with memchr for the rarest (memmem on short
 * needles is slower than loopback itself). */
#ifndef FANIN_MARKER_H
#define FANIN_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MARKER_BYTES_MAX = 16 };

/* The same for all streams. Made once; read-only afterwards. */
struct marker {
    uint8_t bytes[MARKER_BYTES_MAX];
    unsigned count;     /* 1..MARKER_BYTES_MAX */
    unsigned rarest;    /* index of the byte that memchr looks for */
    unsigned companion; /* index of the byte that is compared too where memchr stops too often */
    /* How many of `starts` positions from `at` on precede the first one where both bytes match; all
     * of them if none does. The fastest code for that which this processor runs. */
    size_t (*skip_ahead)(const struct marker *marker, const uint8_t *at, size_t starts);
};

/* Of one stream. Zeroed: a new stream. */
struct marker_state {
    uint8_t begun; /* the last bytes are the marker's first so many, fewer than count */
    bool crowded;  /* many false hits: the rarest byte is frequent outside markers */
};

void marker_init(struct marker *marker, const uint8_t *bytes, unsigned count);

/* marker_find: looks for the first marker that ends in piece[0..bytes). Returns how many bytes of
 * the piece belong to the frame, marker included (1..bytes), and the state is new again; or 0 if no
 * marker ends in the piece, and the state keeps its end. */
size_t marker_find(const struct marker *marker, struct marker_state *state, const uint8_t *piece,
                   size_t bytes);

/* marker_use: sets `skip_ahead` to the index-th of the codes that this processor runs, the fastest
 * first. False: there are not so many. */
bool marker_use(struct marker *marker, unsigned index);

#endif
