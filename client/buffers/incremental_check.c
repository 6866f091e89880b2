/* Checks frames piece by piece. */
#include "client/buffers/incremental_check.h"

#include <assert.h>
#include <string.h>

int incremental_check_open(struct incremental_check *check, const struct process_config *config)
{
    if (config->verify != VERIFY_FULL)
        return 0;
    check->digest = protocol_check_open();
    return check->digest != NULL ? 0 : -1;
}

void incremental_check_close(struct incremental_check *check)
{
    protocol_check_close(check->digest);
    check->digest = NULL;
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

static enum frame_error finish(struct incremental_check *check, struct processor *processor,
                               struct stream *stream)
{
    const struct protocol_header *header = check->is_header ? &check->header : NULL;
    const size_t bytes = (size_t)check->bytes;
    enum frame_error error = FRAME_OK;

    check->bytes = 0;
    if (processor->config->verify != VERIFY_NONE)
        error = processor_judge(processor, stream, header, bytes);
    if (error == FRAME_OK && check->digest != NULL &&
        protocol_check_value(check->digest) != check->header.check)
        error = FRAME_BAD_CHECK;
    if (error == FRAME_OK)
        processor_count(processor, stream, check->header.sent_ns, bytes);
    return error;
}

void incremental_check_rewind(struct incremental_check *check)
{
    check->bytes = 0;
}

enum frame_error incremental_check_feed(struct incremental_check *check,
                                        struct processor *processor, struct stream *stream,
                                        const uint8_t *piece, size_t bytes, bool whole)
{
    assert(bytes > 0);
    if (whole && check->bytes == 0)
        return process_in_place(processor, stream, piece, bytes);
    if (processor->config->verify != VERIFY_NONE && check->bytes < PROTOCOL_HEADER_BYTES) {
        const size_t part = take_header(check, processor, piece, bytes);
        check->bytes += part;
        piece += part;
        bytes -= part;
    }
    if (bytes > 0)
        add_payload(check, processor, piece, bytes);
    check->bytes += bytes;
    return whole ? finish(check, processor, stream) : FRAME_OK;
}
