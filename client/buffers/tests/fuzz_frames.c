/* What a server sends, cut into any pieces: each way to look for markers and to check frames finds
 * the same frames and the same first error as one look at the whole.
 *
 * The input: marker, limits, cuts, then the stream: frames as a server of ours makes them, some
 * bytes of them changed, or the input's own bytes. */
#include "base/tests/fuzz.h"

#include "client/buffers/scheme.h"

enum { STREAM_BYTES_MAX = 4096, FRAMES_MAX = 4, CUTS = 8, CHANGES_MAX = 4 };

struct input {
    struct scheme_config config;
    struct stream_goal goal;
    uint8_t cuts[CUTS]; /* bytes of the pieces, over and over; 0: all that is left */
    uint8_t stream[STREAM_BYTES_MAX];
    size_t bytes;
};

/* What came of a stream. */
struct outcome {
    uint64_t frames, bytes;
    enum frame_error error;
};

/* ---- the input ------------------------------------------------------------------------------ */

static void marker_read(struct input *input, const uint8_t **data, size_t *bytes)
{
    struct protocol_marker *marker = &input->config.process.marker;
    marker->count = 1 + fuzz_byte(data, bytes) % PROTOCOL_MARKER_BYTES_MAX;
    for (unsigned i = 0; i < marker->count; i++)
        marker->bytes[i] = fuzz_byte(data, bytes);
    marker_init(&input->config.marker, marker->bytes, marker->count);
}

static void frames_make(struct input *input, const uint8_t **data, size_t *bytes)
{
    unsigned frames = 1 + fuzz_byte(data, bytes) % FRAMES_MAX;
    for (uint32_t seq = 0; seq < frames; seq++) {
        uint32_t length = PROTOCOL_FRAME_BYTES_MIN + fuzz_byte(data, bytes);
        protocol_frame_write(input->stream + input->bytes, length, seq, 0, 1,
                             &input->config.process.marker);
        input->bytes += length;
    }
    for (unsigned i = fuzz_byte(data, bytes) % CHANGES_MAX; i > 0; i--) {
        size_t at = fuzz_byte(data, bytes) << 8;
        at = (at | fuzz_byte(data, bytes)) % input->bytes;
        input->stream[at] = fuzz_byte(data, bytes);
    }
}

static void input_read(struct input *input, const uint8_t *data, size_t bytes)
{
    memset(input, 0, sizeof *input);
    marker_read(input, &data, &bytes);
    uint8_t flags = fuzz_byte(&data, &bytes);
    input->config.process.verify = flags % 3;
    input->config.process.frame_bytes_max = 1 + fuzz_byte(&data, &bytes) * 4U;
    uint8_t frames = fuzz_byte(&data, &bytes);
    input->goal =
        (struct stream_goal){.frames = frames == 0 ? UINT64_MAX : frames, .bytes = UINT64_MAX};
    for (unsigned i = 0; i < CUTS; i++)
        input->cuts[i] = fuzz_byte(&data, &bytes);
    if (flags & 0x80)
        frames_make(input, &data, &bytes);
    size_t own = bytes < STREAM_BYTES_MAX - input->bytes ? bytes : STREAM_BYTES_MAX - input->bytes;
    if (own > 0)
        memcpy(input->stream + input->bytes, data, own);
    input->bytes += own;
}

static size_t piece_bytes(const struct input *input, size_t at, unsigned number)
{
    size_t left = input->bytes - at, cut = input->cuts[number % CUTS];
    return cut == 0 || cut > left ? left : cut;
}

/* ---- one look at the whole ------------------------------------------------------------------ */

static size_t whole_frame(const struct input *input, size_t at)
{
    const struct protocol_marker *marker = &input->config.process.marker;
    const uint8_t *found =
        memmem(input->stream + at, input->bytes - at, marker->bytes, marker->count);
    return found == NULL ? 0 : (size_t)(found - input->stream) - at + marker->count;
}

static struct outcome whole_look(const struct input *input, struct processor *processor)
{
    struct stream stream = {.goal = &input->goal};
    const uint64_t bytes_before = processor->bytes;
    enum frame_error error = FRAME_OK;
    for (size_t at = 0, bytes; error == FRAME_OK && at < input->bytes; at += bytes) {
        bytes = whole_frame(input, at);
        if (stream.processed_frames == input->goal.frames)
            error = FRAME_SURPLUS;
        else if ((bytes > 0 ? bytes : input->bytes - at) > input->config.process.frame_bytes_max)
            error = FRAME_OVERLONG;
        else if (bytes == 0)
            break;
        else
            error = process_in_place(processor, &stream, input->stream + at, bytes);
    }
    return (struct outcome){stream.processed_frames, processor->bytes - bytes_before, error};
}

/* ---- in pieces ------------------------------------------------------------------------------ */

/* Takes the next bytes of the current frame, with `whole` its last ones. */
typedef enum frame_error take_piece(void *way, struct processor *processor, struct stream *stream,
                                    const uint8_t *piece, size_t bytes, bool whole);

static enum frame_error take_copies(void *way, struct processor *processor, struct stream *stream,
                                    const uint8_t *piece, size_t bytes, bool whole)
{
    processor_append(processor, stream, piece, bytes);
    if (whole)
        processor_finish(processor, stream);
    return stream->error;
}

static enum frame_error take_in_place(void *way, struct processor *processor, struct stream *stream,
                                      const uint8_t *piece, size_t bytes, bool whole)
{
    return incremental_check_feed(way, processor, stream, piece, bytes, whole);
}

static struct outcome look_in_pieces(const struct input *input, take_piece *take, void *way,
                                     struct processor *processor)
{
    struct stream stream = {.goal = &input->goal};
    const uint64_t bytes_before = processor->bytes;
    enum frame_error error = FRAME_OK;
    unsigned number = 0;
    for (size_t at = 0, bytes; error == FRAME_OK && at < input->bytes; at += bytes) {
        bytes = piece_bytes(input, at, number++);
        for (size_t used = 0, end, frame_bytes; error == FRAME_OK && used < bytes;) {
            const uint8_t *piece = input->stream + at + used;
            size_t left = bytes - used;
            error = frames_find(&input->config, &stream, piece, left, &end, &frame_bytes);
            size_t part = end > 0 ? end : left;
            if (error == FRAME_OK)
                error = take(way, processor, &stream, piece, part, end > 0);
            used += part;
        }
    }
    return (struct outcome){stream.processed_frames, processor->bytes - bytes_before, error};
}

static void same(struct outcome a, struct outcome b)
{
    assert(a.frames == b.frames && a.bytes == b.bytes && a.error == b.error);
}

int fuzz_input(const uint8_t *data, size_t bytes)
{
    static struct input input;
    struct budget budget;
    struct processor processor;
    struct incremental_check *check = NULL;
    input_read(&input, data, bytes);
    budget_init(&budget, UINT64_MAX);
    processor_init(&processor, &input.config.process, &budget);
    struct outcome whole = whole_look(&input, &processor);
    for (unsigned code = 0; marker_use(&input.config.marker, code); code++) {
        same(whole, look_in_pieces(&input, take_copies, NULL, &processor));
        processor_end(&processor);
        same(whole, look_in_pieces(&input, take_in_place, &check, &processor));
        incremental_check_drop(&check);
    }
    processor_end(&processor);
    return 0;
}
