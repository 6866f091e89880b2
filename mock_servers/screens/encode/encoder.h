/* What the files of this room share: zlib's streams, pixels of the viewer's format. */
#ifndef FANIN_ENCODER_H
#define FANIN_ENCODER_H

#include <zlib.h>

#include "mock_servers/screens/encode/encode.h"

/* Tight's by what they carry, and ZRLE's only one. */
enum encoder_stream_use { STREAM_FULL, STREAM_MONO, STREAM_PALETTE, STREAM_ZRLE, ENCODER_STREAMS };

struct encoder_stream {
    z_stream zlib;
    bool is_open; /* opened by the first use: most connections need one or two */
    int level;
};

struct encoder {
    struct encoder_stream streams[ENCODER_STREAMS];
};

extern const struct encoding encoding_raw, encoding_tight, encoding_zrle;

/* stream_put: compresses behind what `out` holds; `flush`: so that the viewer can decode all of it.
 * False: no memory. */
bool stream_put(struct encoder_stream *stream, int level, const void *data, size_t bytes,
                bool flush, struct buffer *out);

static inline const uint32_t *picture_row(const struct rfb_picture *picture, struct rfb_box box,
                                          unsigned row)
{
    return picture->pixels + (size_t)(box.y + row) * picture->stride + box.x;
}

/* put_pixel: a colour as the viewer's format has it, its bytes in the order of the wire. */
static inline void put_pixel(uint8_t *at, const struct pixel_format *format, uint32_t colour)
{
    const uint32_t value = (colour >> 16 & 0xff) << format->red_shift |
                           (colour >> 8 & 0xff) << format->green_shift |
                           (colour & 0xff) << format->blue_shift;
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * (format->big_endian ? 3 - i : i));
}

#endif
