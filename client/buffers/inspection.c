#include "client/buffers/inspection.h"

#include <assert.h>
#include <string.h>

int inspection_open(struct inspection *inspection, const struct process_config *config)
{
    if (config->verify != VERIFY_FULL)
        return 0;
    inspection->check = protocol_check_open();
    return inspection->check != NULL ? 0 : -1;
}

void inspection_close(struct inspection *inspection)
{
    protocol_check_close(inspection->check);
    inspection->check = NULL;
}

uint64_t inspection_memory(const struct process_config *config)
{
    return config->verify == VERIFY_FULL ? PROTOCOL_CHECK_BYTES : 0;
}

static void read_header(struct inspection *inspection, const struct processor *processor,
                        const uint8_t *header)
{
    inspection->is_header =
        protocol_header_read(header, &processor->config->marker, &inspection->header) == 0;
    if (inspection->is_header && inspection->check != NULL)
        protocol_check_begin(inspection->check, header);
}

/* How many of the piece's bytes belong to the header. */
static size_t see_header(struct inspection *inspection, struct processor *processor,
                         const uint8_t *piece, size_t bytes)
{
    const size_t seen = (size_t)inspection->bytes, missing = PROTOCOL_HEADER_BYTES - seen;
    const size_t part = bytes < missing ? bytes : missing;

    inspection->is_header = false;
    if (part == PROTOCOL_HEADER_BYTES) {
        read_header(inspection, processor, piece);
        return part;
    }
    memcpy(inspection->begin + seen, piece, part);
    processor->copied_bytes += part;
    if (part == missing)
        read_header(inspection, processor, inspection->begin);
    return part;
}

/* Where the payload ends is known from the header only: the end marker may begin in this piece and
 * end in the next. If the header is wrong about it, the frame's length will tell. */
static void see_payload(struct inspection *inspection, const struct processor *processor,
                        const uint8_t *piece, size_t bytes)
{
    const uint64_t length = inspection->header.length;
    const unsigned marker_bytes = processor->config->marker.count;
    const uint64_t end = length > marker_bytes ? length - marker_bytes : 0;

    if (inspection->check == NULL || !inspection->is_header || inspection->bytes >= end)
        return;
    if (bytes > end - inspection->bytes)
        bytes = (size_t)(end - inspection->bytes);
    protocol_check_add(inspection->check, piece, bytes);
}

static enum frame_error finish(struct inspection *inspection, struct processor *processor,
                               struct stream *stream)
{
    const struct protocol_header *header = inspection->is_header ? &inspection->header : NULL;
    const size_t bytes = (size_t)inspection->bytes;
    enum frame_error error = FRAME_OK;

    inspection->bytes = 0;
    if (processor->config->verify != VERIFY_NONE)
        error = processor_judge(processor, stream, header, bytes);
    if (error == FRAME_OK && inspection->check != NULL &&
        protocol_check_value(inspection->check) != inspection->header.check)
        error = FRAME_BAD_CHECK;
    if (error == FRAME_OK)
        processor_count(processor, stream, inspection->header.sent_ns, bytes);
    return error;
}

void inspection_rewind(struct inspection *inspection)
{
    inspection->bytes = 0;
}

enum frame_error inspection_see(struct inspection *inspection, struct processor *processor,
                                struct stream *stream, const uint8_t *piece, size_t bytes,
                                bool whole)
{
    assert(bytes > 0);
    if (whole && inspection->bytes == 0)
        return processor_take(processor, stream, piece, bytes);
    if (processor->config->verify != VERIFY_NONE && inspection->bytes < PROTOCOL_HEADER_BYTES) {
        const size_t part = see_header(inspection, processor, piece, bytes);
        inspection->bytes += part;
        piece += part;
        bytes -= part;
    }
    if (bytes > 0)
        see_payload(inspection, processor, piece, bytes);
    inspection->bytes += bytes;
    return whole ? finish(inspection, processor, stream) : FRAME_OK;
}
