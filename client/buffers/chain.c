/* The paper's third scheme: a pool, chained blocks, and addresses that move instead of bytes.
 *
 *    pool            a stream's chain                      frame queue        processing thread
 *   .----.  offer  .---------------------------. received .----------------.   .-------------.
 *   |free|-------->| [..frame|next.][next..  ] |--------->| frame -> frame |-->| copy, check |
 *   '----'         '--first------------last----'  marker  '----------------'   '------.------'
 *      ^                                          seen: addresses                     |
 *      '--------------- blocks, in batches, when their last reference is gone --------'
 *
 * A BLOCK may hold the end of one frame and the start of the next. Every frame that was handed over
 * holds one reference on each of its blocks, and so does the stream on each block of its unfinished
 * frame:
 *
 *     stream fills a block          1   its own
 *     a frame ends in it           +1   the frame's; the stream's own stays for the next frame
 *     stream goes on to a new one   -   its own passes to the frame that goes on there too
 *     stream is between frames and done with the block   -1
 *     frame processed              -1   at 0 the block goes back to the pool
 *
 * The next receive begins in the room that the last one left in the stream's last block. So a frame
 * of n bytes never holds more than n / block_bytes + 2 blocks however small the receives are, and
 * all its blocks but the last are full. Between frames, under late binding, a stream holds no block
 * at all.
 *
 * AT THE CAP offer returns 0. RESERVE is enough for one whole frame, and only the reserve holder
 * among the waiting streams (wait_list.h) may take from it. When the reserve passes on it is full,
 * so its holder can always finish its frame: what it holds, what is free and what is being
 * processed make a whole frame together. Other streams leave `keep` blocks alone, somewhat more
 * than the reserve: a holder is left with the start of its next frame in its last block, and these
 * remains must not keep the reserve from filling up. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "client/buffers/frame_queue.h"
#include "client/buffers/scheme_base.h"

enum {
    FRAMES_AT_ONCE =
        128, /* handed over under one lock: 64 kB of the smallest frames of the protocol's sizes */
    BLOCKS_AT_ONCE = 16, /* given back under one lock */
    PARTS_KEPT = 4,      /* one part in so many of the room above the reserve is kept for remains */
};

struct chain_stream {
    struct stream stream;
    struct block *first, *last; /* of the unfinished frame; NULL: none */
    uint32_t first_offset;      /* where it starts in `first` */
    struct length_guess guess;
};

struct scheme_run {
    struct scheme_base base;
    struct frame_queue queue;

    /* The processing thread's. */
    pthread_t thread;
    bool started;
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

/* Drops what the stream holds of its unfinished frame, or of the last one between frames. */
static void drop_chain(struct scheme_run *run, struct chain_stream *chain)
{
    struct block_batch batch = {0};
    while (chain->first != NULL) {
        struct block *block = chain->first;
        chain->first = block == chain->last ? NULL : block->next;
        block_batch_unref(&batch, block);
    }
    chain->last = NULL;
    block_batch_flush(&batch, run->base.pool);
}

/* ---- offer ---------------------------------------------------------------------------------- */

static bool take_blocks(void *context, struct stream *stream, unsigned want)
{
    struct scheme_run *run = context;
    struct wait_list *waiters = &run->base.waiters;
    const bool holder = wait_list_lock_reserve(waiters, scheme_waiter(&run->base, stream));
    unsigned count;
    assert(stream->blocks == NULL);
    stream->blocks =
        pool_take(run->base.pool, want, holder ? 0 : (unsigned)waiters->resource.keep, &count);
    if (holder)
        wait_list_unlock_reserve(waiters);
    return count > 0;
}

/* Ends the offer where a frame probably ends: its blocks are free the sooner. */
static unsigned shorten(const struct chain_stream *chain, struct cp_block *blocks, unsigned count)
{
    size_t room = 0;
    for (unsigned i = 0; i < count; i++)
        room += blocks[i].bytes;
    room = length_guess_room(&chain->guess, chain->stream.partial_bytes, room);
    unsigned used = 0;
    for (; room > 0; room -= blocks[used++].bytes)
        if (blocks[used].bytes > room)
            blocks[used].bytes = room;
    return used;
}

static unsigned chain_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                            unsigned max)
{
    struct chain_stream *chain = chain_of(stream);
    const struct scheme_config *config = &run->base.config;
    const struct block *last = chain->last;
    unsigned count = 0;
    assert(max >= 1);
    if (last != NULL && last->used_bytes < config->block_bytes)
        blocks[count++] = (struct cp_block){chain->last->data + last->used_bytes,
                                            config->block_bytes - last->used_bytes};
    unsigned want = max - count;
    if (want > config->blocks_per_receive)
        want = config->blocks_per_receive;
    if (want > 0 && stream->blocks == NULL && !take_blocks(run, stream, want) && count == 0 &&
        wait_list_wait(&run->base.waiters, scheme_waiter(&run->base, stream), stream, want))
        return 0;
    count += scheme_offer_blocks(config, stream, blocks + count, max - count);
    assert(count > 0);
    return config->early ? count : shorten(chain, blocks, count);
}

static void chain_retract(struct scheme_run *run, struct stream *stream)
{
    if (!run->base.config.early)
        scheme_return_blocks(run, stream);
    wait_list_resume(&run->base.waiters);
}

/* ---- received ------------------------------------------------------------------------------- */

static void hand_over(struct scheme_run *run, struct chain_stream *chain, struct found *found)
{
    if (found->count == 0)
        return;
    frame_queue_put(&run->queue, found->frames, found->count);
    found->count = 0;
    wait_list_frame_done(&run->base.waiters, scheme_waiter(&run->base, &chain->stream));
}

/* The block that `data` lies in: the stream's last one, or the next fresh one, which becomes the
 * last. */
static struct block *block_received(struct scheme_run *run, struct chain_stream *chain, void *data)
{
    struct block *fresh = chain->stream.blocks;
    if (fresh == NULL || data != fresh->data) {
        assert(chain->last != NULL);
        assert((uint8_t *)data == chain->last->data + chain->last->used_bytes);
        return chain->last;
    }
    if (chain->last != NULL && chain->stream.partial_bytes == 0)
        drop_chain(run, chain);
    chain->stream.blocks = fresh->next;
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
    const struct scheme_config *config = &run->base.config;
    struct block *block = block_received(run, chain, data);
    uint32_t at = block->used_bytes;
    enum frame_error error = FRAME_OK;
    assert(at + bytes <= config->block_bytes);
    block->used_bytes += (uint32_t)bytes;
    while (at < block->used_bytes) {
        size_t end = 0, frame_bytes = 0;
        error = frames_find(config, &chain->stream, block->data + at, block->used_bytes - at, &end,
                            &frame_bytes);
        if (error != FRAME_OK || end == 0)
            break;
        at += (uint32_t)end;
        length_guess_note(&chain->guess, frame_bytes);
        cut(run, chain, found, at, frame_bytes);
    }
    return error;
}

static enum frame_error chain_received(struct scheme_run *run, struct stream *stream,
                                       struct cp_block *blocks, unsigned count, size_t bytes)
{
    struct chain_stream *chain = chain_of(stream);
    const struct scheme_config *config = &run->base.config;
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
        (!config->early || chain->last->used_bytes == config->block_bytes))
        drop_chain(run, chain);
    hand_over(run, chain, &found);
    chain_retract(run, stream);
    return error;
}

static void chain_finish(struct scheme_run *run, struct stream *stream, size_t bytes)
{
    struct chain_stream *chain = chain_of(stream);
    struct found found;
    found.count = 0;
    cut(run, chain, &found, chain->last->used_bytes, bytes);
    hand_over(run, chain, &found);
}

/* ---- processing ----------------------------------------------------------------------------- */

static void process(struct scheme_run *run, const struct frame *frame, struct block_batch *batch)
{
    const struct scheme_config *config = &run->base.config;
    struct block *block = frame->first;
    size_t offset = frame->offset;
    for (size_t left = frame->bytes; left > 0; offset = 0) {
        const size_t room = config->block_bytes - offset;
        const size_t piece = left < room ? left : room;
        struct block *next = left > room ? block->next : NULL; /* of the last one: the stream's */

        processor_append(&run->processor, frame->stream, block->data + offset, piece);
        block_batch_unref(batch, block);
        if (batch->count >= BLOCKS_AT_ONCE)
            block_batch_flush(batch, run->base.pool);
        left -= piece;
        block = next;
    }
    processor_finish(&run->processor, frame->stream);
    frames_notify(frame->stream, &config->events);
}

static void *process_all(void *argument)
{
    struct scheme_run *run = argument;
    struct frame_queue *queue = &run->queue;
    struct block_batch batch = {0};
    const struct frame *frame;
    frame_queue_start(queue);
    while (frame_queue_look(queue)) {
        while ((frame = frame_queue_next(queue)) != NULL) {
            process(run, frame, &batch);
            if (frame_queue_full(queue, frame))
                break;
        }
        block_batch_flush(&batch, run->base.pool);
        wait_list_resume(&run->base.waiters);
    }
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Blocks for one whole frame, and at its two ends a block that it shares with another. */
static uint64_t reserve_of(const struct scheme_config *config)
{
    return round_up(config->process.frame_bytes_max, config->block_bytes) / config->block_bytes + 2;
}

static void chain_need(const struct scheme_config *config, uint64_t streams, uint64_t frame_bytes,
                       struct scheme_need *need)
{
    const uint64_t block = pool_block_charge(config->block_bytes);
    const uint64_t posted = config->early ? config->blocks_per_receive : 0;
    const uint64_t held = round_up(frame_bytes, config->block_bytes) / config->block_bytes;
    const uint64_t frame = config->process.frame_bytes_max;
    const uint64_t queue = FRAME_QUEUE_LEAST_BYTES;
    const uint64_t reserve = reserve_of(config);
    need->peak_bytes =
        frame + queue + round_up(streams * (held + posted), config->pool_batch) * block;
    if (config->look.every_ns > 0)
        need->peak_bytes = UINT64_MAX; /* whatever comes may wait */
    need->least_bytes = frame + queue + reserve * block;
    snprintf(need->parts, sizeof need->parts,
             "%llu for the processing buffer (one frame), %llu for frame records, %llu for %llu "
             "blocks (one frame and both its ends)",
             (unsigned long long)frame, (unsigned long long)queue,
             (unsigned long long)(reserve * block), (unsigned long long)reserve);
}

/* How many blocks the cap leaves room for decides how many are kept for the reserve holder. */
static void set_resource(struct scheme_base *base)
{
    const struct scheme_config *config = &base->config;
    struct resource *resource = &base->waiters.resource;
    resource->take = take_blocks;
    if (config->pool_cap_bytes == UINT64_MAX)
        return;
    const uint64_t room = (config->pool_cap_bytes - atomic_load(&base->budget.used_bytes)) /
                          pool_block_charge(config->block_bytes);
    const uint64_t remains = (room - reserve_of(config)) / PARTS_KEPT;
    resource->reserve = reserve_of(config);
    resource->keep =
        resource->reserve + (remains < config->streams_max ? remains : config->streams_max);
}

static int chain_open(struct scheme_run *run, char *why, size_t why_bytes)
{
    struct scheme_base *base = &run->base;
    const struct scheme_config *config = &base->config;
    processor_init(&run->processor, &config->process, &base->budget);
    if (frame_queue_open(&run->queue, base) != 0 ||
        processor_reserve(&run->processor, config->process.frame_bytes_max) != 0)
        return -ENOMEM;
    set_resource(base);
    const unsigned kept = (unsigned)base->waiters.resource.keep;
    if (scheme_pool_open(base, config->block_bytes, kept > 0 ? kept : config->pool_batch,
                         config->pool_batch) != 0)
        return -ENOMEM;
    snprintf(why, why_bytes, "scheme chain: the system gives no thread for processing");
    const int result = os_thread_start(&run->thread, OS_ROLE_BUFFER, 0, process_all, run);
    run->started = result == 0;
    return result;
}

static void chain_close(struct scheme_run *run, struct scheme_figures *figures)
{
    if (run->started) {
        frame_queue_end(&run->queue);
        pthread_join(run->thread, NULL);
    }
    processor_sum_up(&run->processor, figures);
    figures->looks = run->queue.looks;
    processor_end(&run->processor);
    frame_queue_close(&run->queue);
}

static void chain_release(struct scheme_run *run, struct stream *stream, bool ended, uint64_t bytes)
{
    scheme_return_blocks(run, stream);
    drop_chain(run, chain_of(stream));
}

const struct scheme scheme_chain = {
    .summary = "a pool of chained blocks; addresses move, one thread processes (paper: 3)",
    SCHEME(chain, chain_stream),
    .common_buffer = true,
    .close = chain_close,
    .finish = chain_finish,
};
