/* zlib streams of Tight and ZRLE. */
#include "client/monitor/rfb/inflater.h"

#include <stdlib.h>

#include "client/monitor/rfb/rfb.h"

static void *take(void *opaque, uInt items, uInt bytes)
{
    return calloc(items, bytes);
}

static void give(void *opaque, void *memory)
{
    free(memory);
}

void inflater_close(struct inflater *inflater)
{
    if (inflater->open)
        inflateEnd(&inflater->stream);
    inflater->open = false;
}

void inflater_reset(struct inflater *inflater)
{
    if (inflater->open)
        inflateReset(&inflater->stream);
}

static bool opened(struct inflater *inflater)
{
    if (!inflater->open) {
        inflater->stream = (z_stream){.zalloc = take, .zfree = give};
        inflater->open = inflateInit(&inflater->stream) == Z_OK;
        /* The streams of RFB never end, so their checksum never comes. */
        if (inflater->open)
            inflateValidate(&inflater->stream, 0);
    }
    return inflater->open;
}

int64_t inflater_run(struct inflater *inflater, const uint8_t **data, size_t *bytes, uint8_t *into,
                     size_t room)
{
    if (!opened(inflater))
        return RFB_NO_MEMORY;
    z_stream *stream = &inflater->stream;
    stream->next_in = (z_const Bytef *)(uintptr_t)*data;
    stream->avail_in = (uInt)*bytes;
    stream->next_out = into;
    stream->avail_out = (uInt)room;
    const int result = inflate(stream, Z_SYNC_FLUSH);
    *data = stream->next_in;
    *bytes = stream->avail_in;
    if (result == Z_MEM_ERROR)
        return RFB_NO_MEMORY;
    /* Z_BUF_ERROR: there was nothing to do. */
    const bool sound = result == Z_OK || result == Z_BUF_ERROR || result == Z_STREAM_END;
    if (!sound || (stream->avail_out > 0 && stream->avail_in > 0))
        return RFB_BAD_ZLIB;
    return (int64_t)(room - stream->avail_out);
}
