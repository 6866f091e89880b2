/* The paper's third scheme: a pool, chained blocks, and addresses that move instead of bytes.
 *
 *    pool            a stream's chain                      frame_queue buffer      processing
 * thread
 *   .----.  offer  .---------------------------. received .----------------.   .-------------.
 *   |free|-------->| [..frame|next.][next..  ] |--------->| frame -> frame |-->| copy, check |
 *   '----'         '--first------------last----'  marker  '----------------'   '------.------'
 *      ^                                          seen: addresses                     |
 *      '--------------- blocks, in batches, when nobody needs them any more ----------'
 *
 * A BLOCK may hold the end of one frame and the start of the next. Every frame that was handed over
 * holds one reference on each of its blocks, and so does the stream on each block of its unfinished
 * frame:
 *
 *     stream fills a block          1   its own
 *     a frame ends in it           +1   the frame's; the stream's own stays for the next frame
 *     stream goes on to a new one   -   its own passes to the frame that goes on there too
 *     stream is at a frame's border and done with the block   -1
 *     frame processed              -1   at 0 the block goes back to the pool
 *
 * The next receive begins in the room that the last one left in the stream's last block, so that a
 * frame of n bytes never holds more than n / block_bytes + 2 blocks however small the receives are,
 * and all its blocks but the last are full. At a frame's border, under late binding, a stream holds
 * no block at all.
 *
 * AT THE CAP offer answers 0. RESERVE is enough for one whole frame, and only the privileged one of
 * the waiters streams (wait_list.h) may take from it. When the privilege passes on the reserve is
 * full, so its holder can always finish its frame: what it holds, what is free and what is being
 * processed make a whole frame together. Others leave `keep` blocks alone, somewhat more than the
 * reserve, so that the remains of the next frame, which a holder is left with in its last block, do
 * not hold the privilege up. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/buffers/pool.h"
#include "client/buffers/chain_plan.h"
#include "client/buffers/frame_queue.h"
#include "client/buffers/frames.h"
#include "client/buffers/roster.h"
#include "client/buffers/schemes.h"
#include "client/buffers/wait_list.h"

enum {
    FRAMES_AT_ONCE =
        128, /* handed over under one lock: 64 kB of the smallest frames of the protocol's sizes */
    BLOCKS_AT_ONCE = 16, /* given back under one lock */
    PARTS_KEPT = 4,      /* one part in so many of the room above the reserve is kept for remains */
};

struct chain_stream {
    struct stream stream;
    struct waiter waiting;
    struct block *first, *last; /* of the unfinished frame; NULL: none */
    uint32_t first_offset;      /* where it starts in `first` */
    unsigned fresh_count;
    struct block *fresh; /* empty blocks: offered, or under early binding kept for the next offer */
    uint64_t scanned_bytes;
};

struct scheme_run {
    struct scheme_config config;
    struct budget budget;
    struct pool *pool;
    struct roster roster;
    struct wait_list waiters;
    struct frame_queue frame_queue;
    pthread_t thread;
    struct processor processor;
};

/* Frames found in one receive. */
struct found {
    unsigned count;
    struct frame frames[FRAMES_AT_ONCE];
};

static struct chain_stream *chain_of(struct stream *stream)
{
    return (struct chain_stream *)(void *)stream;
}

/* ---- memory --------------------------------------------------------------------------------- */

static uint64_t free_blocks(void *context)
{
    const struct scheme_run *run = context;

    return pool_blocks_free(run->pool);
}

static void release_fresh(struct chain_stream *chain, struct block_batch *batch)
{
    while (chain->fresh != NULL) {
        struct block *block = chain->fresh;
        chain->fresh = block->next;
        block_batch_add(batch, block);
    }
    chain->fresh_count = 0;
}

/* What the stream holds of its unfinished frame, or of the last one at its border. */
static void release_chain(struct chain_stream *chain, struct block_batch *batch)
{
    while (chain->first != NULL) {
        struct block *block = chain->first;
        chain->first = block == chain->last ? NULL : block->next;
        block_batch_unref(batch, block);
    }
    chain->last = NULL;
}

/* ---- offer ---------------------------------------------------------------------------------- */

static bool take_fresh(void *context, struct stream *stream, unsigned want)
{
    struct scheme_run *run = context;
    struct chain_stream *chain = chain_of(stream);
    const bool privileged = wait_list_lock_reserve(&run->waiters, &chain->waiting);
    const unsigned keep = privileged ? 0 : (unsigned)run->waiters.resource.keep;

    assert(chain->fresh == NULL);
    chain->fresh = pool_take(run->pool, want, keep, &chain->fresh_count);
    if (privileged)
        wait_list_unlock_reserve(&run->waiters);
    return chain->fresh != NULL;
}

static unsigned chain_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                            unsigned max)
{
    struct chain_stream *chain = chain_of(stream);
    const size_t block_bytes = run->config.block_bytes;
    unsigned count = 0;

    assert(max >= 1);
    if (chain->last != NULL && chain->last->used_bytes < block_bytes)
        blocks[count++] = (struct cp_block){chain->last->data + chain->last->used_bytes,
                                            block_bytes - chain->last->used_bytes};
    unsigned want = max - count;
    if (want > run->config.blocks_per_receive)
        want = run->config.blocks_per_receive;
    if (want > 0 && chain->fresh == NULL && !take_fresh(run, stream, want) && count == 0 &&
        wait_list_wait(&run->waiters, &chain->waiting, want))
        return 0;
    for (struct block *block = chain->fresh; block != NULL && count < max; block = block->next)
        blocks[count++] = (struct cp_block){block->data, block_bytes};
    assert(count > 0);
    return count;
}

/* Blocks that the receive did not touch: an early-bound stream will offer them again at once. */
static void keep_or_return_fresh(struct scheme_run *run, struct chain_stream *chain)
{
    struct block_batch batch = {0};

    if (run->config.early)
        return;
    release_fresh(chain, &batch);
    block_batch_flush(&batch, run->pool);
}

/* ---- received ------------------------------------------------------------------------------- */

static void hand_over(struct scheme_run *run, struct chain_stream *chain, struct found *found)
{
    if (found->count == 0)
        return;
    frame_queue_push(&run->frame_queue, found->frames, found->count);
    found->count = 0;
    wait_list_frame_done(&run->waiters, &chain->waiting);
}

static void leave_at_border(struct scheme_run *run, struct chain_stream *chain)
{
    struct block_batch batch = {0};

    release_chain(chain, &batch);
    block_batch_flush(&batch, run->pool);
}

/* The block that `data` lies in: the stream's last one, or the next fresh one, which becomes the
 * last. */
static struct block *block_received(struct scheme_run *run, struct chain_stream *chain, void *data)
{
    struct block *fresh = chain->fresh;

    if (fresh == NULL || data != fresh->data) {
        assert(chain->last != NULL);
        assert((uint8_t *)data == chain->last->data + chain->last->used_bytes);
        return chain->last;
    }
    if (chain->last != NULL && chain->stream.partial_bytes == 0)
        leave_at_border(run, chain);
    chain->fresh = fresh->next;
    chain->fresh_count--;
    fresh->next = NULL;
    if (chain->last == NULL) {
        chain->first = fresh;
        chain->first_offset = 0;
    } else {
        chain->last->next = fresh;
    }
    chain->last = fresh;
    return fresh;
}

/* A frame has ended in the stream's last block, and the next one starts there, at `offset`. */
static void cut(struct scheme_run *run, struct chain_stream *chain, struct found *found,
                uint32_t offset, size_t frame_bytes)
{
    if (found->count == FRAMES_AT_ONCE)
        hand_over(run, chain, found);
    atomic_fetch_add_explicit(&chain->last->references, 1, memory_order_relaxed);
    found->frames[found->count++] = (struct frame){.stream = &chain->stream,
                                                   .first = chain->first,
                                                   .offset = chain->first_offset,
                                                   .bytes = (uint32_t)frame_bytes};
    chain->first = chain->last;
    chain->first_offset = offset;
}

static enum frame_error search(struct scheme_run *run, struct chain_stream *chain,
                               struct found *found, void *data, size_t bytes)
{
    struct block *block = block_received(run, chain, data);
    uint32_t at = block->used_bytes;
    enum frame_error error = FRAME_OK;

    assert(at + bytes <= run->config.block_bytes);
    block->used_bytes += (uint32_t)bytes;
    while (at < block->used_bytes) {
        size_t end = 0, frame_bytes = 0;
        error = frames_find(&run->config, &chain->stream, block->data + at, block->used_bytes - at,
                            &end, &frame_bytes);
        if (error != FRAME_OK)
            break;
        const size_t looked_at = end > 0 ? end : block->used_bytes - at;
        chain->scanned_bytes += looked_at;
        at += (uint32_t)looked_at;
        if (end > 0)
            cut(run, chain, found, at, frame_bytes);
    }
    return error;
}

static enum frame_error chain_received(struct scheme_run *run, struct stream *stream,
                                       struct cp_block *blocks, unsigned count, size_t bytes)
{
    struct chain_stream *chain = chain_of(stream);
    enum frame_error error = FRAME_OK;
    struct found found;

    assert(bytes > 0);
    found.count = 0;
    stream->received_bytes += bytes;
    for (unsigned i = 0; i < count && bytes > 0 && error == FRAME_OK; i++) {
        const size_t piece = bytes < blocks[i].bytes ? bytes : blocks[i].bytes;
        error = search(run, chain, &found, blocks[i].data, piece);
        bytes -= piece;
    }
    assert(bytes == 0 || error != FRAME_OK);
    if (stream->partial_bytes == 0 && chain->last != NULL &&
        (!run->config.early || chain->last->used_bytes == run->config.block_bytes))
        leave_at_border(run, chain);
    hand_over(run, chain, &found);
    keep_or_return_fresh(run, chain);
    wait_list_resume(&run->waiters);
    return error;
}

static void chain_retract(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                          unsigned count)
{
    (void)blocks;
    (void)count;
    keep_or_return_fresh(run, chain_of(stream));
    wait_list_resume(&run->waiters);
}

/* ---- processing ----------------------------------------------------------------------------- */

static void process(struct scheme_run *run, const struct frame *frame, struct block_batch *batch)
{
    const size_t block_bytes = run->config.block_bytes;
    struct block *block = frame->first;
    size_t offset = frame->offset;

    for (size_t left = frame->bytes; left > 0; offset = 0) {
        const size_t room = block_bytes - offset;
        const size_t piece = left < room ? left : room;
        struct block *next = left > room ? block->next : NULL; /* of the last one: the stream's */

        frames_append(&run->processor, frame->stream, &run->config.events, block->data + offset,
                      piece);
        block_batch_unref(batch, block);
        if (batch->count >= BLOCKS_AT_ONCE)
            block_batch_flush(batch, run->pool);
        left -= piece;
        block = next;
    }
    frames_finish(&run->processor, frame->stream, &run->config.events);
}

static void *process_all(void *argument)
{
    struct scheme_run *run = argument;
    struct block_batch batch = {0};
    struct frame *frames = NULL;

    while ((frames = frame_queue_take(&run->frame_queue, frames)) != NULL) {
        for (struct frame *frame = frames; frame != NULL; frame = frame->next)
            process(run, frame, &batch);
        block_batch_flush(&batch, run->pool);
        wait_list_resume(&run->waiters);
    }
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* How many blocks the cap leaves room for decides how many are kept for the privileged stream. */
static struct resource plan(struct scheme_run *run)
{
    const struct scheme_config *config = &run->config;
    struct resource resource = {
        .free = free_blocks, .take = take_fresh, .context = run, .events = &config->events};

    if (config->pool_cap_bytes == UINT64_MAX)
        return resource;
    const uint64_t room = (config->pool_cap_bytes - atomic_load(&run->budget.used_bytes)) /
                          pool_block_charge(config->block_bytes);
    uint64_t remains = (room - chain_plan_reserve(config)) / PARTS_KEPT;
    if (remains > config->streams_max)
        remains = config->streams_max;
    resource.reserve = chain_plan_reserve(config);
    resource.keep = resource.reserve + remains;
    return resource;
}

static struct pool *open_pool(struct scheme_run *run)
{
    const unsigned kept = (unsigned)run->waiters.resource.keep;

    return pool_open(&(struct pool_config){
        .block_bytes = run->config.block_bytes,
        .first_blocks = kept > 0 ? kept : run->config.pool_batch,
        .batch_blocks = run->config.pool_batch,
        .budget = &run->budget,
    });
}

static int chain_open(const struct scheme_config *config, struct scheme_run **opened, char *why,
                      size_t why_bytes)
{
    if (chain_plan_check(config, why, why_bytes) != 0)
        return -1;
    snprintf(why, why_bytes, "scheme chain: no memory");
    struct scheme_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return -1;
    run->config = *config;
    budget_init(&run->budget, config->pool_cap_bytes);
    processor_init(&run->processor, &run->config.process, &run->budget);
    if (processor_reserve(&run->processor, config->process.frame_bytes_max) != 0)
        goto free_run;
    if (frame_queue_open(&run->frame_queue, &run->budget) != 0)
        goto end_processor;
    const struct resource resource = plan(run);
    wait_list_init(&run->waiters, &resource);
    run->pool = open_pool(run);
    if (run->pool == NULL)
        goto end_starving;
    if (roster_open(&run->roster, config->streams_max) != 0)
        goto close_pool;
    if (os_thread_start(&run->thread, OS_ROLE_BUFFER, 0, process_all, run) != 0) {
        snprintf(why, why_bytes, "scheme chain: the system gives no thread for processing");
        goto close_roster;
    }
    *opened = run;
    return 0;

close_roster:
    roster_close(&run->roster);
close_pool:
    pool_close(run->pool);
end_starving:
    wait_list_end(&run->waiters);
    frame_queue_close(&run->frame_queue);
end_processor:
    processor_end(&run->processor);
free_run:
    free(run);
    return -1;
}

static void chain_close(struct scheme_run *run, struct scheme_figures *figures)
{
    frame_queue_finish(&run->frame_queue);
    pthread_join(run->thread, NULL);
    *figures = (struct scheme_figures){
        .buffer_peak_bytes = atomic_load(&run->budget.peak_bytes),
        .buffer_cap_waits = atomic_load(&run->waiters.waits),
        .pool_blocks = pool_blocks(run->pool),
    };
    processor_sum_up(&run->processor, figures);
    for (uint32_t i = 0; i < run->roster.count; i++)
        figures->scanned_bytes += chain_of(run->roster.streams[i])->scanned_bytes;
    roster_close(&run->roster);
    figures->blocks_lost = pool_close(run->pool);
    frame_queue_close(&run->frame_queue);
    processor_end(&run->processor);
    wait_list_end(&run->waiters);
    assert(atomic_load(&run->budget.used_bytes) == 0);
    free(run);
}

static struct stream *chain_attach(struct scheme_run *run, void *owner, uint64_t frames_expected,
                                   uint64_t bytes_expected)
{
    struct stream *stream = roster_add(&run->roster, sizeof(struct chain_stream), owner,
                                       frames_expected, bytes_expected);

    if (stream != NULL)
        chain_of(stream)->waiting.stream = stream;
    return stream;
}

static void chain_detach(struct scheme_run *run, struct stream *stream)
{
    struct chain_stream *chain = chain_of(stream);
    struct block_batch batch = {0};

    wait_list_forget(&run->waiters, &chain->waiting);
    release_fresh(chain, &batch);
    release_chain(chain, &batch);
    block_batch_flush(&batch, run->pool);
    wait_list_resume(&run->waiters);
}

static void chain_rewind(struct scheme_run *run, struct stream *stream, uint64_t bytes)
{
    (void)bytes;
    assert(bytes == stream->partial_bytes);
    chain_detach(run, stream);
    frames_rewind(stream);
}

const struct scheme scheme_chain = {
    .name = "chain",
    .summary = "a pool of chained blocks; addresses move, one thread processes (paper: 3)",
    .memory = chain_plan_memory,
    .open = chain_open,
    .close = chain_close,
    .attach = chain_attach,
    .detach = chain_detach,
    .rewind = chain_rewind,
    .offer = chain_offer,
    .received = chain_received,
    .retract = chain_retract,
};
