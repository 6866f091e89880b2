/*      base              head                              tail
 *       |  free again     | whole frames  | unfinished      |  room
 *       v                 v               v                 v
 *      .-------------------------------------------------------------------.
 *      |                 |=====|====|====|.................|               |   buffer
 *      '-------------------------------------------------------------------'
 *        room, if it wraps   the thread's       the worker's
 *
 *        worker                        channel                           its own thread
 *   ready --> [port] --> received --> frames[] += lengths -- unpark --> takes up all lengths,
 *     ^                                                                 copies and processes
 *     '------- resume, if it had to wait ------- head += bytes <------- without the lock
 *
 * The two sides work on different bytes at the same time and meet in the lock for a moment per
 * receive and per batch. If there is no room for a whole receive the worker waits for the thread:
 * this is no shortage of memory but the scheme's own turn-taking, and counted apart. Once the
 * thread has nothing left at most one unfinished frame is in the buffer, which is one receive
 * longer than that: so there is room then.
 *
 * MEMORY. A channel has all it needs for a whole frame (its buffer and the processing buffer) or
 * none of it, so nobody can get stuck in the middle of a frame. It takes it at attach under early
 * binding, else when data is there for the first time. It gives it back at detach, and with a cap
 * whenever it is empty and no receive is out, so that others get their turn; without a cap it keeps
 * it, as the paper's schemes do. */
#include "client/buffers/threaded_buffer.h"

#include <assert.h>
#include <string.h>

#include "client/buffers/frames.h"

enum {
    STACK_BYTES = 256 * 1024,
    PAGE_BYTES = 4096,
    FRAMES_AT_ONCE = 128, /* handed over under one lock */
};

/* ---- memory --------------------------------------------------------------------------------- */

size_t threaded_buffer_buffer_bytes(const struct scheme_config *config, size_t receive_bytes)
{
    const size_t bytes = config->process.frame_bytes_max + receive_bytes;

    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

uint64_t threaded_buffer_memory(const struct scheme_config *config,
                                const struct threaded_shape *shape)
{
    return shape->buffer_bytes + config->process.frame_bytes_max;
}

static bool capped(const struct threaded_run *run)
{
    return run->config.pool_cap_bytes != UINT64_MAX;
}

/* With the lock held. */
static bool acquire(struct threaded_buffer *channel)
{
    struct threaded_run *run = channel->run;

    if (channel->buffer != NULL)
        return true;
    if (!budget_charge(&run->budget, run->shape.buffer_bytes))
        return false;
    if (processor_reserve(&channel->processor, run->config.process.frame_bytes_max) != 0)
        goto refund;
    channel->buffer = os_pages_map(run->shape.buffer_bytes);
    if (channel->buffer == NULL)
        goto end_processor;
    channel->base = channel->head = channel->tail = 0;
    return true;

end_processor:
    processor_end(&channel->processor);
refund:
    budget_refund(&run->budget, run->shape.buffer_bytes);
    return false;
}

/* With the lock held: gives the memory back if nothing is in it and nobody is about to need it. */
static bool release(struct threaded_buffer *channel)
{
    struct threaded_run *run = channel->run;
    const bool idle = !channel->busy && channel->frame_count == 0 && !channel->receiving;
    const bool empty = channel->head == channel->tail;
    const bool asked = channel->detached || (capped(run) && !run->config.early && empty);

    if (channel->buffer == NULL || !idle || !asked)
        return false;
    os_pages_unmap(channel->buffer, run->shape.buffer_bytes);
    channel->buffer = NULL;
    processor_end(&channel->processor);
    budget_refund(&run->budget, run->shape.buffer_bytes);
    return true;
}

/* How many more channels could have their memory. */
static uint64_t free_channels(void *context)
{
    const struct threaded_run *run = context;
    const uint64_t left = run->config.pool_cap_bytes - atomic_load(&run->budget.used_bytes);

    return left / threaded_buffer_memory(&run->config, &run->shape);
}

static bool take_channel(void *context, struct stream *stream, unsigned want)
{
    struct threaded_buffer *channel = (struct threaded_buffer *)(void *)stream;

    (void)context;
    (void)want; /* all of a channel's memory, or none */
    pthread_mutex_lock(&channel->lock);
    const bool acquired = acquire(channel);
    pthread_mutex_unlock(&channel->lock);
    return acquired;
}

/* ---- the worker's side ---------------------------------------------------------------------- */

static size_t offset_of(const struct threaded_buffer *channel, uint64_t position)
{
    return (size_t)((position - channel->base) % channel->run->shape.buffer_bytes);
}

static size_t room_bytes(const struct threaded_buffer *channel)
{
    const struct threaded_shape *shape = &channel->run->shape;
    const uint64_t from = shape->circular ? channel->head : channel->base;

    return shape->buffer_bytes - (size_t)(channel->tail - from);
}

/* With the lock held, the thread idle: begins at the front again. */
static void begin_again(struct threaded_buffer *channel)
{
    const size_t unfinished = (size_t)(channel->tail - channel->head);

    if (unfinished > 0 && channel->run->shape.circular)
        return;
    memmove(channel->buffer, channel->buffer + offset_of(channel, channel->head), unfinished);
    channel->moved_bytes += unfinished;
    channel->base = channel->head;
}

/* With the lock held. Whether a receive may go on; false only while the thread is at work. */
static bool make_room(struct threaded_buffer *channel)
{
    const size_t wanted = channel->run->shape.receive_bytes;
    const bool idle = !channel->busy && channel->frame_count == 0;

    if (idle && (channel->head == channel->tail || room_bytes(channel) < wanted))
        begin_again(channel);
    assert(!idle || room_bytes(channel) >= wanted);
    return room_bytes(channel) >= wanted;
}

bool threaded_buffer_ready(struct threaded_buffer *channel)
{
    struct threaded_run *run = channel->run;

    pthread_mutex_lock(&channel->lock);
    assert(!channel->receiving);
    if (!acquire(channel)) {
        pthread_mutex_unlock(&channel->lock);
        if (wait_list_wait(&run->waiters, &channel->waiting, 1))
            return false;
        pthread_mutex_lock(&channel->lock);
    }
    channel->receiving = make_room(channel);
    channel->room_wanted = !channel->receiving;
    const bool ready = channel->receiving;
    pthread_mutex_unlock(&channel->lock);
    if (!ready)
        atomic_fetch_add_explicit(&run->turn_waits, 1, memory_order_relaxed);
    return ready;
}

/* No lock: while a receive is out nobody else moves base, tail or the buffer, and head only makes
 * more room. */
unsigned threaded_buffer_room(const struct threaded_buffer *channel, struct cp_block pieces[2])
{
    const struct threaded_shape *shape = &channel->run->shape;
    const size_t offset = offset_of(channel, channel->tail);
    const size_t straight = shape->buffer_bytes - offset;

    assert(channel->receiving);
    if (straight >= shape->receive_bytes) {
        pieces[0] = (struct cp_block){channel->buffer + offset, shape->receive_bytes};
        return 1;
    }
    assert(shape->circular);
    pieces[0] = (struct cp_block){channel->buffer + offset, straight};
    pieces[1] = (struct cp_block){channel->buffer, shape->receive_bytes - straight};
    return 2;
}

/* Puts the lengths of whole frames where the thread finds them. Too many of them wait for the
 * thread, which waits for nobody. */
static void hand_over(struct threaded_buffer *channel, const uint32_t *frames, unsigned count)
{
    pthread_mutex_lock(&channel->lock);
    for (unsigned i = 0; i < count; i++) {
        while (channel->frame_count == CHANNEL_FRAMES_MAX) {
            os_unpark(&channel->parker);
            pthread_cond_wait(&channel->frames_taken, &channel->lock);
        }
        channel->frames[channel->frame_count++] = frames[i];
    }
    const bool wake = !channel->busy;
    pthread_mutex_unlock(&channel->lock);
    if (wake)
        os_unpark(&channel->parker);
}

/* Looks through bytes that lie straight in the buffer. */
static enum frame_error search(struct threaded_buffer *channel, const uint8_t *piece, size_t bytes)
{
    uint32_t frames[FRAMES_AT_ONCE];
    unsigned count = 0;
    enum frame_error error = FRAME_OK;

    while (bytes > 0) {
        size_t end = 0, frame_bytes = 0;
        error =
            frames_find(&channel->run->config, &channel->stream, piece, bytes, &end, &frame_bytes);
        if (error != FRAME_OK)
            break;
        const size_t looked_at = end > 0 ? end : bytes;
        channel->scanned_bytes += looked_at;
        piece += looked_at;
        bytes -= looked_at;
        if (end > 0)
            frames[count++] = (uint32_t)frame_bytes;
        if (count == FRAMES_AT_ONCE) {
            hand_over(channel, frames, count);
            count = 0;
        }
    }
    if (count > 0)
        hand_over(channel, frames, count);
    return error;
}

enum frame_error threaded_buffer_received(struct threaded_buffer *channel, size_t bytes)
{
    struct cp_block pieces[2];
    const unsigned count = threaded_buffer_room(channel, pieces);
    enum frame_error error = FRAME_OK;

    assert(bytes > 0);
    pthread_mutex_lock(&channel->lock);
    channel->tail += bytes;
    channel->stream.received_bytes += bytes;
    channel->receiving = false;
    pthread_mutex_unlock(&channel->lock);
    for (unsigned i = 0; i < count && bytes > 0 && error == FRAME_OK; i++) {
        const size_t piece = bytes < pieces[i].bytes ? bytes : pieces[i].bytes;
        error = search(channel, pieces[i].data, piece);
        bytes -= piece;
    }
    assert(bytes == 0 || error != FRAME_OK);
    return error;
}

static void settle_down(struct threaded_buffer *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->receiving = false;
    const bool released = release(channel);
    pthread_mutex_unlock(&channel->lock);
    if (released)
        wait_list_resume(&channel->run->waiters);
}

void threaded_buffer_retract(struct threaded_buffer *channel)
{
    settle_down(channel);
}

/* ---- the thread's side ---------------------------------------------------------------------- */

/* Blocks until there are frames: how many, or 0 when there will be no more. */
static unsigned take_up(struct threaded_buffer *channel, uint32_t *frames)
{
    pthread_mutex_lock(&channel->lock);
    while (channel->frame_count == 0 && !channel->ending) {
        pthread_mutex_unlock(&channel->lock);
        os_park(&channel->parker, UINT64_MAX);
        pthread_mutex_lock(&channel->lock);
    }
    const unsigned count = channel->frame_count;
    memcpy(frames, channel->frames, count * sizeof frames[0]);
    channel->frame_count = 0;
    channel->busy = count > 0;
    pthread_cond_signal(&channel->frames_taken);
    pthread_mutex_unlock(&channel->lock);
    return count;
}

/* While the thread is busy nobody else moves base or head, or takes the buffer away. */
static void process(struct threaded_buffer *channel, uint64_t from, size_t bytes)
{
    const struct threaded_run *run = channel->run;
    const size_t offset = offset_of(channel, from);
    const size_t straight = run->shape.buffer_bytes - offset;
    const size_t piece = bytes < straight ? bytes : straight;

    frames_append(&channel->processor, &channel->stream, &run->config.events,
                  channel->buffer + offset, piece);
    if (bytes > piece)
        frames_append(&channel->processor, &channel->stream, &run->config.events, channel->buffer,
                      bytes - piece);
    frames_finish(&channel->processor, &channel->stream, &run->config.events);
}

static void done_with(struct threaded_buffer *channel, uint64_t bytes)
{
    struct threaded_run *run = channel->run;

    pthread_mutex_lock(&channel->lock);
    channel->head += bytes;
    channel->busy = false;
    const bool resume = channel->room_wanted && !channel->detached && make_room(channel);
    if (resume)
        channel->room_wanted = false;
    const bool released = !resume && release(channel);
    pthread_mutex_unlock(&channel->lock);
    if (released)
        wait_list_resume(&run->waiters);
    if (resume)
        run->config.events.resume(run->config.events.context, &channel->stream);
}

static void *process_all(void *argument)
{
    struct threaded_buffer *channel = argument;
    uint32_t frames[CHANNEL_FRAMES_MAX];
    unsigned count;

    while ((count = take_up(channel, frames)) > 0) {
        uint64_t done = 0;
        for (unsigned i = 0; i < count; i++) {
            process(channel, channel->head + done, frames[i]);
            done += frames[i];
        }
        done_with(channel, done);
    }
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

int threaded_run_open(struct threaded_run *run, const struct scheme_config *config,
                      const struct threaded_shape *shape)
{
    assert(shape->state_bytes >= sizeof(struct threaded_buffer));
    assert(shape->buffer_bytes >= config->process.frame_bytes_max + shape->receive_bytes);
    if (roster_open(&run->roster, config->streams_max) != 0)
        return -1;
    run->config = *config;
    run->shape = *shape;
    budget_init(&run->budget, config->pool_cap_bytes);
    wait_list_init(&run->waiters, &(struct resource){.free = free_channels,
                                                     .take = take_channel,
                                                     .context = run,
                                                     .events = &run->config.events});
    atomic_init(&run->turn_waits, 0);
    return 0;
}

static struct threaded_buffer *threaded_buffer_of(struct stream *stream)
{
    return (struct threaded_buffer *)(void *)stream;
}

static void end_thread(struct threaded_buffer *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->ending = true;
    pthread_mutex_unlock(&channel->lock);
    os_unpark(&channel->parker);
    pthread_join(channel->thread, NULL);
}

void threaded_run_finish(struct threaded_run *run, struct scheme_figures *figures)
{
    *figures = (struct scheme_figures){
        .buffer_cap_waits = atomic_load(&run->waiters.waits),
        .buffer_turn_waits = atomic_load(&run->turn_waits),
    };
    for (uint32_t i = 0; i < run->roster.count; i++) {
        struct threaded_buffer *channel = threaded_buffer_of(run->roster.streams[i]);
        if (!channel->started)
            continue;
        end_thread(channel);
        assert(channel->buffer == NULL);
        figures->copied_bytes += channel->moved_bytes;
        figures->scanned_bytes += channel->scanned_bytes;
        processor_sum_up(&channel->processor, figures);
    }
    figures->buffer_peak_bytes = atomic_load(&run->budget.peak_bytes);
}

void threaded_run_close(struct threaded_run *run)
{
    for (uint32_t i = 0; i < run->roster.count; i++) {
        struct threaded_buffer *channel = threaded_buffer_of(run->roster.streams[i]);
        pthread_cond_destroy(&channel->frames_taken);
        pthread_mutex_destroy(&channel->lock);
    }
    roster_close(&run->roster);
    wait_list_end(&run->waiters);
    assert(atomic_load(&run->budget.used_bytes) == 0);
}

struct threaded_buffer *threaded_buffer_attach(struct threaded_run *run, void *owner,
                                               uint64_t frames_expected, uint64_t bytes_expected)
{
    struct threaded_buffer *channel = threaded_buffer_of(
        roster_add(&run->roster, run->shape.state_bytes, owner, frames_expected, bytes_expected));

    if (channel == NULL)
        return NULL;
    channel->run = run;
    channel->waiting.stream = &channel->stream;
    pthread_mutex_init(&channel->lock, NULL);
    pthread_cond_init(&channel->frames_taken, NULL);
    processor_init(&channel->processor, &run->config.process, &run->budget);
    if (run->config.early && !acquire(channel))
        return NULL;
    channel->started =
        os_thread_start(&channel->thread, OS_ROLE_BUFFER, STACK_BYTES, process_all, channel) == 0;
    if (channel->started)
        return channel;
    threaded_buffer_detach(channel);
    return NULL;
}

void threaded_buffer_detach(struct threaded_buffer *channel)
{
    wait_list_forget(&channel->run->waiters, &channel->waiting);
    pthread_mutex_lock(&channel->lock);
    channel->detached = true;
    pthread_mutex_unlock(&channel->lock);
    settle_down(channel);
    wait_list_resume(&channel->run->waiters);
}

void threaded_buffer_rewind(struct threaded_buffer *channel)
{
    wait_list_forget(&channel->run->waiters, &channel->waiting);
    pthread_mutex_lock(&channel->lock);
    assert(channel->tail - channel->head >= channel->stream.partial_bytes);
    channel->tail -= channel->stream.partial_bytes;
    channel->room_wanted = false;
    frames_rewind(&channel->stream);
    pthread_mutex_unlock(&channel->lock);
    settle_down(channel);
    wait_list_resume(&channel->run->waiters);
}
