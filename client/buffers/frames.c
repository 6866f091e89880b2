/* Finds frames among received bytes and notifies the collector of what processing them gave. */
#include "client/buffers/frames.h"

#include <assert.h>

enum frame_error frames_find(const struct scheme_config *config, struct stream *stream,
                             const uint8_t *piece, size_t bytes, size_t *end, size_t *frame_bytes)
{
    assert(bytes > 0);
    if (stream->found_frames == stream->frames_expected)
        return FRAME_SURPLUS;

    *end = marker_find(&config->marker, &stream->marker, piece, bytes);
    const size_t searched = *end > 0 ? *end : bytes;
    stream->partial_bytes += searched;
    if (stream->partial_bytes > config->process.frame_bytes_max)
        return FRAME_OVERLONG;
    stream->scanned_bytes += searched;
    if (*end > 0) {
        *frame_bytes = stream->partial_bytes;
        stream->partial_bytes = 0;
        stream->found_frames++;
    }
    return FRAME_OK;
}

struct progress frames_progress(const struct stream *stream)
{
    return (struct progress){stream->processed_frames, stream->error};
}

void frames_notify_progress(struct stream *stream, const struct scheme_events *events,
                            const struct progress *before)
{
    if (before->error == FRAME_OK && stream->error != FRAME_OK)
        events->failed(events->context, stream);
    else if (before->frames < stream->frames_expected &&
             stream->processed_frames >= stream->frames_expected)
        events->finished(events->context, stream);
}

void frames_append(struct processor *processor, struct stream *stream,
                   const struct scheme_events *events, const uint8_t *piece, size_t bytes)
{
    if (stream->error != FRAME_OK || processor_append(processor, piece, bytes) == 0)
        return;
    stream->error = FRAME_NO_MEMORY;
    events->failed(events->context, stream);
}

void frames_finish(struct processor *processor, struct stream *stream,
                   const struct scheme_events *events)
{
    const struct progress before = frames_progress(stream);

    if (stream->error != FRAME_OK)
        return;
    stream->error = processor_finish(processor, stream);
    frames_notify_progress(stream, events, &before);
}
