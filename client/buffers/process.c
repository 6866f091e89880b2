/* Finds frames, processes them (copy, check, work, count), and notifies the collector. */
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
    if (stream->found_frames == stream->goal->frames)
        return FRAME_SURPLUS;

    *end = marker_find(&config->marker, &stream->marker, piece, bytes);
    const size_t searched = *end > 0 ? *end : bytes;
    if (stream->partial_bytes + searched > config->process.frame_bytes_max)
        return FRAME_OVERLONG;
    stream->partial_bytes += (uint32_t)searched;
    if (*end > 0) {
        *frame_bytes = stream->partial_bytes;
        stream->found_bytes += *frame_bytes;
        stream->partial_bytes = 0;
        stream->found_frames++;
    }
    return FRAME_OK;
}

size_t frames_end(struct stream *stream)
{
    const size_t bytes = stream->partial_bytes;
    assert(bytes > 0);
    stream->found_bytes += bytes;
    stream->found_frames++;
    stream->partial_bytes = 0;
    stream->marker = (struct marker_state){0};
    return bytes;
}

void frames_notify(struct stream *stream, const struct scheme_events *events)
{
    const bool failed = stream->error != FRAME_OK;
    if (stream->notified || (!failed && stream->processed_frames < stream->goal->frames))
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
    incremental_check_drop(&processor->spare);
    free(processor->buffer);
    budget_refund(processor->budget, processor->capacity_bytes);
    processor->buffer = NULL;
    processor->capacity_bytes = 0;
    processor->filled_bytes = 0;
}

static inline bool works(const struct processor *processor)
{
    return processor->config->work.kind != WORK_NONE;
}

void processor_settle(struct processor *processor)
{
    if (works(processor))
        work_settle(&processor->work, &processor->config->work);
}

void processor_work_bytes(struct processor *processor, const uint8_t *piece, size_t bytes)
{
    if (works(processor))
        work_bytes(&processor->work, &processor->config->work, piece, bytes);
}

void processor_sum_up(struct processor *processor, struct scheme_figures *figures)
{
    processor_settle(processor);
    figures->work_ns += processor->work.done_ns;
    figures->work_given_up |= processor->work.given_up;
    figures->frames += processor->frames;
    figures->bytes += processor->bytes;
    figures->copied_bytes += processor->copied_bytes;
    latency_move(&figures->latency, &processor->latency);
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

/* ---- whole frames --------------------------------------------------------------------------- */

/* What is wrong with a frame of `bytes` that begins with `header` (NULL: without one), its checksum
 * apart. */
static enum frame_error judge(const struct processor *processor, const struct stream *stream,
                              const struct protocol_header *header, size_t bytes)
{
    if (processor->config->verify == VERIFY_NONE)
        return FRAME_OK;
    if (header == NULL || bytes <= PROTOCOL_HEADER_BYTES + processor->config->marker.count)
        return FRAME_BAD_HEADER;
    if (bytes < header->length)
        return FRAME_TRUNCATED;
    if (bytes > header->length)
        return FRAME_BAD_LENGTH;
    return header->seq == (uint32_t)stream->processed_frames ? FRAME_OK : FRAME_BAD_ORDER;
}

/* By the clocks of two machines a frame may come before it was sent. That is no latency. */
static enum frame_error add_latency(struct latency *latency, uint64_t sent_ns,
                                    int64_t clock_ahead_ns)
{
    const int64_t latency_ns = (int64_t)(os_wall_ns() - sent_ns) + clock_ahead_ns;
    if (latency_ns < 0) {
        const uint64_t early_ns = (uint64_t)-latency_ns;
        latency->negative++;
        if (early_ns > latency->negative_ns_max)
            latency->negative_ns_max = early_ns;
        return FRAME_OK;
    }
    return latency_add(latency, (uint64_t)latency_ns) == 0 ? FRAME_OK : FRAME_NO_MEMORY;
}

/* What a frame costs beside its bytes. A stream that finishes leaves no debt. */
static void work_frame(struct processor *processor, const struct stream *stream)
{
    work_record(&processor->work, &processor->config->work);
    if (stream->processed_frames + 1 == stream->goal->frames)
        processor_settle(processor);
}

/* The frame was correct, and the work with it is done. `sent_ns`: 0: not known. */
static enum frame_error count_frame(struct processor *processor, struct stream *stream,
                                    uint64_t sent_ns, size_t bytes)
{
    enum frame_error error = FRAME_OK;
    if (processor->config->live && sent_ns != 0)
        error = add_latency(&processor->latency, sent_ns, stream->goal->clock_ahead_ns);
    if (error != FRAME_OK)
        return error;
    stream->processed_frames++;
    processor->frames++;
    processor->bytes += bytes;
    return FRAME_OK;
}

enum frame_error process_in_place(struct processor *processor, struct stream *stream,
                                  const uint8_t *frame, size_t bytes)
{
    const struct process_config *config = processor->config;
    struct protocol_header header = {0};
    assert(bytes > 0);
    const bool is_header = config->verify != VERIFY_NONE && bytes >= PROTOCOL_HEADER_BYTES &&
                           protocol_header_read(frame, &config->marker, &header) == 0;
    enum frame_error error = judge(processor, stream, is_header ? &header : NULL, bytes);
    if (error == FRAME_OK && config->verify == VERIFY_FULL &&
        protocol_frame_check(frame, (uint32_t)bytes, &config->marker) != header.check)
        error = FRAME_BAD_CHECK;
    if (error != FRAME_OK)
        return error;
    if (works(processor)) {
        work_bytes(&processor->work, &config->work, frame, bytes);
        work_frame(processor, stream);
    }
    return count_frame(processor, stream, header.sent_ns, bytes);
}

/* ---- frames in pieces ----------------------------------------------------------------------- */

/* The processor's spare one or a new one; NULL: no memory. */
static struct incremental_check *check_begin(struct processor *processor)
{
    struct incremental_check *check = processor->spare;
    processor->spare = NULL;
    if (check != NULL)
        return check;
    check = calloc(1, sizeof *check);
    if (check != NULL && processor->config->verify == VERIFY_FULL) {
        check->digest = protocol_check_open();
        if (check->digest == NULL)
            incremental_check_drop(&check);
    }
    return check;
}

/* The next frame in pieces is likely to begin soon, perhaps of another stream. */
static void check_end(struct incremental_check **check, struct processor *processor)
{
    (*check)->bytes = 0;
    incremental_check_drop(&processor->spare);
    processor->spare = *check;
    *check = NULL;
}

void incremental_check_drop(struct incremental_check **check)
{
    if (*check == NULL)
        return;
    protocol_check_close((*check)->digest);
    free(*check);
    *check = NULL;
}

static void read_header(struct incremental_check *check, const struct processor *processor,
                        const uint8_t *header)
{
    check->is_header =
        protocol_header_read(header, &processor->config->marker, &check->header) == 0;
    if (check->is_header && check->digest != NULL)
        protocol_check_begin(check->digest, header);
}

/* Returns how many of the piece's bytes belong to the header. */
static size_t take_header(struct incremental_check *check, struct processor *processor,
                          const uint8_t *piece, size_t bytes)
{
    const size_t seen = (size_t)check->bytes, missing = PROTOCOL_HEADER_BYTES - seen;
    const size_t part = bytes < missing ? bytes : missing;
    check->is_header = false;
    if (part == PROTOCOL_HEADER_BYTES) {
        read_header(check, processor, piece);
        return part;
    }
    memcpy(check->begin + seen, piece, part);
    processor->copied_bytes += part;
    if (part == missing)
        read_header(check, processor, check->begin);
    return part;
}

/* Only the header says where the payload ends: the end marker may begin in this piece and end in
 * the next. If the header is wrong, the frame's length will show it. */
static void add_payload(struct incremental_check *check, const struct processor *processor,
                        const uint8_t *piece, size_t bytes)
{
    const uint64_t length = check->header.length;
    const unsigned marker_bytes = processor->config->marker.count;
    const uint64_t end = length > marker_bytes ? length - marker_bytes : 0;
    if (check->digest == NULL || !check->is_header || check->bytes >= end)
        return;
    if (bytes > end - check->bytes)
        bytes = (size_t)(end - check->bytes);
    protocol_check_add(check->digest, piece, bytes);
}

/* Returns what is wrong with the frame whose pieces have all come. */
static enum frame_error judge_pieces(const struct incremental_check *check,
                                     struct processor *processor, struct stream *stream)
{
    const struct protocol_header *header = check->is_header ? &check->header : NULL;
    const size_t bytes = (size_t)check->bytes;
    enum frame_error error = judge(processor, stream, header, bytes);
    if (error == FRAME_OK && check->digest != NULL &&
        protocol_check_value(check->digest) != check->header.check)
        error = FRAME_BAD_CHECK;
    if (error != FRAME_OK)
        return error;
    if (works(processor))
        work_frame(processor, stream);
    return count_frame(processor, stream, check->header.sent_ns, bytes);
}

enum frame_error incremental_check_end(struct incremental_check **check,
                                       struct processor *processor, struct stream *stream)
{
    assert(*check != NULL);
    const enum frame_error error = judge_pieces(*check, processor, stream);
    check_end(check, processor);
    return error;
}

static void take_piece(struct incremental_check *check, struct processor *processor,
                       const uint8_t *piece, size_t bytes)
{
    processor_work_bytes(processor, piece, bytes);
    if (processor->config->verify != VERIFY_NONE && check->bytes < PROTOCOL_HEADER_BYTES) {
        const size_t part = take_header(check, processor, piece, bytes);
        check->bytes += part;
        piece += part;
        bytes -= part;
    }
    if (bytes > 0)
        add_payload(check, processor, piece, bytes);
    check->bytes += bytes;
}

enum frame_error incremental_check_feed(struct incremental_check **check,
                                        struct processor *processor, struct stream *stream,
                                        const uint8_t *piece, size_t bytes, bool whole)
{
    assert(bytes > 0);
    if (whole && *check == NULL)
        return process_in_place(processor, stream, piece, bytes);
    if (*check == NULL)
        *check = check_begin(processor);
    if (*check == NULL)
        return FRAME_NO_MEMORY;
    take_piece(*check, processor, piece, bytes);
    return whole ? incremental_check_end(check, processor, stream) : FRAME_OK;
}
