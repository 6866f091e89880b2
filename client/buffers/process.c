/* Processes whole frames: copy, check, count. */
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

int processor_reserve(struct processor *processor, size_t bytes)
{
    assert(processor->filled_bytes == 0);
    if (bytes <= processor->capacity_bytes)
        return 0;

    processor_end(processor); /* empty: nothing to move, and never two buffers at once */
    if (!budget_charge(processor->budget, bytes))
        return -1;
    processor->buffer = malloc(bytes);
    if (processor->buffer == NULL) {
        budget_refund(processor->budget, bytes);
        return -1;
    }
    processor->capacity_bytes = bytes;
    return 0;
}

/* In the middle of a frame: doubles the buffer, up to the largest frame. */
static int grow(struct processor *processor, size_t bytes)
{
    const size_t most = processor->config->frame_bytes_max;
    size_t capacity = processor->capacity_bytes > most / 2 ? most : 2 * processor->capacity_bytes;

    if (capacity < bytes)
        capacity = bytes;
    if (!budget_charge(processor->budget, capacity - processor->capacity_bytes))
        return -1;
    uint8_t *buffer = realloc(processor->buffer, capacity);
    if (buffer == NULL) {
        budget_refund(processor->budget, capacity - processor->capacity_bytes);
        return -1;
    }
    processor->buffer = buffer;
    processor->capacity_bytes = capacity;
    return 0;
}

int processor_append(struct processor *processor, const uint8_t *piece, size_t bytes)
{
    const size_t filled = processor->filled_bytes + bytes;

    assert(filled <= processor->config->frame_bytes_max);
    if (filled > processor->capacity_bytes && grow(processor, filled) != 0) {
        processor->filled_bytes = 0;
        return -1;
    }
    memcpy(processor->buffer + processor->filled_bytes, piece, bytes);
    processor->filled_bytes = filled;
    processor->copied_bytes += bytes;
    return 0;
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

static enum frame_error check(const struct processor *processor, const uint8_t *frame, size_t bytes,
                              const struct stream *stream, struct protocol_header *header)
{
    const struct process_config *config = processor->config;
    const bool is_header =
        bytes >= PROTOCOL_HEADER_BYTES && protocol_header_read(frame, &config->marker, header) == 0;
    enum frame_error error = processor_judge(processor, stream, is_header ? header : NULL, bytes);

    if (error == FRAME_OK && config->verify == VERIFY_FULL &&
        protocol_frame_check(frame, (uint32_t)bytes, &config->marker) != header->check)
        error = FRAME_BAD_CHECK;
    return error;
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
    struct protocol_header header = {0};
    enum frame_error error = FRAME_OK;

    assert(bytes > 0);
    if (processor->config->verify != VERIFY_NONE)
        error = check(processor, frame, bytes, stream, &header);
    if (error == FRAME_OK)
        processor_count(processor, stream, header.sent_ns, bytes);
    return error;
}

enum frame_error processor_finish(struct processor *processor, struct stream *stream)
{
    const size_t bytes = processor->filled_bytes;

    processor->filled_bytes = 0;
    return process_in_place(processor, stream, processor->buffer, bytes);
}
