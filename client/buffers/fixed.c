/* The paper's first scheme: one memory block of a fixed size per connection, and a thread for each.
 *
 *    offer                received: copied by value                    copied by value
 *   .-------.    .-------------------------------------------.    .-------------------.
 *   | block |--->| whole frames | unfinished |    room       |--->| processing buffer |
 *   '-------'    '-------------------------------------------'    '-------------------'
 *    of what one    assembly buffer: a frame of the largest          by its own thread
 *    receive brings size and one receive; what is unfinished
 *                   is moved to the front when room gets short
 *
 * The worker appends behind the frames that the thread works on (channel.c). The block is as big as
 * what the other schemes receive at once, block_bytes * blocks_per_receive. Under early binding
 * each connection has its own from attach to detach; under late binding it is taken from a pool
 * when data is there and given back when that is copied, so that an idle connection holds none.
 *
 * At the cap a connection waits for its buffers first, and for a block only once it has them. So
 * blocks never take the memory that the last buffers would need: there never are more of them than
 * there have been connections with buffers at a time, and the first one is there from the start. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/buffers/pool.h"
#include "client/buffers/threaded_buffer.h"
#include "client/buffers/schemes.h"

struct fixed_stream {
    struct threaded_buffer channel;
    struct waiter waiting; /* for a block */
    struct block *block;
    bool ready; /* the channel has room for a receive; a block is all that lacks */
    uint64_t copied_bytes;
};

struct scheme_run {
    struct threaded_run channels;
    struct pool *pool;
    struct wait_list waiters; /* for blocks */
};

static struct fixed_stream *fixed_of(struct stream *stream)
{
    return (struct fixed_stream *)(void *)stream;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static bool take_block(void *context, struct stream *stream, unsigned want)
{
    struct scheme_run *run = context;
    struct fixed_stream *fixed = fixed_of(stream);
    unsigned count;

    if (fixed->block == NULL)
        fixed->block = pool_take(run->pool, want, 0, &count);
    return fixed->block != NULL;
}

static uint64_t free_blocks(void *context)
{
    const struct scheme_run *run = context;

    return pool_blocks_free(run->pool);
}

static void return_block(struct scheme_run *run, struct fixed_stream *fixed)
{
    struct block_batch batch = {0};

    if (fixed->block == NULL)
        return;
    block_batch_add(&batch, fixed->block);
    block_batch_flush(&batch, run->pool);
    fixed->block = NULL;
    wait_list_resume(&run->waiters);
}

/* ---- receives ------------------------------------------------------------------------------- */

static unsigned fixed_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                            unsigned max)
{
    struct fixed_stream *fixed = fixed_of(stream);

    assert(max >= 1);
    if (!fixed->ready)
        fixed->ready = threaded_buffer_ready(&fixed->channel);
    if (!fixed->ready ||
        (!take_block(run, stream, 1) && wait_list_wait(&run->waiters, &fixed->waiting, 1)))
        return 0;
    fixed->ready = false;
    blocks[0] = (struct cp_block){fixed->block->data, run->channels.shape.receive_bytes};
    return 1;
}

static enum frame_error fixed_received(struct scheme_run *run, struct stream *stream,
                                       struct cp_block *blocks, unsigned count, size_t bytes)
{
    struct fixed_stream *fixed = fixed_of(stream);
    struct cp_block room[2];

    (void)blocks;
    (void)count;
    threaded_buffer_room(&fixed->channel, room);
    assert(bytes <= room[0].bytes);
    memcpy(room[0].data, fixed->block->data, bytes);
    fixed->copied_bytes += bytes;
    if (!run->channels.config.early)
        return_block(run, fixed);
    return threaded_buffer_received(&fixed->channel, bytes);
}

static void fixed_retract(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                          unsigned count)
{
    struct fixed_stream *fixed = fixed_of(stream);

    (void)blocks;
    (void)count;
    if (!run->channels.config.early)
        return_block(run, fixed);
    threaded_buffer_retract(&fixed->channel);
}

/* ---- life ----------------------------------------------------------------------------------- */

static struct threaded_shape shape_for(const struct scheme_config *config)
{
    const size_t receive_bytes = config->block_bytes * config->blocks_per_receive;

    return (struct threaded_shape){
        .circular = false,
        .buffer_bytes = threaded_buffer_buffer_bytes(config, receive_bytes),
        .receive_bytes = receive_bytes,
        .state_bytes = sizeof(struct fixed_stream),
    };
}

static uint64_t memory_for(const struct scheme_config *config, uint64_t streams, uint64_t blocks)
{
    const struct threaded_shape shape = shape_for(config);

    return streams * threaded_buffer_memory(config, &shape) +
           blocks * pool_block_charge(shape.receive_bytes);
}

/* Under late binding as many blocks as workers receive at once: few, and not known here; one at
 * least. */
static uint64_t fixed_memory(const struct scheme_config *config, uint64_t streams,
                             uint64_t frame_bytes)
{
    const uint64_t bytes = memory_for(config, streams, config->early ? streams : 1);

    (void)frame_bytes;
    return bytes < config->pool_cap_bytes ? bytes : config->pool_cap_bytes;
}

static int check_cap(const struct scheme_config *config, char *why, size_t why_bytes)
{
    const struct threaded_shape shape = shape_for(config);
    const uint64_t channels = config->early ? config->streams_max : 1;
    const uint64_t least = memory_for(config, channels, channels);

    if (config->pool_cap_bytes >= least)
        return 0;
    snprintf(
        why, why_bytes,
        "scheme fixed needs a cap of at least %llu bytes: %llu for a receive block, %zu for an "
        "assembly buffer and %zu for a processing buffer (one frame), %s",
        (unsigned long long)least, (unsigned long long)pool_block_charge(shape.receive_bytes),
        shape.buffer_bytes, config->process.frame_bytes_max,
        config->early ? "for each connection (early binding)" : "one of each");
    return -1;
}

static int fixed_open(const struct scheme_config *config, struct scheme_run **opened, char *why,
                      size_t why_bytes)
{
    const struct threaded_shape shape = shape_for(config);

    if (check_cap(config, why, why_bytes) != 0)
        return -1;
    snprintf(why, why_bytes, "scheme fixed: no memory");
    struct scheme_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return -1;
    if (threaded_run_open(&run->channels, config, &shape) != 0)
        goto free_run;
    wait_list_init(&run->waiters, &(struct resource){.free = free_blocks,
                                                     .take = take_block,
                                                     .context = run,
                                                     .events = &run->channels.config.events});
    run->pool = pool_open(&(struct pool_config){.block_bytes = shape.receive_bytes,
                                                .first_blocks = 1,
                                                .batch_blocks = 1,
                                                .budget = &run->channels.budget});
    if (run->pool == NULL)
        goto close_channels;
    *opened = run;
    return 0;

close_channels:
    wait_list_end(&run->waiters);
    threaded_run_close(&run->channels);
free_run:
    free(run);
    return -1;
}

static void fixed_close(struct scheme_run *run, struct scheme_figures *figures)
{
    threaded_run_finish(&run->channels, figures);
    for (uint32_t i = 0; i < run->channels.roster.count; i++)
        figures->copied_bytes += fixed_of(run->channels.roster.streams[i])->copied_bytes;
    figures->buffer_cap_waits += atomic_load(&run->waiters.waits);
    figures->pool_blocks = pool_blocks(run->pool);
    figures->blocks_lost = pool_close(run->pool);
    wait_list_end(&run->waiters);
    threaded_run_close(&run->channels);
    free(run);
}

static void fixed_detach(struct scheme_run *run, struct stream *stream)
{
    struct fixed_stream *fixed = fixed_of(stream);

    wait_list_forget(&run->waiters, &fixed->waiting);
    return_block(run, fixed);
    wait_list_resume(&run->waiters);
    threaded_buffer_detach(&fixed->channel);
}

static struct stream *fixed_attach(struct scheme_run *run, void *owner, uint64_t frames_expected,
                                   uint64_t bytes_expected)
{
    struct threaded_buffer *channel =
        threaded_buffer_attach(&run->channels, owner, frames_expected, bytes_expected);

    if (channel == NULL)
        return NULL;
    struct fixed_stream *fixed = fixed_of(&channel->stream);
    fixed->waiting.stream = &channel->stream;
    if (run->channels.config.early && !take_block(run, &fixed->channel.stream, 1)) {
        threaded_buffer_detach(channel);
        return NULL;
    }
    return &channel->stream;
}

/* Under early binding its block stays with the stream, as its buffer does. */
static void fixed_rewind(struct scheme_run *run, struct stream *stream, uint64_t bytes)
{
    struct fixed_stream *fixed = fixed_of(stream);

    (void)bytes;
    assert(bytes == stream->partial_bytes);
    wait_list_forget(&run->waiters, &fixed->waiting);
    if (!run->channels.config.early)
        return_block(run, fixed);
    wait_list_resume(&run->waiters);
    fixed->ready = false;
    threaded_buffer_rewind(&fixed->channel);
}

const struct scheme scheme_fixed = {
    .name = "fixed",
    .summary = "a fixed-size block and a thread per connection, copied by value twice (paper: 1)",
    .memory = fixed_memory,
    .open = fixed_open,
    .close = fixed_close,
    .attach = fixed_attach,
    .detach = fixed_detach,
    .rewind = fixed_rewind,
    .offer = fixed_offer,
    .received = fixed_received,
    .retract = fixed_retract,
};
