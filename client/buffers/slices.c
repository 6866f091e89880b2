/* Nobody waits for a frame to be whole: what has arrived is searched and processed at once, slice
 * by slice, where it lies, and its memory is free for the next receive before it has gone cold.
 *
 *   --processors 0                                  --processors N
 *
 *   cache (hot)  offer                               cache   offer
 *     block ----------> [the port]                    block -----> [the port]
 *       ^                   | received                  ^              | received
 *       |             search, process in place          |          search, mark where frames end
 *       '-------------------'                           |              | one exchange a receive
 *                                                       |              v
 *                                                       '--- chains -- threads process in place
 *
 * A SLICE is a piece of a frame, of at most a block. The application (here: check and count) gets
 * the slices of a frame in order and is told with which one the frame ends; it keeps what it needs
 * of those before (incremental_check.h), and nothing else is kept. So the memory of a run depends
 * on how
 * many threads receive, not on how many connections are in the middle of frames nor on how long
 * these are: 200 connections with frames of 100 kB would hold 10 MB, several times a processor's
 * own cache, if their frames were put together first.
 *
 * MARKS. A block that is handed over brings along, behind its data, a bit for each byte after which
 * a frame ends: so there is room for as many frames as come, and none is taken for those that do
 * not. They are written only when a frame ends in the block.
 *
 * AT THE CAP offer answers 0, and streams wait in turn for blocks. No stream keeps one while it
 * waits, so nobody can wait for ever.
 *
 * DEPTH. How many blocks a stream is offered follows what it received last: small frames need one.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/buffers/processor_threads.h"
#include "client/buffers/block_cache.h"
#include "client/buffers/frames.h"
#include "client/buffers/incremental_check.h"
#include "client/buffers/roster.h"
#include "client/buffers/schemes.h"
#include "client/buffers/slices_plan.h"
#include "client/buffers/wait_list.h"

enum {
    WORD_BITS = 64,
    SHALLOW_PART = 4, /* a receive that fills less than one part in so many was offered too much */
};

struct slices_stream {
    struct stream stream;
    struct waiter waiting;
    struct block *blocks; /* offered, or under early binding kept for the next offer */
    uint8_t depth;        /* blocks that it is offered, if there are so many */
    bool anew;            /* rewound, and nothing was handed over since */

    struct incremental_check check; /* the processing side's */
};

struct scheme_run {
    struct scheme_config config;
    struct budget budget;
    struct pool *pool;
    struct roster roster;
    struct wait_list waiters;
    struct block_caches caches;
    struct processor_threads threads;
    unsigned ahead_blocks;
};

static struct slices_stream *slices_of(struct stream *stream)
{
    return (struct slices_stream *)(void *)stream;
}

/* ---- memory --------------------------------------------------------------------------------- */

static uint64_t free_blocks(void *context)
{
    struct scheme_run *run = context;

    block_caches_flush(&run->caches);
    return pool_blocks_free(run->pool);
}

static bool take_blocks(void *context, struct stream *stream, unsigned want)
{
    struct scheme_run *run = context;
    struct slices_stream *slices = slices_of(stream);
    struct block_cache *cache = block_cache_acquire(&run->caches);
    unsigned count;

    assert(slices->blocks == NULL);
    slices->blocks = block_cache_take(&run->caches, cache, want, &count);
    block_cache_release(cache);
    if (slices->blocks == NULL) {
        block_caches_flush(&run->caches);
        slices->blocks = pool_take(run->pool, want, 0, &count);
    }
    return slices->blocks != NULL;
}

/* Blocks that nobody needs, from a stream's list, onto the cache. */
static void put_back(struct scheme_run *run, struct block_cache *cache,
                     struct slices_stream *slices)
{
    struct block_batch batch = {0};

    while (slices->blocks != NULL) {
        struct block *block = slices->blocks;
        slices->blocks = block->next;
        block_batch_add(&batch, block);
    }
    block_cache_give(&run->caches, cache, &batch);
}

/* ---- offer ---------------------------------------------------------------------------------- */

static unsigned slices_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                             unsigned max)
{
    struct slices_stream *slices = slices_of(stream);
    const bool capped = run->config.pool_cap_bytes != UINT64_MAX;
    unsigned want = slices->depth < max ? slices->depth : max, count = 0;

    assert(max >= 1);
    if (run->config.early && capped)
        want = 1; /* the cap has one for each stream */
    if (slices->blocks == NULL && !take_blocks(run, stream, want) &&
        wait_list_wait(&run->waiters, &slices->waiting, want))
        return 0;
    for (struct block *block = slices->blocks; block != NULL && count < max; block = block->next)
        blocks[count++] = (struct cp_block){block->data, run->config.block_bytes};
    return count;
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

static uint64_t *marks_of(const struct scheme_run *run, struct block *block)
{
    return (uint64_t *)(void *)(block->data + slices_plan_marks(run->config.block_bytes));
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

/* A processing thread's part: one receive. */
static void process_receive(void *context, struct processor *processor, void *owner,
                            struct block *blocks)
{
    struct scheme_run *run = context;
    struct stream *stream = owner;
    const uint64_t frames = stream->processed_frames;
    const enum frame_error error = stream->error;

    if (blocks->anew)
        incremental_check_rewind(&slices_of(stream)->check);
    for (struct block *block = blocks; block != NULL; block = block->next)
        process_block(run, slices_of(stream), processor, block);
    frames_notify_progress(stream, &run->config.events, frames, error);
}

static void blocks_returned(void *context)
{
    struct scheme_run *run = context;

    wait_list_resume(&run->waiters);
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
static enum frame_error look(struct scheme_run *run, struct block_cache *cache,
                             struct slices_stream *slices, struct block *block, size_t bytes)
{
    enum frame_error error = FRAME_OK;
    size_t at = 0;

    block->used_bytes = (uint32_t)bytes;
    block->frames = 0;
    while (at < bytes) {
        const uint8_t *slice = block->data + at;
        size_t end = 0, frame_bytes = 0;
        error = frames_find(&run->config, &slices->stream, slice, bytes - at, &end, &frame_bytes);
        if (error != FRAME_OK)
            break;
        const size_t looked_at = end > 0 ? end : bytes - at;
        if (run->threads.count == 0)
            process_slice(slices, &cache->processor, slice, looked_at, end > 0);
        else if (end > 0)
            mark(run, block, (uint32_t)(at + end));
        at += looked_at;
    }
    cache->scanned_bytes += at;
    block->used_bytes = (uint32_t)at;
    return error;
}

/* The first `count` blocks of the stream's list go on to their processing thread. */
static void hand_over(struct scheme_run *run, struct block_cache *cache,
                      struct slices_stream *slices, unsigned count)
{
    struct block *blocks = slices->blocks, **end = &slices->blocks;

    for (unsigned i = 0; i < count; i++)
        end = &(*end)->next;
    slices->blocks = *end;
    *end = NULL;
    blocks->anew = slices->anew;
    slices->anew = false;
    processor_threads_push(&run->threads, cache, slices->stream.id, &slices->stream, blocks, count);
}

static void adapt(const struct scheme_run *run, struct slices_stream *slices, unsigned offered,
                  size_t bytes)
{
    const size_t room = offered * run->config.block_bytes;

    if (bytes == room && 2 * slices->depth <= run->config.blocks_per_receive)
        slices->depth = (uint8_t)(2 * slices->depth);
    else if (bytes == room)
        slices->depth = (uint8_t)run->config.blocks_per_receive;
    else if (bytes < room / SHALLOW_PART && slices->depth > 1)
        slices->depth--;
}

static enum frame_error slices_received(struct scheme_run *run, struct stream *stream,
                                        struct cp_block *blocks, unsigned count, size_t bytes)
{
    struct slices_stream *slices = slices_of(stream);
    const bool in_place = run->threads.count == 0;
    const uint64_t frames = in_place ? stream->processed_frames : 0;
    const enum frame_error error_before = in_place ? stream->error : FRAME_OK;
    enum frame_error error = FRAME_OK;
    unsigned used = 0;

    assert(bytes > 0);
    stream->received_bytes += bytes;
    adapt(run, slices, count, bytes);
    struct block_cache *cache = block_cache_acquire(&run->caches);
    for (struct block *block = slices->blocks; bytes > 0 && error == FRAME_OK;
         block = block->next) {
        const size_t piece = bytes < blocks[used].bytes ? bytes : blocks[used].bytes;
        assert(block->data == blocks[used].data);
        error = look(run, cache, slices, block, piece);
        bytes -= piece;
        used++;
    }
    if (!in_place)
        hand_over(run, cache, slices, used);
    if (!run->config.early)
        put_back(run, cache, slices);
    block_cache_release(cache);
    if (in_place)
        frames_notify_progress(stream, &run->config.events, frames, error_before);
    else
        processor_threads_throttle(&run->threads, cache, run->ahead_blocks);
    wait_list_resume(&run->waiters);
    return error;
}

static void put_back_all(struct scheme_run *run, struct slices_stream *slices)
{
    struct block_cache *cache = block_cache_acquire(&run->caches);

    put_back(run, cache, slices);
    block_cache_release(cache);
    wait_list_resume(&run->waiters);
}

static void slices_retract(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                           unsigned count)
{
    (void)blocks;
    (void)count;
    if (!run->config.early)
        put_back_all(run, slices_of(stream));
}

/* ---- life ----------------------------------------------------------------------------------- */

static struct pool *open_pool(struct scheme_run *run)
{
    return pool_open(&(struct pool_config){
        .block_bytes = slices_plan_data(&run->config),
        .first_blocks = 0,
        .batch_blocks = run->config.pool_batch,
        .budget = &run->budget,
    });
}

static int open_parts(struct scheme_run *run, char *why, size_t why_bytes)
{
    const struct scheme_config *config = &run->config;
    const struct processor_task task = {process_receive, blocks_returned, run};

    run->pool = open_pool(run);
    if (run->pool == NULL)
        return -1;
    if (block_caches_open(&run->caches, config->workers, run->pool, slices_plan_half(config),
                          &config->process, &run->budget) != 0)
        goto close_pool;
    if (roster_open(&run->roster, config->streams_max) != 0)
        goto close_desks;
    if (processor_threads_open(&run->threads, config->processors, &task, &run->caches,
                               &config->process, &run->budget) != 0) {
        snprintf(why, why_bytes, "scheme slices: the system gives no thread for processing");
        goto close_roster;
    }
    return 0;

close_roster:
    roster_close(&run->roster);
close_desks:
    block_caches_close(&run->caches);
close_pool:
    pool_close(run->pool);
    return -1;
}

static int slices_open(const struct scheme_config *config, struct scheme_run **opened, char *why,
                       size_t why_bytes)
{
    if (slices_plan_check(config, why, why_bytes) != 0)
        return -1;
    snprintf(why, why_bytes, "scheme slices: no memory");
    struct scheme_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return -1;
    run->config = *config;
    run->ahead_blocks = slices_plan_ahead(config);
    budget_init(&run->budget, config->pool_cap_bytes);
    wait_list_init(&run->waiters, &(struct resource){.free = free_blocks,
                                                     .take = take_blocks,
                                                     .context = run,
                                                     .events = &run->config.events});
    if (open_parts(run, why, why_bytes) != 0) {
        wait_list_end(&run->waiters);
        free(run);
        return -1;
    }
    *opened = run;
    return 0;
}

static void sum_up(struct scheme_run *run, struct scheme_figures *figures)
{
    *figures = (struct scheme_figures){
        .buffer_peak_bytes = atomic_load(&run->budget.peak_bytes),
        .buffer_cap_waits = atomic_load(&run->waiters.waits),
        .pool_blocks = pool_blocks(run->pool),
    };
    for (unsigned i = 0; i < run->caches.count; i++)
        block_cache_sum_up(&run->caches.all[i], figures);
    for (unsigned i = 0; i < run->threads.count; i++)
        processor_sum_up(processor_threads_processor(&run->threads, i), figures);
}

static void slices_close(struct scheme_run *run, struct scheme_figures *figures)
{
    processor_threads_finish(&run->threads);
    sum_up(run, figures);
    processor_threads_close(&run->threads);
    for (uint32_t i = 0; i < run->roster.count; i++)
        incremental_check_close(&slices_of(run->roster.streams[i])->check);
    roster_close(&run->roster);
    block_caches_close(&run->caches);
    figures->blocks_lost = pool_close(run->pool);
    wait_list_end(&run->waiters);
    assert(atomic_load(&run->budget.used_bytes) == 0);
    free(run);
}

static struct stream *slices_attach(struct scheme_run *run, void *owner, uint64_t frames_expected,
                                    uint64_t bytes_expected)
{
    struct stream *stream = roster_add(&run->roster, sizeof(struct slices_stream), owner,
                                       frames_expected, bytes_expected);

    if (stream == NULL)
        return NULL;
    slices_of(stream)->waiting.stream = stream;
    slices_of(stream)->depth = (uint8_t)(run->config.early ? run->config.blocks_per_receive : 1);
    if (incremental_check_open(&slices_of(stream)->check, &run->config.process) != 0)
        return NULL;
    return stream;
}

static void slices_detach(struct scheme_run *run, struct stream *stream)
{
    wait_list_forget(&run->waiters, &slices_of(stream)->waiting);
    put_back_all(run, slices_of(stream));
}

/* A thread that processes hears of it with the next blocks: it may have some to do before. */
static void slices_rewind(struct scheme_run *run, struct stream *stream, uint64_t bytes)
{
    struct slices_stream *slices = slices_of(stream);

    (void)bytes;
    assert(bytes == stream->partial_bytes);
    slices_detach(run, stream);
    frames_rewind(stream);
    if (run->threads.count == 0)
        incremental_check_rewind(&slices->check);
    else
        slices->anew = true;
}

const struct scheme scheme_slices = {
    .name = "slices",
    .summary = "hot blocks; pieces of frames are processed as they come, where they lie",
    .memory = slices_plan_memory,
    .open = slices_open,
    .close = slices_close,
    .attach = slices_attach,
    .detach = slices_detach,
    .rewind = slices_rewind,
    .offer = slices_offer,
    .received = slices_received,
    .retract = slices_retract,
};
