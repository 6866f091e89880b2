/* The paper's second scheme: a circular queue per connection, and a thread for each.
 *
 *    .----> [port] receives straight into the free part, one piece or, around the end, two
 *    |            |
 *  offer          v received: end markers found
 *    |      .---------------------------------.    copied by value     .-------------------.
 *    '------| ...free | whole frames | unfin. |----------------------->| processing buffer |
 *           '---------------------------------'   by its own thread    '-------------------'
 *
 * The queue holds one frame of the largest size and one receive of block_bytes *
 * blocks_per_receive, as much as the other schemes receive at once; threaded_buffer.c does the
 * rest. A connection has its queue from attach on under early binding, from its first data on
 * under late binding. */
#include "client/buffers/threaded_buffer.h"

static void ring_need(const struct scheme_config *config, uint64_t streams, uint64_t frame_bytes,
                      struct scheme_need *need)
{
    threaded_need(config, streams, "a queue", 0, need);
}

static int ring_open(struct scheme_run *run, char *why, size_t why_bytes)
{
    threaded_open(run, true);
    return 0;
}

static unsigned ring_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                           unsigned max)
{
    return threaded_buffer_ready(stream) ? threaded_buffer_room(stream, blocks, max) : 0;
}

const struct scheme scheme_ring = {
    .name = "ring",
    .summary = "a circular queue and a thread per connection, copied out by value (paper: 2)",
    .run_bytes = sizeof(struct scheme_run),
    .stream_bytes = sizeof(struct threaded_buffer),
    .need = ring_need,
    .open = ring_open,
    .close = threaded_close,
    .finish = threaded_finish,
    .attach = threaded_attach,
    .release = threaded_release,
    .offer = ring_offer,
    .received = threaded_received,
    .retract = threaded_retract,
};
