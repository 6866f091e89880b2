/* A buffer for one connection and the thread that empties it.
 *
 *       base              head                              tail
 *       |  free again     | whole frames  | unfinished      |  room
 *       v                 v               v                 v
 *      .-------------------------------------------------------------------.
 *      |                 |=====|====|====|.................|               |   buffer
 *      '-------------------------------------------------------------------'
 *        room, if it wraps   the thread's       the worker's
 *
 *        worker                        shared                            its own thread
 *   ready --> [port] --> received --> frames[] += lengths -- unpark --> takes all lengths,
 *     ^                                                                 copies and processes
 *     '------- resume, if it had to wait ------- head += bytes <------- without the lock
 *
 * The two sides work on different bytes at the same time; each takes the lock once per receive or
 * per batch of frames. If there is no room for a whole receive, the worker waits for the thread.
 * That is not a shortage of memory but the scheme's own turn-taking, and is counted apart. When the
 * thread has nothing left, the buffer holds at most one unfinished frame, so a receive fits behind
 * it.
 *
 * MEMORY. A stream has all it needs for a whole frame (its buffer and the processing buffer) or
 * none of it, so none can get stuck in the middle of a frame. Under early binding it takes the
 * memory at attach, else when data is there for the first time. It gives the memory back at detach;
 * with a cap also whenever it is empty and no receive is out, so that others get their turn.
 * Without a cap it keeps the memory, as the paper's schemes do. */
#include "client/buffers/threaded_buffer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    STACK_BYTES = 256 * 1024,
    PAGE_BYTES = 4096,
    FRAMES_AT_ONCE = 128, /* handed over under one lock */
};

static struct threaded_buffer *buffer_of(struct stream *stream)
{
    return (struct threaded_buffer *)(void *)stream;
}

/* ---- memory --------------------------------------------------------------------------------- */

static size_t buffer_bytes_of(const struct scheme_config *config)
{
    return round_up(config->process.frame_bytes_max + scheme_receive_bytes(config), PAGE_BYTES);
}

static uint64_t charge_of(const struct scheme_config *config)
{
    return buffer_bytes_of(config) + config->process.frame_bytes_max;
}

/* Late binding needs as many receive blocks as workers receive at once: few, at least one. */
void threaded_need(const struct scheme_config *config, uint64_t streams, const char *name,
                   uint64_t block_charge, struct scheme_need *need)
{
    char block[60] = "";
    if (block_charge > 0)
        snprintf(block, sizeof block, "%llu for a receive block, ",
                 (unsigned long long)block_charge);
    need->peak_bytes = streams * charge_of(config) + (config->early ? streams : 1) * block_charge;
    need->least_bytes = scheme_least_holders(config) * (charge_of(config) + block_charge);
    snprintf(need->parts, sizeof need->parts,
             "%s%zu for %s and %zu for a processing buffer (one frame), %s", block,
             buffer_bytes_of(config), name, config->process.frame_bytes_max,
             config->early ? "for each connection (early binding)" : "one of each");
}

/* With the lock held. */
static bool acquire(struct threaded_buffer *buffer)
{
    struct scheme_run *run = buffer->run;
    if (buffer->bytes != NULL)
        return true;
    if (!budget_charge(&run->base.budget, run->buffer_bytes))
        return false;
    if (processor_reserve(&buffer->processor, run->base.config.process.frame_bytes_max) == 0)
        buffer->bytes = os_pages_map(run->buffer_bytes);
    if (buffer->bytes == NULL) {
        processor_end(&buffer->processor);
        budget_refund(&run->base.budget, run->buffer_bytes);
        return false;
    }
    buffer->base = buffer->head = buffer->tail = 0;
    return true;
}

static bool is_idle(const struct threaded_buffer *buffer)
{
    return !buffer->busy && buffer->frame_count == 0;
}

/* With the lock held: gives the memory back if nothing is in it and no receive is out. */
static bool release_idle(struct threaded_buffer *buffer)
{
    struct scheme_run *run = buffer->run;
    const struct scheme_config *config = &run->base.config;
    const bool shared = config->pool_cap_bytes != UINT64_MAX && !config->early;
    const bool wanted = buffer->detached || (shared && buffer->head == buffer->tail);
    if (buffer->bytes == NULL || !is_idle(buffer) || buffer->receiving || !wanted)
        return false;
    os_pages_unmap(buffer->bytes, run->buffer_bytes);
    buffer->bytes = NULL;
    processor_end(&buffer->processor);
    budget_refund(&run->base.budget, run->buffer_bytes);
    return true;
}

/* How many more streams could have their memory. */
static uint64_t free_buffers(void *context)
{
    const struct scheme_run *run = context;
    const uint64_t used = atomic_load(&run->base.budget.used_bytes);
    return (run->base.config.pool_cap_bytes - used) / charge_of(&run->base.config);
}

/* All of a stream's memory, or none. */
static bool take_buffer(void *context, struct stream *stream, unsigned want)
{
    struct threaded_buffer *buffer = buffer_of(stream);
    pthread_mutex_lock(&buffer->lock);
    const bool acquired = acquire(buffer);
    pthread_mutex_unlock(&buffer->lock);
    return acquired;
}

/* ---- the worker's side ---------------------------------------------------------------------- */

static size_t offset_of(const struct threaded_buffer *buffer, uint64_t position)
{
    return (size_t)((position - buffer->base) % buffer->run->buffer_bytes);
}

static size_t room_bytes(const struct threaded_buffer *buffer)
{
    const uint64_t from = buffer->run->circular ? buffer->head : buffer->base;
    return buffer->run->buffer_bytes - (size_t)(buffer->tail - from);
}

/* With the lock held, the thread idle: goes back to the front. */
static void restart_at_front(struct threaded_buffer *buffer)
{
    const size_t unfinished = (size_t)(buffer->tail - buffer->head);
    if (unfinished > 0 && buffer->run->circular)
        return;
    memmove(buffer->bytes, buffer->bytes + offset_of(buffer, buffer->head), unfinished);
    buffer->copied_bytes += unfinished;
    buffer->base = buffer->head;
}

/* With the lock held. Whether there is room for a receive; false only while the thread works. */
static bool make_room(struct threaded_buffer *buffer)
{
    const size_t wanted = buffer->run->receive_bytes;
    if (is_idle(buffer) && (buffer->head == buffer->tail || room_bytes(buffer) < wanted))
        restart_at_front(buffer);
    assert(!is_idle(buffer) || room_bytes(buffer) >= wanted);
    return room_bytes(buffer) >= wanted;
}

bool threaded_buffer_ready(struct stream *stream)
{
    struct threaded_buffer *buffer = buffer_of(stream);
    struct scheme_run *run = buffer->run;
    pthread_mutex_lock(&buffer->lock);
    assert(!buffer->receiving);
    if (!acquire(buffer)) {
        pthread_mutex_unlock(&buffer->lock);
        if (wait_list_wait(&run->buffer_waiters, &buffer->waiter, &buffer->stream, 1))
            return false;
        pthread_mutex_lock(&buffer->lock);
    }
    const bool ready = make_room(buffer);
    buffer->receiving = ready;
    buffer->room_wanted = !ready;
    pthread_mutex_unlock(&buffer->lock);
    if (!ready)
        atomic_fetch_add_explicit(&run->turn_waits, 1, memory_order_relaxed);
    return ready;
}

/* No lock: while a receive is out no other thread moves base, tail or the buffer, and a moving head
 * only makes more room. */
unsigned threaded_buffer_room(const struct stream *stream, struct cp_block *pieces, unsigned max)
{
    const struct threaded_buffer *buffer = (const void *)stream;
    const size_t receive_bytes = buffer->run->receive_bytes;
    const size_t offset = offset_of(buffer, buffer->tail);
    const size_t straight = buffer->run->buffer_bytes - offset;
    const bool wraps = straight < receive_bytes;
    assert(buffer->receiving && max >= 1);
    assert(buffer->run->circular || !wraps);
    pieces[0] = (struct cp_block){buffer->bytes + offset, wraps ? straight : receive_bytes};
    if (!wraps || max == 1)
        return 1;
    pieces[1] = (struct cp_block){buffer->bytes, receive_bytes - straight};
    return 2;
}

/* Queues the lengths of whole frames. If there are too many it waits for the thread, which waits
 * for nothing. */
static void hand_over(struct threaded_buffer *buffer, const uint32_t *frames, unsigned count)
{
    if (count == 0)
        return;
    pthread_mutex_lock(&buffer->lock);
    for (unsigned i = 0; i < count; i++) {
        while (buffer->frame_count == QUEUED_FRAMES_MAX) {
            os_unpark(&buffer->parker);
            pthread_cond_wait(&buffer->frames_taken, &buffer->lock);
        }
        buffer->frames[buffer->frame_count++] = frames[i];
    }
    const bool wake = !buffer->busy;
    pthread_mutex_unlock(&buffer->lock);
    if (wake)
        os_unpark(&buffer->parker);
}

/* Finds the frames in bytes that lie in one piece. */
static enum frame_error search(struct threaded_buffer *buffer, const uint8_t *piece, size_t bytes)
{
    const struct scheme_config *config = &buffer->run->base.config;
    uint32_t frames[FRAMES_AT_ONCE];
    unsigned count = 0;
    enum frame_error error = FRAME_OK;
    while (bytes > 0) {
        size_t end = 0, frame_bytes = 0;
        error = frames_find(config, &buffer->stream, piece, bytes, &end, &frame_bytes);
        if (error != FRAME_OK || end == 0)
            break;
        piece += end;
        bytes -= end;
        frames[count++] = (uint32_t)frame_bytes;
        if (count == FRAMES_AT_ONCE) {
            hand_over(buffer, frames, count);
            count = 0;
        }
    }
    hand_over(buffer, frames, count);
    return error;
}

enum frame_error threaded_received(struct scheme_run *run, struct stream *stream,
                                   struct cp_block *blocks, unsigned count, size_t bytes)
{
    struct threaded_buffer *buffer = buffer_of(stream);
    struct cp_block pieces[2];
    enum frame_error error = FRAME_OK;
    assert(bytes > 0);
    count = threaded_buffer_room(stream, pieces, 2);
    pthread_mutex_lock(&buffer->lock);
    buffer->tail += bytes;
    stream->received_bytes += bytes;
    buffer->receiving = false;
    pthread_mutex_unlock(&buffer->lock);
    for (unsigned i = 0; i < count && bytes > 0 && error == FRAME_OK; i++) {
        const size_t piece = bytes < pieces[i].bytes ? bytes : pieces[i].bytes;
        error = search(buffer, pieces[i].data, piece);
        bytes -= piece;
    }
    assert(bytes == 0 || error != FRAME_OK);
    return error;
}

void threaded_finish(struct scheme_run *run, struct stream *stream, size_t bytes)
{
    const uint32_t frame = (uint32_t)bytes;
    hand_over(buffer_of(stream), &frame, 1);
}

void threaded_retract(struct scheme_run *run, struct stream *stream)
{
    struct threaded_buffer *buffer = buffer_of(stream);
    pthread_mutex_lock(&buffer->lock);
    buffer->receiving = false;
    const bool released = release_idle(buffer);
    pthread_mutex_unlock(&buffer->lock);
    if (released)
        wait_list_resume(&buffer->run->buffer_waiters);
}

/* ---- the thread's side ---------------------------------------------------------------------- */

/* Blocks until there are frames, and takes them all; 0: there will be no more. */
static unsigned take_frames(struct threaded_buffer *buffer, uint32_t *frames)
{
    pthread_mutex_lock(&buffer->lock);
    while (buffer->frame_count == 0 && !buffer->ending) {
        pthread_mutex_unlock(&buffer->lock);
        os_park(&buffer->parker, UINT64_MAX);
        pthread_mutex_lock(&buffer->lock);
    }
    const unsigned count = buffer->frame_count;
    memcpy(frames, buffer->frames, count * sizeof frames[0]);
    buffer->frame_count = 0;
    buffer->busy = count > 0;
    pthread_cond_signal(&buffer->frames_taken);
    pthread_mutex_unlock(&buffer->lock);
    return count;
}

/* While the thread is busy no other thread moves base or head, or takes the buffer away. */
static void process(struct threaded_buffer *buffer, uint64_t from, size_t bytes)
{
    const size_t offset = offset_of(buffer, from);
    const size_t straight = buffer->run->buffer_bytes - offset;
    const size_t piece = bytes < straight ? bytes : straight;
    processor_append(&buffer->processor, &buffer->stream, buffer->bytes + offset, piece);
    if (bytes > piece)
        processor_append(&buffer->processor, &buffer->stream, buffer->bytes, bytes - piece);
    processor_finish(&buffer->processor, &buffer->stream);
    frames_notify(&buffer->stream, &buffer->run->base.config.events);
}

static void finish_frames(struct threaded_buffer *buffer, uint64_t bytes)
{
    const struct scheme_events *events = &buffer->run->base.config.events;
    pthread_mutex_lock(&buffer->lock);
    buffer->head += bytes;
    buffer->busy = false;
    const bool resume = buffer->room_wanted && !buffer->detached && make_room(buffer);
    if (resume)
        buffer->room_wanted = false;
    const bool released = !resume && release_idle(buffer);
    pthread_mutex_unlock(&buffer->lock);
    if (released)
        wait_list_resume(&buffer->run->buffer_waiters);
    if (resume)
        events->resume(events->context, &buffer->stream);
}

static void *process_all(void *argument)
{
    struct threaded_buffer *buffer = argument;
    uint32_t frames[QUEUED_FRAMES_MAX];
    unsigned count;
    while ((count = take_frames(buffer, frames)) > 0) {
        uint64_t done = 0;
        for (unsigned i = 0; i < count; i++) {
            process(buffer, buffer->head + done, frames[i]);
            done += frames[i];
        }
        finish_frames(buffer, done);
    }
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

void threaded_open(struct scheme_run *run, bool circular)
{
    const struct scheme_config *config = &run->base.config;
    run->circular = circular;
    run->buffer_bytes = buffer_bytes_of(config);
    run->receive_bytes = scheme_receive_bytes(config);
    wait_list_init(&run->buffer_waiters,
                   (struct resource){.free = free_buffers, .take = take_buffer, .context = run},
                   &config->events);
}

static void close_buffer(struct threaded_buffer *buffer, struct scheme_figures *figures)
{
    if (buffer->started) {
        pthread_mutex_lock(&buffer->lock);
        buffer->ending = true;
        pthread_mutex_unlock(&buffer->lock);
        os_unpark(&buffer->parker);
        pthread_join(buffer->thread, NULL);
    }
    assert(buffer->bytes == NULL);
    figures->copied_bytes += buffer->copied_bytes;
    processor_sum_up(&buffer->processor, figures);
    pthread_cond_destroy(&buffer->frames_taken);
    pthread_mutex_destroy(&buffer->lock);
}

void threaded_close(struct scheme_run *run, struct scheme_figures *figures)
{
    for (uint32_t i = 0; i < run->base.config.streams_max; i++) {
        struct stream *stream = scheme_stream(&run->base, i);
        if (stream != NULL)
            close_buffer(buffer_of(stream), figures);
    }
    figures->buffer_turn_waits = atomic_load(&run->turn_waits);
    figures->buffer_cap_waits = atomic_load(&run->buffer_waiters.waits);
    wait_list_end(&run->buffer_waiters);
}

bool threaded_attach(struct scheme_run *run, struct stream *stream)
{
    struct threaded_buffer *buffer = buffer_of(stream);
    const struct scheme_config *config = &run->base.config;
    buffer->run = run;
    pthread_mutex_init(&buffer->lock, NULL);
    pthread_cond_init(&buffer->frames_taken, NULL);
    processor_init(&buffer->processor, &config->process, &run->base.budget);
    if (config->early && !acquire(buffer))
        return false;
    buffer->started =
        os_thread_start(&buffer->thread, OS_ROLE_BUFFER, STACK_BYTES, process_all, buffer) == 0;
    return buffer->started;
}

void threaded_release(struct scheme_run *run, struct stream *stream, bool ended, uint64_t bytes)
{
    struct threaded_buffer *buffer = buffer_of(stream);
    wait_list_forget(&run->buffer_waiters, &buffer->waiter);
    pthread_mutex_lock(&buffer->lock);
    assert(ended || buffer->tail - buffer->head >= bytes);
    buffer->detached = ended;
    if (!ended) {
        buffer->tail -= bytes;
        buffer->room_wanted = false;
    }
    buffer->receiving = false;
    release_idle(buffer);
    pthread_mutex_unlock(&buffer->lock);
    wait_list_resume(&run->buffer_waiters);
}
