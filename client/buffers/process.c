/* Finds frames, processes them (copy, check, count), and notifies the collector. */
#include "client/buffers/process.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/buffers/pool.h"
#include "client/buffers/scheme.h"
#include "base/os.h"

#define ERROR_NAME(name, text) text,
static const char *const error_names[] = {FRAME_ERRORS(ERROR_NAME)};

const char *frame_error_name(enum frame_error error)
{
    assert((unsigned)error < FRAME_ERROR_COUNT);
    return error_names[error];
}

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

void frames_notify(struct stream *stream, const struct scheme_events *events)
{
    const bool failed = stream->error != FRAME_OK;

    if (stream->notified || (!failed && stream->processed_frames < stream->frames_expected))
        return;
    stream->notified = true;
    if (failed)
        events->failed(events->context, stream);
    else
        events->finished(events->context, stream);
}

void processor_init(struct processor *processor, const struct process_config *config,
                    struct budget *budget)
{
    *processor = (struct processor){.config = config, .budget = budget};
}

void processor_end(struct processor *processor)
{
    free(processor->buffer);
    budget_refund(processor->budget, processor->capacity_bytes);
    processor->buffer = NULL;
    processor->capacity_bytes = 0;
    processor->filled_bytes = 0;
}

void processor_sum_up(const struct processor *processor, struct scheme_figures *figures)
{
    figures->frames += processor->frames;
    figures->bytes += processor->bytes;
    figures->copied_bytes += processor->copied_bytes;
    latency_merge(&figures->latency, &processor->latency);
}

static int set_capacity(struct processor *processor, size_t bytes)
{
    uint8_t *buffer =
        budget_realloc(processor->budget, processor->buffer, processor->capacity_bytes, bytes);

    if (buffer == NULL)
        return -1;
    processor->buffer = buffer;
    processor->capacity_bytes = bytes;
    return 0;
}

int processor_reserve(struct processor *processor, size_t bytes)
{
    assert(processor->filled_bytes == 0);
    if (bytes <= processor->capacity_bytes)
        return 0;
    processor_end(processor); /* empty: nothing to move, and never two buffers at once */
    return set_capacity(processor, bytes);
}

/* In the middle of a frame: doubles the buffer, up to the largest frame. */
static int grow(struct processor *processor, size_t bytes)
{
    const size_t most = processor->config->frame_bytes_max, now = processor->capacity_bytes;
    const size_t capacity = now > most / 2 ? most : 2 * now;

    return set_capacity(processor, capacity < bytes ? bytes : capacity);
}

void processor_append(struct processor *processor, struct stream *stream, const uint8_t *piece,
                      size_t bytes)
{
    const size_t filled = processor->filled_bytes + bytes;

    if (stream->error != FRAME_OK)
        return;
    assert(filled <= processor->config->frame_bytes_max);
    if (filled > processor->capacity_bytes && grow(processor, filled) != 0) {
        processor->filled_bytes = 0;
        stream->error = FRAME_NO_MEMORY;
        return;
    }
    memcpy(processor->buffer + processor->filled_bytes, piece, bytes);
    processor->filled_bytes = filled;
    processor->copied_bytes += bytes;
}

void processor_finish(struct processor *processor, struct stream *stream)
{
    const size_t bytes = processor->filled_bytes;

    if (stream->error != FRAME_OK)
        return;
    processor->filled_bytes = 0;
    stream->error = process_in_place(processor, stream, processor->buffer, bytes);
}

enum frame_error processor_judge(const struct processor *processor, const struct stream *stream,
                                 const struct protocol_header *header, size_t bytes)
{
    if (header == NULL || bytes <= PROTOCOL_HEADER_BYTES + processor->config->marker.count)
        return FRAME_BAD_HEADER;
    if (bytes < header->length)
        return FRAME_TRUNCATED;
    if (bytes > header->length)
        return FRAME_BAD_LENGTH;
    return header->seq == stream->next_seq ? FRAME_OK : FRAME_BAD_ORDER;
}

void processor_count(struct processor *processor, struct stream *stream, uint64_t sent_ns,
                     size_t bytes)
{
    const struct process_config *config = processor->config;

    if (config->live && config->verify != VERIFY_NONE && sent_ns != 0) {
        /* Clocks of two machines may differ: a frame from the future took no time. */
        const uint64_t now_ns = os_wall_ns();
        latency_add(&processor->latency, now_ns > sent_ns ? now_ns - sent_ns : 0);
    }
    stream->next_seq++;
    stream->processed_frames++;
    stream->processed_bytes += bytes;
    processor->frames++;
    processor->bytes += bytes;
}

enum frame_error process_in_place(struct processor *processor, struct stream *stream,
                                  const uint8_t *frame, size_t bytes)
{
    const struct process_config *config = processor->config;
    struct protocol_header header = {0};
    enum frame_error error = FRAME_OK;

    assert(bytes > 0);
    if (config->verify != VERIFY_NONE) {
        const bool is_header = bytes >= PROTOCOL_HEADER_BYTES &&
                               protocol_header_read(frame, &config->marker, &header) == 0;
        error = processor_judge(processor, stream, is_header ? &header : NULL, bytes);
    }
    if (error == FRAME_OK && config->verify == VERIFY_FULL &&
        protocol_frame_check(frame, (uint32_t)bytes, &config->marker) != header.check)
        error = FRAME_BAD_CHECK;
    if (error == FRAME_OK)
        processor_count(processor, stream, header.sent_ns, bytes);
    return error;
}
