/* Receives and discards: what the port and the kernel can do, and so the ceiling for the other
 * schemes.
 *
 *    pool (hot)   offer                     received
 *      block ------------> [the port] ------------------> counted, and back to the pool at once
 *
 * Nothing is searched, copied or checked; a stream has finished when its bytes have come. Work with
 * the bytes, if there is any, is done where they lie, on the thread that received them. At the cap,
 * streams wait for blocks in turn. A waiting stream keeps no block, so none waits for ever. */
#include <assert.h>
#include <errno.h>

#include "client/buffers/block_cache.h"
#include "client/buffers/scheme_base.h"

struct scheme_run {
    struct scheme_base base;
    struct block_caches caches; /* for their processors, which do the work */
};

static unsigned drain_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                            unsigned max)
{
    const struct scheme_config *config = &run->base.config;
    const unsigned want = scheme_blocks_wanted(config, config->blocks_per_receive, max);
    assert(max >= 1);
    if (!scheme_blocks_ready(run, stream, want))
        return 0;
    return scheme_offer_blocks(config, stream, blocks, max);
}

static void drain_retract(struct scheme_run *run, struct stream *stream)
{
    if (run->base.config.early)
        return;
    scheme_return_blocks(run, stream);
    wait_list_resume(&run->base.waiters);
}

/* The stream's last bytes leave no debt. */
static void work(struct scheme_run *run, const struct stream *stream, const struct cp_block *blocks,
                 size_t bytes)
{
    struct block_cache *cache = block_cache_acquire(&run->caches);
    for (size_t piece; bytes > 0; bytes -= piece, blocks++) {
        piece = bytes < blocks->bytes ? bytes : blocks->bytes;
        processor_work_bytes(&cache->processor, blocks->data, piece);
    }
    if (stream->received_bytes >= stream->goal->bytes)
        processor_settle(&cache->processor);
    block_cache_release(cache);
}

static enum frame_error drain_received(struct scheme_run *run, struct stream *stream,
                                       struct cp_block *blocks, unsigned count, size_t bytes)
{
    const struct scheme_events *events = &run->base.config.events;
    const uint64_t before = stream->received_bytes;
    assert(bytes > 0);
    stream->received_bytes += bytes;
    if (run->caches.count > 0)
        work(run, stream, blocks, bytes);
    drain_retract(run, stream);
    if (before < stream->goal->bytes && stream->received_bytes >= stream->goal->bytes)
        events->finished(events->context, stream);
    return stream->received_bytes > stream->goal->bytes ? FRAME_SURPLUS : FRAME_OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void drain_need(const struct scheme_config *config, uint64_t streams, uint64_t frame_bytes,
                       struct scheme_need *need)
{
    const uint64_t offered = (config->early ? streams : 1) * config->blocks_per_receive;
    const uint64_t charge = pool_block_charge(config->block_bytes);
    need->peak_bytes = (1 + round_up(offered - 1, config->pool_batch)) * charge;
    scheme_need_each(config, charge, "a block", "the receive at hand", need);
}

static int drain_open(struct scheme_run *run, char *why, size_t why_bytes)
{
    const struct scheme_config *config = &run->base.config;
    if (scheme_pool_open(&run->base, config->block_bytes, 1, config->pool_batch) != 0)
        return -ENOMEM;
    return config->process.work.kind == WORK_NONE ? 0
                                                  : block_caches_open(&run->caches, &run->base, 0);
}

/* Processed is all that has come, but for what was not asked for. */
static void drain_close(struct scheme_run *run, struct scheme_figures *figures)
{
    block_caches_close(&run->caches, figures);
    for (uint32_t i = 0; i < run->base.config.streams_max; i++) {
        const struct stream *stream = scheme_stream(&run->base, i);
        if (stream == NULL)
            continue;
        const uint64_t received = stream->received_bytes, most = stream->goal->bytes;
        figures->bytes += received < most ? received : most;
    }
}

static void drain_release(struct scheme_run *run, struct stream *stream, bool ended, uint64_t bytes)
{
    scheme_return_blocks(run, stream);
}

const struct scheme scheme_drain = {
    .summary = "receives into hot blocks and drops the bytes: the ceiling for the others",
    SCHEME(drain, stream),
    .close = drain_close,
};
