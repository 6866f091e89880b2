/* What all encodings share: the buffer, the table, headers and pixels. */
#include "mock_servers/screens/encode/encoder.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES_MIN = 4096 };

uint8_t *buffer_room(struct buffer *buffer, size_t bytes)
{
    if (buffer->failed)
        return NULL;
    if (bytes <= buffer->capacity - buffer->bytes)
        return buffer->data + buffer->bytes;
    size_t capacity = buffer->capacity < BUFFER_BYTES_MIN ? BUFFER_BYTES_MIN : buffer->capacity;
    while (capacity - buffer->bytes < bytes && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    uint8_t *data = capacity - buffer->bytes < bytes ? NULL : realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->bytes;
}

void buffer_put(struct buffer *buffer, const void *data, size_t bytes)
{
    uint8_t *room = buffer_room(buffer, bytes);
    if (room == NULL || bytes == 0)
        return;
    memcpy(room, data, bytes);
    buffer->bytes += bytes;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

const struct encoding *encoding_list(unsigned index)
{
    static const struct encoding *const list[] = {&encoding_raw, &encoding_tight, &encoding_zrle};
    return index < sizeof list / sizeof *list ? list[index] : NULL;
}

const struct encoding *encoding_of(int number)
{
    const struct encoding *encoding;
    for (unsigned i = 0; (encoding = encoding_list(i)) != NULL; i++)
        if (encoding->number == number)
            return encoding;
    return NULL;
}

struct encoder *encoder_open(void)
{
    return calloc(1, sizeof(struct encoder));
}

void encoder_close(struct encoder *encoder)
{
    if (encoder == NULL)
        return;
    for (unsigned i = 0; i < ENCODER_STREAMS; i++)
        if (encoder->streams[i].is_open)
            deflateEnd(&encoder->streams[i].zlib);
    free(encoder);
}

void encode_header(struct rfb_box box, int encoding, struct buffer *out)
{
    uint8_t header[RFB_HEADER_BYTES];
    rfb_put16(header, box.x);
    rfb_put16(header + 2, box.y);
    rfb_put16(header + 4, box.width);
    rfb_put16(header + 6, box.height);
    rfb_put32(header + 8, (uint32_t)encoding);
    buffer_put(out, header, sizeof header);
}

void encode_copy(struct rfb_box box, unsigned from_x, unsigned from_y, struct buffer *out)
{
    uint8_t from[4];
    rfb_put16(from, from_x);
    rfb_put16(from + 2, from_y);
    encode_header(box, RFB_COPYRECT, out);
    buffer_put(out, from, sizeof from);
}

/* Small windows: what is compressed are blocks of a few kilobytes, and a fleet has thousands of
 * streams. */
enum { WINDOW_BITS = 13, MEMORY_LEVEL = 7 };

static bool stream_ready(struct encoder_stream *stream, int level)
{
    if (!stream->is_open) {
        stream->is_open = deflateInit2(&stream->zlib, level, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                                       Z_DEFAULT_STRATEGY) == Z_OK;
        stream->level = level;
    }
    return stream->is_open;
}

bool stream_put(struct encoder_stream *stream, int level, const void *data, size_t bytes,
                bool flush, struct buffer *out)
{
    if (!stream_ready(stream, level))
        return false;
    z_stream *zlib = &stream->zlib;
    zlib->next_in = (Bytef *)data;
    zlib->avail_in = (uInt)bytes;
    do {
        const size_t room_bytes = bytes / 2 + 256;
        uint8_t *room = buffer_room(out, room_bytes);
        if (room == NULL)
            return false;
        zlib->next_out = room;
        zlib->avail_out = (uInt)room_bytes;
        deflate(zlib, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        out->bytes += room_bytes - zlib->avail_out;
    } while (zlib->avail_in > 0 || zlib->avail_out == 0);
    return true;
}
