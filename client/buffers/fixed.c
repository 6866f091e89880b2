/* The paper's first scheme: one memory block of a fixed size per connection, and a thread for each.
 *
 *    offer                received: copied by value                    copied by value
 *   .-------.    .-------------------------------------------.    .-------------------.
 *   | block |--->| whole frames | unfinished |    room       |--->| processing buffer |
 *   '-------'    '-------------------------------------------'    '-------------------'
 *    of what one    assembly buffer: a frame of the largest          by its own thread
 *    receive brings size and one receive; the unfinished frame
 *                   is moved to the front when room gets short
 *
 * The worker appends behind the frames that the thread works on (threaded_buffer.c). The block is
 * as big as what the other schemes receive at once, block_bytes * blocks_per_receive. Under early
 * binding each connection has its own from attach to detach. Under late binding it is taken from a
 * pool when data is there and given back when the data is copied, so an idle connection holds none.
 *
 * At the cap a connection waits for its buffers first, and for a block only once it has them. So
 * blocks never take the memory that the last buffers would need: there never are more of them than
 * there have been connections with buffers at a time, and the first one is there from the start. */
#include <assert.h>
#include <string.h>

#include "client/buffers/threaded_buffer.h"

struct fixed_stream {
    struct threaded_buffer buffer;
    bool ready; /* the buffer has room for a receive; only the block is missing */
};

static struct fixed_stream *fixed_of(struct stream *stream)
{
    return (struct fixed_stream *)(void *)stream;
}

static void return_block(struct scheme_run *run, struct stream *stream)
{
    scheme_return_blocks(run, stream);
    wait_list_resume(&run->base.waiters);
}

/* ---- receives ------------------------------------------------------------------------------- */

static unsigned fixed_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                            unsigned max)
{
    struct fixed_stream *fixed = fixed_of(stream);
    assert(max >= 1);
    if (!fixed->ready)
        fixed->ready = threaded_buffer_ready(stream);
    if (!fixed->ready || !scheme_blocks_ready(run, stream, 1))
        return 0;
    fixed->ready = false;
    blocks[0] = (struct cp_block){stream->blocks->data, run->receive_bytes};
    return 1;
}

static enum frame_error fixed_received(struct scheme_run *run, struct stream *stream,
                                       struct cp_block *blocks, unsigned count, size_t bytes)
{
    struct cp_block room;
    threaded_buffer_room(stream, &room, 1);
    assert(bytes <= room.bytes);
    memcpy(room.data, stream->blocks->data, bytes);
    fixed_of(stream)->buffer.copied_bytes += bytes;
    if (!run->base.config.early)
        return_block(run, stream);
    return threaded_received(run, stream, blocks, count, bytes);
}

static void fixed_retract(struct scheme_run *run, struct stream *stream)
{
    if (!run->base.config.early)
        return_block(run, stream);
    threaded_retract(run, stream);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void fixed_need(const struct scheme_config *config, uint64_t streams, uint64_t frame_bytes,
                       struct scheme_need *need)
{
    threaded_need(config, streams, "an assembly buffer",
                  pool_block_charge(scheme_receive_bytes(config)), need);
}

static int fixed_open(struct scheme_run *run, char *why, size_t why_bytes)
{
    threaded_open(run, false);
    return scheme_pool_open(&run->base, run->receive_bytes, 1, 1);
}

static bool fixed_attach(struct scheme_run *run, struct stream *stream)
{
    return threaded_attach(run, stream) &&
           (!run->base.config.early || scheme_take_blocks(run, stream, 1));
}

/* Under early binding the stream keeps its block over a lost connection, as it keeps its buffer. */
static void fixed_release(struct scheme_run *run, struct stream *stream, bool ended, uint64_t bytes)
{
    if (ended || !run->base.config.early)
        scheme_return_blocks(run, stream);
    fixed_of(stream)->ready = false;
    threaded_release(run, stream, ended, bytes);
}

const struct scheme scheme_fixed = {
    .summary = "a fixed-size block and a thread per connection, copied by value twice (paper: 1)",
    SCHEME(fixed, fixed_stream),
    .close = threaded_close,
    .finish = threaded_finish,
    .attach = fixed_attach,
};
