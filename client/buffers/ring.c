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
 * blocks_per_receive, as much as the other schemes receive at once; channel.c does the rest. A
 * connection has its queue from attach on under early binding, from its first data on under late
 * binding. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/buffers/threaded_buffer.h"
#include "client/buffers/schemes.h"

struct scheme_run {
    struct threaded_run channels;
};

static struct threaded_buffer *ring_of(struct stream *stream)
{
    return (struct threaded_buffer *)(void *)stream;
}

static struct threaded_shape shape_for(const struct scheme_config *config)
{
    const size_t receive_bytes = config->block_bytes * config->blocks_per_receive;

    return (struct threaded_shape){
        .circular = true,
        .buffer_bytes = threaded_buffer_buffer_bytes(config, receive_bytes),
        .receive_bytes = receive_bytes,
        .state_bytes = sizeof(struct threaded_buffer),
    };
}

static uint64_t ring_memory(const struct scheme_config *config, uint64_t streams,
                            uint64_t frame_bytes)
{
    const struct threaded_shape shape = shape_for(config);
    const uint64_t bytes = streams * threaded_buffer_memory(config, &shape);

    (void)frame_bytes;
    return bytes < config->pool_cap_bytes ? bytes : config->pool_cap_bytes;
}

static int check_cap(const struct scheme_config *config, char *why, size_t why_bytes)
{
    const struct threaded_shape shape = shape_for(config);
    const uint64_t channels = config->early ? config->streams_max : 1;
    const uint64_t least = channels * threaded_buffer_memory(config, &shape);

    if (config->pool_cap_bytes >= least)
        return 0;
    snprintf(why, why_bytes,
             "scheme ring needs a cap of at least %llu bytes: %zu for a queue and %zu for a "
             "processing buffer (one frame), %s",
             (unsigned long long)least, shape.buffer_bytes, config->process.frame_bytes_max,
             config->early ? "for each connection (early binding)" : "one of each");
    return -1;
}

static int ring_open(const struct scheme_config *config, struct scheme_run **opened, char *why,
                     size_t why_bytes)
{
    const struct threaded_shape shape = shape_for(config);

    if (check_cap(config, why, why_bytes) != 0)
        return -1;
    snprintf(why, why_bytes, "scheme ring: no memory");
    struct scheme_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return -1;
    if (threaded_run_open(&run->channels, config, &shape) != 0) {
        free(run);
        return -1;
    }
    *opened = run;
    return 0;
}

static void ring_close(struct scheme_run *run, struct scheme_figures *figures)
{
    threaded_run_finish(&run->channels, figures);
    threaded_run_close(&run->channels);
    free(run);
}

static struct stream *ring_attach(struct scheme_run *run, void *owner, uint64_t frames_expected,
                                  uint64_t bytes_expected)
{
    struct threaded_buffer *ring =
        threaded_buffer_attach(&run->channels, owner, frames_expected, bytes_expected);

    return ring == NULL ? NULL : &ring->stream;
}

static void ring_detach(struct scheme_run *run, struct stream *stream)
{
    (void)run;
    threaded_buffer_detach(ring_of(stream));
}

static unsigned ring_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                           unsigned max)
{
    struct cp_block pieces[2];

    (void)run;
    assert(max >= 1);
    if (!threaded_buffer_ready(ring_of(stream)))
        return 0;
    const unsigned count = threaded_buffer_room(ring_of(stream), pieces);
    blocks[0] = pieces[0];
    if (count == 1 || max == 1)
        return 1;
    blocks[1] = pieces[1];
    return 2;
}

static enum frame_error ring_received(struct scheme_run *run, struct stream *stream,
                                      struct cp_block *blocks, unsigned count, size_t bytes)
{
    (void)run;
    (void)blocks;
    (void)count;
    return threaded_buffer_received(ring_of(stream), bytes);
}

static void ring_retract(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                         unsigned count)
{
    (void)run;
    (void)blocks;
    (void)count;
    threaded_buffer_retract(ring_of(stream));
}

static void ring_rewind(struct scheme_run *run, struct stream *stream, uint64_t bytes)
{
    (void)run;
    (void)bytes;
    assert(bytes == stream->partial_bytes);
    threaded_buffer_rewind(ring_of(stream));
}

const struct scheme scheme_ring = {
    .name = "ring",
    .summary = "a circular queue and a thread per connection, copied out by value (paper: 2)",
    .memory = ring_memory,
    .open = ring_open,
    .close = ring_close,
    .attach = ring_attach,
    .detach = ring_detach,
    .rewind = ring_rewind,
    .offer = ring_offer,
    .received = ring_received,
    .retract = ring_retract,
};
