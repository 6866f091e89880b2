/* Design notes.
 *
 * A stream sends, in this order of precedence:
 *
 *   piece      bytes in memory: what the socket did not take of live frames, or a damaged frame
 *   tape       what is released of it: all, up to the fault's frame, or what is due
 *   boundary   between two frames: all sent? not due yet? time for the fault? else release or make
 *
 * `released` runs ahead of `counted`: the first says which frame comes next at a boundary, the
 * second which frames the kernel has. Frame ends are not stored anywhere; they follow from
 * protocol_frame_length, so that a tape of millions of small frames costs no index, and one of rate
 * 0 without a fault is released without a walk.
 *
 * A damaged frame is always made in memory, also where the rest comes from a tape: tapes are
 * shared. */
#include "mock_servers/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "base/os.h"

enum {
    SHARE_BYTES = 256 << 10, /* of one round of the loop: then other connections follow */
    BATCH_BYTES = 64 << 10,  /* live frames handed over at once */
    FLOOD_BYTES = PROTOCOL_FRAME_BYTES_MAX + (1 << 20),
    NS_PER_US = 1000,
    PHASES = 1 << 20,
};

/* ---- schedule ---- */

void schedule_start(struct schedule *schedule, const struct protocol_go *go, uint32_t device,
                    uint64_t now_ns, struct os_distance wall)
{
    /* The protocol's own mix serves as the source of chance; its last sequence numbers are those
     * of no frame. */
    double phase = protocol_frame_length(go->seed, UINT64_MAX - device, 0, PHASES - 1);
    schedule->interval_ns = go->rate > 0 ? 1e9 / go->rate : 0;
    schedule->first_ns = (int64_t)now_ns + (int64_t)(schedule->interval_ns * (phase / PHASES));
    schedule->first_ns -= (int64_t)go->ago_ns;
    schedule->wall = wall;
}

void schedule_follow(struct schedule *schedule, struct os_distance wall)
{
    if (os_distance_gap_ns(schedule->wall, wall) > 0)
        schedule->wall = wall;
}

int64_t schedule_due_ns(const struct schedule *schedule, uint64_t seq)
{
    const double far_ns = 4e18; /* 127 years: the slowest rate's last frame lies beyond 64 bits */
    double after_ns = schedule->interval_ns * (double)seq;
    return schedule->first_ns + (int64_t)(after_ns < far_ns ? after_ns : far_ns);
}

static bool schedule_is_due(const struct schedule *schedule, uint64_t seq, uint64_t now_ns)
{
    return schedule_due_ns(schedule, seq) <= (int64_t)now_ns;
}

uint64_t schedule_stamp_ns(const struct schedule *schedule, uint64_t seq, uint64_t now_ns)
{
    int64_t due_ns = schedule->interval_ns > 0 ? schedule_due_ns(schedule, seq) : (int64_t)now_ns;
    return (uint64_t)(due_ns + schedule->wall.min_ns);
}

/* ---- starting and ending ---- */

static uint32_t length_of(const struct stream *stream, uint64_t seq)
{
    return protocol_frame_length(stream->go.seed, seq, stream->go.size_min, stream->go.size_max);
}

void stream_start(struct stream *stream, uint32_t device, uint64_t start_ns)
{
    const struct protocol_go *go = &stream->go;
    const struct fault *fault = stream->fault;
    assert((stream->tape != NULL) == (go->source == PROTOCOL_TAPE));
    assert(go->from < go->frames);
    schedule_start(&stream->schedule, go, device, start_ns, os_wall_distance());
    stream->released = stream->counted = go->from;
    stream->tape_sent = stream->released_bytes = protocol_frames_bytes(go, go->from, UINT64_MAX);
    stream->counted_left = length_of(stream, go->from);
    stream->countable = go->frames;
    if (fault_is_at(fault, FAULT_AT_BYTES)) {
        stream->pace_ns = fault->argument * NS_PER_US;
        stream->done.faults = 1;
    }
    if (fault == NULL || fault->kind->damage == NULL || go->from > 0) {
        stream->fault = NULL;
    } else {
        bool is_half = fault_is_at(fault, FAULT_AT_DEVICE) || fault->argument == FAULT_HALF;
        uint64_t seq = is_half ? go->frames / 2 : fault->argument;
        stream->fault_seq = seq < go->frames ? seq : go->frames - 1;
    }
}

void stream_end(struct stream *stream)
{
    free(stream->piece);
    stream->piece = NULL;
    stream->piece_bytes = stream->piece_sent = 0;
}

/* ---- counting ---- */

static void count(struct stream *stream, uint64_t bytes)
{
    stream->done.bytes += bytes;
    while (bytes > 0 && stream->counted < stream->countable) {
        uint64_t part = bytes < stream->counted_left ? bytes : stream->counted_left;
        bytes -= part;
        stream->counted_left -= part;
        if (stream->counted_left > 0)
            break;
        stream->done.frames++;
        if (++stream->counted < stream->countable)
            stream->counted_left = length_of(stream, stream->counted);
    }
}

/* Counts the bytes that a call has sent. A dripping stream then waits before its next byte. */
static enum stream_state taken(struct stream *stream, int64_t sent, uint64_t now_ns)
{
    if (sent == -EAGAIN)
        return STREAM_BLOCKED;
    if (sent == -EINTR)
        return STREAM_MORE;
    if (sent < 0)
        return STREAM_LOST;
    count(stream, (uint64_t)sent);
    if (stream->pace_ns > 0)
        stream->paced_ns = now_ns + stream->pace_ns;
    return STREAM_MORE;
}

static size_t portion(const struct stream *stream, uint64_t bytes)
{
    uint64_t most = stream->pace_ns > 0 ? 1 : SHARE_BYTES;
    return (size_t)(bytes < most ? bytes : most);
}

static enum stream_state later(struct stream *stream, uint64_t wake_ns)
{
    stream->wake_ns = wake_ns;
    return STREAM_LATER;
}

/* ---- pieces ---- */

static int piece_hold(struct stream *stream, const uint8_t *data, size_t bytes)
{
    assert(stream->piece == NULL && bytes > 0);
    stream->piece = malloc(bytes);
    if (stream->piece == NULL)
        return -1;
    memcpy(stream->piece, data, bytes);
    stream->piece_bytes = bytes;
    return 0;
}

/* More of a frame that does not end, in place of the piece that is over, whose last byte is none
 * of the marker's. */
static enum stream_state piece_flood(struct stream *stream)
{
    uint8_t filler = stream->piece[stream->piece_bytes - 1];
    uint8_t *flood = realloc(stream->piece, BATCH_BYTES);
    if (flood == NULL)
        return STREAM_LOST;
    memset(flood, filler, BATCH_BYTES);
    stream->piece = flood;
    stream->piece_bytes = BATCH_BYTES;
    stream->piece_sent = 0;
    stream->flood_left -= BATCH_BYTES;
    return STREAM_MORE;
}

static enum stream_state after_piece(const struct stream *stream)
{
    return stream->action == ACTION_CONTINUE ? STREAM_MORE : STREAM_FAULT;
}

static enum stream_state piece_step(struct stream *stream, uint64_t now_ns)
{
    size_t bytes = portion(stream, stream->piece_bytes - stream->piece_sent);
    int64_t sent = net_send(stream->socket, stream->piece + stream->piece_sent, bytes);
    enum stream_state state = taken(stream, sent, now_ns);
    if (sent > 0)
        stream->piece_sent += (size_t)sent;
    if (state != STREAM_MORE || stream->piece_sent < stream->piece_bytes)
        return state;
    if (stream->flood_left > 0)
        return piece_flood(stream);
    stream_end(stream);
    return after_piece(stream);
}

/* ---- making ---- */

static void frame_write(const struct stream *stream, uint8_t *frame, uint64_t seq, uint32_t length,
                        uint64_t now_ns)
{
    uint64_t sent_ns = stream->tape == NULL ? schedule_stamp_ns(&stream->schedule, seq, now_ns) : 0;
    protocol_frame_write(frame, length, (uint32_t)seq, sent_ns, stream->go.seed,
                         &stream->go.marker);
}

/* The next frame that is not to be released as it is: the fault's, or the one behind the last. */
static uint64_t release_end(const struct stream *stream)
{
    return stream->fault != NULL ? stream->fault_seq : stream->go.frames;
}

static enum stream_state damaged_step(struct stream *stream, uint64_t now_ns)
{
    const struct fault_kind *kind = stream->fault->kind;
    uint64_t seq = stream->fault_seq;
    uint32_t length = length_of(stream, seq);
    if (scratch_reserve(stream->scratch, length, BATCH_BYTES) < 0)
        return STREAM_LOST;
    frame_write(stream, stream->scratch->data, seq, length, now_ns);
    uint32_t bytes = kind->damage(stream->scratch->data, length, &stream->go);
    if (bytes > 0 && piece_hold(stream, stream->scratch->data, bytes) < 0)
        return STREAM_LOST;
    stream->fault = NULL;
    stream->action = kind->action;
    stream->flood_left = kind->action == ACTION_FLOOD ? FLOOD_BYTES : 0;
    stream->countable = kind->action == ACTION_CONTINUE ? stream->go.frames : seq;
    stream->released++;
    stream->tape_sent += length;
    stream->released_bytes = stream->tape_sent;
    stream->done.faults++;
    return bytes > 0 ? STREAM_MORE : after_piece(stream);
}

static enum stream_state batch_step(struct stream *stream, uint64_t now_ns)
{
    size_t bytes = 0;
    uint64_t end = release_end(stream);
    for (; stream->released < end; stream->released++) {
        uint64_t seq = stream->released;
        uint32_t length = length_of(stream, seq);
        bool is_full = bytes > 0 && bytes + length > BATCH_BYTES;
        if (is_full || !schedule_is_due(&stream->schedule, seq, now_ns))
            break;
        if (scratch_reserve(stream->scratch, length, BATCH_BYTES) < 0)
            return STREAM_LOST;
        frame_write(stream, stream->scratch->data + bytes, seq, length, now_ns);
        bytes += length;
    }
    assert(bytes > 0);
    int64_t sent =
        stream->pace_ns > 0 ? -EINTR : net_send(stream->socket, stream->scratch->data, bytes);
    size_t gone = sent > 0 ? (size_t)sent : 0;
    enum stream_state state = taken(stream, sent, now_ns);
    if (gone < bytes && piece_hold(stream, stream->scratch->data + gone, bytes - gone) < 0)
        return STREAM_LOST;
    return state;
}

/* ---- tape ---- */

static void tape_release(struct stream *stream, uint64_t now_ns)
{
    uint64_t end = release_end(stream);
    if (stream->schedule.interval_ns == 0 && end == stream->go.frames) {
        stream->released = end;
        stream->released_bytes = stream->tape->bytes;
        return;
    }
    while (stream->released < end && schedule_is_due(&stream->schedule, stream->released, now_ns))
        stream->released_bytes += length_of(stream, stream->released++);
}

static enum stream_state tape_step(struct stream *stream, uint64_t now_ns)
{
    size_t bytes = portion(stream, stream->released_bytes - stream->tape_sent);
    int64_t sent = net_store_send(stream->tape->store, stream->tape_sent, bytes, stream->socket);
    if (sent > 0)
        stream->tape_sent += (uint64_t)sent;
    return sent == 0 ? STREAM_LOST : taken(stream, sent, now_ns); /* 0: the store is too short */
}

/* ---- sending ---- */

static enum stream_state boundary_step(struct stream *stream, uint64_t now_ns)
{
    if (stream->released == stream->go.frames)
        return STREAM_DONE;
    if (!schedule_is_due(&stream->schedule, stream->released, now_ns))
        return later(stream, (uint64_t)schedule_due_ns(&stream->schedule, stream->released));
    if (stream->fault != NULL && stream->released == stream->fault_seq)
        return damaged_step(stream, now_ns);
    if (stream->tape == NULL)
        return batch_step(stream, now_ns);
    tape_release(stream, now_ns);
    return STREAM_MORE;
}

static enum stream_state step(struct stream *stream, uint64_t now_ns)
{
    if (stream->paced_ns > now_ns)
        return later(stream, stream->paced_ns);
    if (stream->piece != NULL)
        return piece_step(stream, now_ns);
    if (stream->tape_sent < stream->released_bytes)
        return tape_step(stream, now_ns);
    return boundary_step(stream, now_ns);
}

enum stream_state stream_send(struct stream *stream)
{
    uint64_t now_ns = os_now_ns(), share_end = stream->done.bytes + SHARE_BYTES;
    enum stream_state state;
    if (stream->tape == NULL)
        schedule_follow(&stream->schedule, os_wall_distance());
    do
        state = step(stream, now_ns);
    while (state == STREAM_MORE && stream->done.bytes < share_end);
    return state;
}
