/* Receives and discards: what the port and the kernel can do, and so the ceiling for the other
 * schemes.
 *
 *    pool (hot)   offer                     received
 *      block ------------> [the port] ------------------> counted, and back to the pool at once
 *
 * Nothing is searched, copied or checked; a stream has finished when its bytes have come. At the
 * cap streams wait for blocks in turn; a stream keeps none while it waits, so nobody can wait for
 * ever. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/buffers/pool.h"
#include "client/buffers/roster.h"
#include "client/buffers/schemes.h"
#include "client/buffers/wait_list.h"

struct drain_stream {
    struct stream stream;
    struct waiter waiting;
    struct block *blocks; /* offered, or under early binding kept for the next offer */
};

struct scheme_run {
    struct scheme_config config;
    struct budget budget;
    struct pool *pool;
    struct roster roster;
    struct wait_list waiters;
};

static struct drain_stream *drain_of(struct stream *stream)
{
    return (struct drain_stream *)(void *)stream;
}

static void return_blocks(struct scheme_run *run, struct drain_stream *drain)
{
    struct block_batch batch = {0};

    while (drain->blocks != NULL) {
        struct block *block = drain->blocks;
        drain->blocks = block->next;
        block_batch_add(&batch, block);
    }
    block_batch_flush(&batch, run->pool);
}

static uint64_t free_blocks(void *context)
{
    const struct scheme_run *run = context;

    return pool_blocks_free(run->pool);
}

static bool take_blocks(void *context, struct stream *stream, unsigned want)
{
    struct scheme_run *run = context;
    struct drain_stream *drain = drain_of(stream);
    unsigned count;

    drain->blocks = pool_take(run->pool, want, 0, &count);
    return drain->blocks != NULL;
}

static unsigned drain_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                            unsigned max)
{
    struct drain_stream *drain = drain_of(stream);
    const bool capped = run->config.pool_cap_bytes != UINT64_MAX;
    unsigned want = run->config.blocks_per_receive, count = 0;

    assert(max >= 1);
    if (want > max)
        want = max;
    if (run->config.early && capped)
        want = 1; /* the cap has one for each stream */
    if (drain->blocks == NULL && !take_blocks(run, stream, want) &&
        wait_list_wait(&run->waiters, &drain->waiting, want))
        return 0;
    for (struct block *block = drain->blocks; block != NULL && count < max; block = block->next)
        blocks[count++] = (struct cp_block){block->data, run->config.block_bytes};
    return count;
}

static enum frame_error drain_received(struct scheme_run *run, struct stream *stream,
                                       struct cp_block *blocks, unsigned count, size_t bytes)
{
    const uint64_t before = stream->received_bytes;

    (void)blocks;
    (void)count;
    assert(bytes > 0);
    stream->received_bytes += bytes;
    stream->processed_bytes = stream->received_bytes;
    if (!run->config.early) {
        return_blocks(run, drain_of(stream));
        wait_list_resume(&run->waiters);
    }
    if (before < stream->bytes_expected && stream->received_bytes >= stream->bytes_expected)
        run->config.events.finished(run->config.events.context, stream);
    return stream->received_bytes > stream->bytes_expected ? FRAME_SURPLUS : FRAME_OK;
}

static void drain_retract(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                          unsigned count)
{
    (void)blocks;
    (void)count;
    if (!run->config.early) {
        return_blocks(run, drain_of(stream));
        wait_list_resume(&run->waiters);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static uint64_t least_blocks(const struct scheme_config *config)
{
    return config->early ? config->streams_max : 1;
}

static uint64_t drain_memory(const struct scheme_config *config, uint64_t streams,
                             uint64_t frame_bytes)
{
    const uint64_t batch = config->pool_batch;
    const uint64_t offered = (config->early ? streams : 1) * config->blocks_per_receive;
    const uint64_t blocks = 1 + (offered - 1 + batch - 1) / batch * batch; /* grown in batches */
    const uint64_t bytes = blocks * pool_block_charge(config->block_bytes);

    (void)frame_bytes;
    return bytes < config->pool_cap_bytes ? bytes : config->pool_cap_bytes;
}

static int check_cap(const struct scheme_config *config, char *why, size_t why_bytes)
{
    const uint64_t block = pool_block_charge(config->block_bytes);

    if (config->pool_cap_bytes >= least_blocks(config) * block)
        return 0;
    snprintf(why, why_bytes,
             "scheme drain needs a cap of at least %llu bytes: a block of %llu for %s",
             (unsigned long long)(least_blocks(config) * block), (unsigned long long)block,
             config->early ? "each connection (early binding)" : "the receive at hand");
    return -1;
}

static int drain_open(const struct scheme_config *config, struct scheme_run **opened, char *why,
                      size_t why_bytes)
{
    if (check_cap(config, why, why_bytes) != 0)
        return -1;
    snprintf(why, why_bytes, "scheme drain: no memory");
    struct scheme_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return -1;
    run->config = *config;
    budget_init(&run->budget, config->pool_cap_bytes);
    wait_list_init(&run->waiters, &(struct resource){.free = free_blocks,
                                                     .take = take_blocks,
                                                     .context = run,
                                                     .events = &run->config.events});
    run->pool = pool_open(&(struct pool_config){.block_bytes = config->block_bytes,
                                                .first_blocks = 1,
                                                .batch_blocks = config->pool_batch,
                                                .budget = &run->budget});
    if (run->pool == NULL)
        goto free_run;
    if (roster_open(&run->roster, config->streams_max) != 0)
        goto close_pool;
    *opened = run;
    return 0;

close_pool:
    pool_close(run->pool);
free_run:
    wait_list_end(&run->waiters);
    free(run);
    return -1;
}

static void drain_close(struct scheme_run *run, struct scheme_figures *figures)
{
    *figures = (struct scheme_figures){
        .buffer_peak_bytes = atomic_load(&run->budget.peak_bytes),
        .buffer_cap_waits = atomic_load(&run->waiters.waits),
        .pool_blocks = pool_blocks(run->pool),
    };
    for (uint32_t i = 0; i < run->roster.count; i++)
        figures->bytes += run->roster.streams[i]->processed_bytes;
    roster_close(&run->roster);
    figures->blocks_lost = pool_close(run->pool);
    wait_list_end(&run->waiters);
    free(run);
}

static struct stream *drain_attach(struct scheme_run *run, void *owner, uint64_t frames_expected,
                                   uint64_t bytes_expected)
{
    struct stream *stream = roster_add(&run->roster, sizeof(struct drain_stream), owner,
                                       frames_expected, bytes_expected);

    if (stream != NULL)
        drain_of(stream)->waiting.stream = stream;
    return stream;
}

static void drain_detach(struct scheme_run *run, struct stream *stream)
{
    wait_list_forget(&run->waiters, &drain_of(stream)->waiting);
    return_blocks(run, drain_of(stream));
    wait_list_resume(&run->waiters);
}

static void drain_rewind(struct scheme_run *run, struct stream *stream, uint64_t bytes)
{
    assert(bytes <= stream->received_bytes);
    stream->received_bytes -= bytes;
    stream->processed_bytes = stream->received_bytes;
    drain_detach(run, stream);
}

const struct scheme scheme_drain = {
    .name = "drain",
    .summary = "receives into hot blocks and drops the bytes: the ceiling for the others",
    .memory = drain_memory,
    .open = drain_open,
    .close = drain_close,
    .attach = drain_attach,
    .detach = drain_detach,
    .rewind = drain_rewind,
    .offer = drain_offer,
    .received = drain_received,
    .retract = drain_retract,
};
