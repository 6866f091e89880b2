#include "client/buffers/frames.h"

#include <assert.h>

enum frame_error frames_find(const struct scheme_config *config, struct stream *stream,
                             const uint8_t *piece, size_t bytes, size_t *end, size_t *frame_bytes)
{
    assert(bytes > 0);
    if (stream->found_frames == stream->frames_expected)
        return FRAME_SURPLUS;

    *end = marker_find(&config->marker, &stream->marker, piece, bytes);
    stream->partial_bytes += *end > 0 ? *end : bytes;
    if (stream->partial_bytes > config->process.frame_bytes_max)
        return FRAME_OVERLONG;
    if (*end > 0) {
        *frame_bytes = stream->partial_bytes;
        stream->partial_bytes = 0;
        stream->found_frames++;
    }
    return FRAME_OK;
}

void frames_rewind(struct stream *stream)
{
    assert(stream->received_bytes >= stream->partial_bytes);
    stream->received_bytes -= stream->partial_bytes;
    stream->partial_bytes = 0;
    stream->marker = (struct marker_state){0};
}

static void fail(struct stream *stream, const struct scheme_events *events, enum frame_error error)
{
    assert(stream->error == FRAME_OK);
    stream->error = error;
    events->failed(events->context, stream);
}

void frames_append(struct processor *processor, struct stream *stream,
                   const struct scheme_events *events, const uint8_t *piece, size_t bytes)
{
    if (stream->error == FRAME_OK && processor_append(processor, piece, bytes) != 0)
        fail(stream, events, FRAME_NO_MEMORY);
}

void frames_finish(struct processor *processor, struct stream *stream,
                   const struct scheme_events *events)
{
    if (stream->error != FRAME_OK)
        return;
    enum frame_error error = processor_finish(processor, stream);
    if (error != FRAME_OK)
        fail(stream, events, error);
    else if (stream->processed_frames == stream->frames_expected)
        events->finished(events->context, stream);
}

void frames_notify_progress(struct stream *stream, const struct scheme_events *events,
                            uint64_t frames, enum frame_error error)
{
    if (error == FRAME_OK && stream->error != FRAME_OK)
        events->failed(events->context, stream);
    else if (frames < stream->frames_expected &&
             stream->processed_frames >= stream->frames_expected)
        events->finished(events->context, stream);
}
