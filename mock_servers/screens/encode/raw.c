/* Raw: pixels as they are. */
#include <string.h>

#include "mock_servers/screens/encode/encoder.h"

/* Whether a pixel in memory is already what goes over the wire. */
static bool is_native(const struct pixel_format *format)
{
    uint8_t bytes[4];
    const uint32_t colour = 0x123456;
    put_pixel(bytes, format, colour);
    return memcmp(bytes, &colour, sizeof bytes) == 0;
}

static int raw_write(struct encoder *encoder, const struct encoder_config *config,
                     const struct rfb_picture *picture, struct rfb_box box, struct buffer *out)
{
    const size_t row_bytes = box.width * sizeof *picture->pixels;
    const bool native = is_native(&config->format);
    encode_header(box, RFB_RAW, out);
    uint8_t *at = buffer_room(out, row_bytes * box.height);
    if (at == NULL)
        return -1;
    for (unsigned y = 0; y < box.height; y++, at += row_bytes) {
        const uint32_t *row = picture_row(picture, box, y);
        if (native)
            memcpy(at, row, row_bytes);
        else
            for (unsigned x = 0; x < box.width; x++)
                put_pixel(at + x * sizeof *row, &config->format, row[x]);
    }
    out->bytes += row_bytes * box.height;
    return 1;
}

const struct encoding encoding_raw = {"raw", RFB_RAW, raw_write};
