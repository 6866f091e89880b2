/* From pixels to rectangles of an update: a const table, one file for each encoding. What is
 * written goes behind what the buffer holds. */
#ifndef FANIN_ENCODE_H
#define FANIN_ENCODE_H

#include <stddef.h>

#include "base/rfb/jpeg.h"
#include "base/rfb/protocol.h"

struct buffer {
    uint8_t *data; /* from malloc; grows */
    size_t bytes, capacity;
    bool failed; /* no memory: nothing more is written */
};
uint8_t *buffer_room(struct buffer *buffer, size_t bytes); /* NULL: failed. Does not count them. */
void buffer_put(struct buffer *buffer, const void *data, size_t bytes);
void buffer_free(struct buffer *buffer);

/* The viewer's format, of 32 bits and 8 a colour: shifts, and whether numbers are big-endian. */
struct pixel_format {
    unsigned red_shift, green_shift, blue_shift;
    bool big_endian;
};

/* What an encoder keeps for one connection: zlib's streams, which the protocol has for its whole
 * life. */
struct encoder;
struct encoder_config {
    struct pixel_format format;
    int quality;       /* JPEG's 1..100 for blocks of many colours; 0: lossless */
    int compression;   /* zlib's level, 1..9 */
    struct jpeg *jpeg; /* shared by all; NULL: lossless */
};

struct encoding {
    const char *name; /* "tight" */
    int number;       /* enum rfb_encoding */
    /* write: rectangles that cover the box, with their headers; returns how many, or -1 without
     * memory. */
    int (*write)(struct encoder *encoder, const struct encoder_config *config,
                 const struct rfb_picture *picture, struct rfb_box box, struct buffer *out);
};

struct encoder *encoder_open(void); /* NULL without memory */
void encoder_close(struct encoder *encoder);

const struct encoding *encoding_list(unsigned index); /* raw, tight, zrle; NULL after the last */
const struct encoding *encoding_of(int number);       /* NULL: not one of ours */

/* encode_header: of a rectangle; its content follows.
 * encode_copy: one CopyRect of `box` from `from_x`, `from_y`. */
void encode_header(struct rfb_box box, int encoding, struct buffer *out);
void encode_copy(struct rfb_box box, unsigned from_x, unsigned from_y, struct buffer *out);

#endif
