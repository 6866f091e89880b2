/* What paints one rectangle: a line of the table in decoders.c, a file for each. */
#ifndef FANIN_RFB_DECODER_H
#define FANIN_RFB_DECODER_H

#include "client/monitor/rfb/rfb.h"

struct decoder {
    const char *name; /* as --encodings spells it */
    int encoding;     /* enum rfb_encoding */
    size_t state_bytes;
    /* open: at the begin of a connection, state zeroed. False: no memory. */
    bool (*open)(void *state);
    void (*close)(void *state);
    /* begin: a rectangle, which lies inside of the picture, follows. 0 or a fault. */
    int (*begin)(void *state, const struct rfb_picture *picture, struct rfb_box box);
    /* feed: returns the bytes taken (all, unless *done), or a fault; *done: the rectangle is over.
     * A rectangle that takes no bytes at all is fed 0 bytes once. */
    int64_t (*feed)(void *state, const uint8_t *data, size_t bytes, bool *done);
};

/* decoder_list: by index, the best first; NULL after the last. */
const struct decoder *decoder_list(unsigned index);
const struct decoder *decoder_of(int encoding);        /* NULL: none */
const struct decoder *decoder_named(const char *name); /* NULL: none */

#endif
