/* Frames are not put together: what has arrived is searched and processed at once, slice by slice,
 * where it lies, and its memory is free for the next receive before it has gone cold.
 *
 *   --processors 0                                  --processors N
 *
 *   cache (hot)  offer                              cache  offer
 *     block ----------> [the port]                    block -----> [the port]
 *       ^                   | received                  ^              | received
 *       |             search, process in place          |          search, mark where frames end
 *       '-------------------'                           |              | one exchange a receive
 *                                                       |              v
 *                                                       '--- chains -- threads process in place
 *
 * A SLICE is a piece of a frame, of at most a block. The application (here: check and count) gets
 * the slices of a frame in order and is told with which one the frame ends. It keeps what it needs
 * of the earlier ones (struct incremental_check) and nothing else. So a run's memory depends on
 * how many threads receive, not on how many connections are in the middle of frames or how long
 * these are: 200 connections with frames of 100 kB would hold 10 MB, several times a processor's
 * own cache, if their frames were put together first.
 *
 * MARKS. A block that is handed over has, behind its data, a bit for each byte after which a frame
 * ends. So there is room for any number of frames, and blocks without a frame's end cost nothing:
 * marks are written only when a frame ends in the block.
 *
 * AT THE CAP offer returns 0, and streams wait in turn for blocks. A waiting stream keeps no block,
 * so none waits for ever.
 *
 * DEPTH. How many blocks a stream is offered follows what it received last: small frames need one.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/buffers/block_cache.h"
#include "client/buffers/processor_threads.h"
#include "client/buffers/scheme_base.h"

enum {
    WORD_BITS = 64,
    WORD_BYTES = sizeof(uint64_t),
    SHALLOW_PART = 4, /* a receive that fills less than one part in so many was offered too much */
    AHEAD_BYTES = 256 * 1024, /* of a worker: what is not processed soon goes cold */
};

struct slices_stream {
    struct stream stream;
    uint8_t depth;  /* blocks that it is offered, if there are so many */
    bool restarted; /* rewound, and nothing was handed over since */
    bool closed;    /* the same of the server's close, which ended the last frame handed over */

    struct incremental_check *check; /* the processing side's; NULL: between frames */
};

struct scheme_run {
    struct scheme_base base;
    struct block_caches caches;
    struct processor_threads threads;
    unsigned ahead_blocks;
};

static struct slices_stream *slices_of(struct stream *stream)
{
    return (struct slices_stream *)(void *)stream;
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Where a block's marks begin. */
static size_t marks_offset(const struct scheme_config *config)
{
    return round_up(config->block_bytes, WORD_BYTES);
}

/* A block's data: what is received, and with processing threads the marks behind that. */
static size_t data_bytes(const struct scheme_config *config)
{
    if (config->processors == 0)
        return config->block_bytes;
    return marks_offset(config) + round_up(config->block_bytes, WORD_BITS) / WORD_BITS * WORD_BYTES;
}

static unsigned magazine_of(const struct scheme_config *config)
{
    const uint64_t blocks = config->pool_cap_bytes / pool_block_charge(data_bytes(config));
    return block_cache_magazine(config->block_bytes, blocks, config->workers);
}

/* Blocks that may be on their way from one worker to the processing threads. */
static unsigned ahead_of(const struct scheme_config *config)
{
    return (unsigned)(AHEAD_BYTES / config->block_bytes) + config->blocks_per_receive;
}

/* Frames are not held, so only the number of receivers counts, not the length of frames. In place,
 * under early binding, the blocks of the current receive are among those posted. */
static void slices_need(const struct scheme_config *config, uint64_t streams, uint64_t frame_bytes,
                        struct scheme_need *need)
{
    const uint64_t charge = pool_block_charge(data_bytes(config));
    const uint64_t magazine = magazine_of(config) > 0 ? magazine_of(config) : 1;
    const uint64_t posted = config->early ? streams * config->blocks_per_receive : 0;
    const uint64_t ahead = config->processors > 0 ? ahead_of(config) : 0;
    const uint64_t in_hand = (uint64_t)config->batch * config->blocks_per_receive;
    const uint64_t caches = config->workers - (config->early && ahead == 0);
    const uint64_t blocks =
        round_up(posted, magazine) + caches * round_up(in_hand + ahead, magazine);
    need->peak_bytes = round_up(blocks, config->pool_batch) * charge;
    scheme_need_each(config, charge, "a block", "the receive at hand", need);
}

static uint64_t free_blocks(void *context)
{
    struct scheme_run *run = context;
    block_caches_flush(&run->caches);
    return pool_blocks_free(run->base.pool);
}

static bool take_blocks(void *context, struct stream *stream, unsigned want)
{
    struct scheme_run *run = context;
    struct block_cache *cache = block_cache_acquire(&run->caches);
    assert(stream->blocks == NULL);
    stream->blocks = block_cache_take(cache, want);
    block_cache_release(cache);
    if (stream->blocks != NULL)
        return true;
    block_caches_flush(&run->caches);
    return scheme_take_blocks(run, stream, want);
}

/* Puts the blocks that the stream still has into the cache. */
static void put_back(struct block_cache *cache, struct stream *stream)
{
    struct block_batch batch = {0};
    block_batch_add_all(&batch, &stream->blocks);
    block_cache_give(cache, &batch);
}

/* ---- offer ---------------------------------------------------------------------------------- */

static unsigned slices_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                             unsigned max)
{
    struct slices_stream *slices = slices_of(stream);
    const struct scheme_config *config = &run->base.config;
    const unsigned want = scheme_blocks_wanted(config, slices->depth, max);
    assert(max >= 1);
    if (!scheme_blocks_ready(run, stream, want))
        return 0;
    return scheme_offer_blocks(config, stream, blocks, max);
}

static void slices_retract(struct scheme_run *run, struct stream *stream)
{
    if (run->base.config.early)
        return;
    struct block_cache *cache = block_cache_acquire(&run->caches);
    put_back(cache, stream);
    block_cache_release(cache);
    wait_list_resume(&run->base.waiters);
}

/* ---- processing ----------------------------------------------------------------------------- */

static void process_slice(struct slices_stream *slices, struct processor *processor,
                          const uint8_t *slice, size_t bytes, bool whole)
{
    struct stream *stream = &slices->stream;
    if (stream->error == FRAME_OK)
        stream->error =
            incremental_check_feed(&slices->check, processor, stream, slice, bytes, whole);
}

/* The server's close has ended the frame whose pieces have come. */
static void process_end(struct slices_stream *slices, struct processor *processor)
{
    struct stream *stream = &slices->stream;
    if (stream->error == FRAME_OK)
        stream->error = incremental_check_end(&slices->check, processor, stream);
}

static uint64_t *marks_of(const struct scheme_run *run, struct block *block)
{
    return (uint64_t *)(void *)(block->data + marks_offset(&run->base.config));
}

static void process_block(struct scheme_run *run, struct slices_stream *slices,
                          struct processor *processor, struct block *block)
{
    const uint64_t *marks = marks_of(run, block);
    uint32_t at = 0, left = block->frames;
    for (uint32_t word = 0; left > 0; word++)
        for (uint64_t bits = marks[word]; bits != 0; bits &= bits - 1, left--) {
            const uint32_t end = word * WORD_BITS + (uint32_t)__builtin_ctzll(bits) + 1;
            process_slice(slices, processor, block->data + at, end - at, true);
            at = end;
        }
    if (at < block->used_bytes)
        process_slice(slices, processor, block->data + at, block->used_bytes - at, false);
}

/* On a processing thread: one receive. */
static void process_blocks(struct scheme_run *run, struct processor *processor,
                           struct stream *stream, struct block *blocks)
{
    if (blocks->closed)
        process_end(slices_of(stream), processor);
    if (blocks->restarted)
        incremental_check_drop(&slices_of(stream)->check);
    for (struct block *block = blocks; block != NULL; block = block->next)
        process_block(run, slices_of(stream), processor, block);
    frames_notify(stream, &run->base.config.events);
}

/* ---- received ------------------------------------------------------------------------------- */

/* A frame ends after `end` bytes of the block. */
static void mark(const struct scheme_run *run, struct block *block, uint32_t end)
{
    uint64_t *marks = marks_of(run, block);
    if (block->frames++ == 0)
        memset(marks, 0, (block->used_bytes + WORD_BITS - 1) / WORD_BITS * sizeof *marks);
    marks[(end - 1) / WORD_BITS] |= (uint64_t)1 << (end - 1) % WORD_BITS;
}

/* Searches what was received into one block, while it is hot, and processes or marks what it
 * finds. */
static enum frame_error search(struct scheme_run *run, struct block_cache *cache,
                               struct slices_stream *slices, struct block *block, size_t bytes)
{
    enum frame_error error = FRAME_OK;
    size_t at = 0;
    block->used_bytes = (uint32_t)bytes;
    block->frames = 0;
    while (at < bytes) {
        const uint8_t *slice = block->data + at;
        size_t end = 0, frame_bytes = 0;
        error =
            frames_find(&run->base.config, &slices->stream, slice, bytes - at, &end, &frame_bytes);
        if (error != FRAME_OK)
            break;
        const size_t slice_bytes = end > 0 ? end : bytes - at;
        if (run->threads.count == 0)
            process_slice(slices, &cache->processor, slice, slice_bytes, end > 0);
        else if (end > 0)
            mark(run, block, (uint32_t)(at + end));
        at += slice_bytes;
    }
    block->used_bytes = (uint32_t)at;
    return error;
}

/* Hands the first `count` blocks of the stream's list to the stream's processing thread. */
static void hand_over(struct scheme_run *run, struct block_cache *cache,
                      struct slices_stream *slices, unsigned count)
{
    struct stream *stream = &slices->stream;
    struct block *blocks = stream->blocks, **end = &stream->blocks;
    for (unsigned i = 0; i < count; i++)
        end = &(*end)->next;
    stream->blocks = *end;
    *end = NULL;
    blocks->restarted = slices->restarted;
    blocks->closed = slices->closed;
    slices->restarted = slices->closed = false;
    processor_threads_push(&run->threads, cache, stream, blocks, count);
}

static void adapt_depth(const struct scheme_config *config, struct slices_stream *slices,
                        unsigned offered, size_t bytes)
{
    const size_t room = offered * config->block_bytes;
    const unsigned deeper = 2u * slices->depth, most = config->blocks_per_receive;
    if (bytes == room)
        slices->depth = (uint8_t)(deeper < most ? deeper : most);
    else if (bytes < room / SHALLOW_PART && slices->depth > 1)
        slices->depth--;
}

static enum frame_error slices_received(struct scheme_run *run, struct stream *stream,
                                        struct cp_block *blocks, unsigned count, size_t bytes)
{
    struct slices_stream *slices = slices_of(stream);
    const struct scheme_config *config = &run->base.config;
    const bool in_place = run->threads.count == 0;
    enum frame_error error = FRAME_OK;
    unsigned used = 0;
    assert(bytes > 0);
    stream->received_bytes += bytes;
    adapt_depth(config, slices, count, bytes);
    struct block_cache *cache = block_cache_acquire(&run->caches);
    for (struct block *block = stream->blocks; bytes > 0 && error == FRAME_OK;
         block = block->next) {
        const size_t piece = bytes < blocks[used].bytes ? bytes : blocks[used].bytes;
        assert(block->data == blocks[used].data);
        error = search(run, cache, slices, block, piece);
        bytes -= piece;
        used++;
    }
    if (!in_place)
        hand_over(run, cache, slices, used);
    if (!config->early)
        put_back(cache, stream);
    block_cache_release(cache);
    if (in_place)
        frames_notify(stream, &config->events);
    else
        processor_threads_throttle(cache, run->ahead_blocks);
    wait_list_resume(&run->base.waiters);
    return error;
}

/* A processing thread learns of it with the next blocks, or slices_close does it. */
static void slices_finish(struct scheme_run *run, struct stream *stream, size_t bytes)
{
    struct slices_stream *slices = slices_of(stream);
    if (run->threads.count > 0) {
        slices->closed = true;
        return;
    }
    struct block_cache *cache = block_cache_acquire(&run->caches);
    process_end(slices, &cache->processor);
    block_cache_release(cache);
    frames_notify(stream, &run->base.config.events);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int slices_open(struct scheme_run *run, char *why, size_t why_bytes)
{
    struct scheme_base *base = &run->base;
    const struct scheme_config *config = &base->config;
    if (config->processors > PROCESSOR_THREADS_MAX) {
        snprintf(why, why_bytes, "scheme slices takes at most %d processing threads",
                 PROCESSOR_THREADS_MAX);
        return -EINVAL;
    }
    base->waiters.resource.free = free_blocks;
    base->waiters.resource.take = take_blocks;
    run->ahead_blocks = ahead_of(config);
    if (scheme_pool_open(base, data_bytes(config), 0, config->pool_batch) != 0 ||
        block_caches_open(&run->caches, base, magazine_of(config)) != 0)
        return -ENOMEM;
    snprintf(why, why_bytes, "scheme slices: the system gives no thread for processing");
    return processor_threads_open(&run->threads, base, process_blocks);
}

static void slices_close(struct scheme_run *run, struct scheme_figures *figures)
{
    struct processor processor;
    processor_init(&processor, &run->base.config.process, &run->base.budget);
    processor_threads_close(&run->threads, figures);
    for (uint32_t i = 0; i < run->base.config.streams_max; i++) {
        struct stream *stream = scheme_stream(&run->base, i);
        if (stream == NULL)
            continue;
        struct slices_stream *slices = slices_of(stream);
        if (slices->closed)
            process_end(slices, &processor);
        incremental_check_drop(&slices->check);
    }
    processor_sum_up(&processor, figures);
    processor_end(&processor);
    block_caches_close(&run->caches, figures);
}

static bool slices_attach(struct scheme_run *run, struct stream *stream)
{
    const struct scheme_config *config = &run->base.config;
    slices_of(stream)->depth = (uint8_t)(config->early ? config->blocks_per_receive : 1);
    return true;
}

/* A processing thread learns of a rewind with the next blocks: it may have some to do before. */
static void slices_release(struct scheme_run *run, struct stream *stream, bool ended,
                           uint64_t bytes)
{
    struct slices_stream *slices = slices_of(stream);
    struct block_cache *cache = block_cache_acquire(&run->caches);
    put_back(cache, stream);
    block_cache_release(cache);
    if (!ended && run->threads.count == 0)
        incremental_check_drop(&slices->check);
    else if (!ended)
        slices->restarted = true;
}

const struct scheme scheme_slices = {
    .summary = "hot blocks; pieces of frames are processed in place as they arrive",
    SCHEME(slices, slices_stream),
    .close = slices_close,
    .attach = slices_attach,
    .finish = slices_finish,
};
