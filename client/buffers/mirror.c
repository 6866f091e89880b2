/* Frames that lie whole and in one piece, wherever they begin: a ring mapped twice in a row.
 *
 *        first view               second view, the same bytes
 *    .---------------------------.---------------------------.
 *    | ame 7..>|  free  | frame 6 | fr..>ame 7|               |   a frame around the end
 *    '---------------------------'---------------------------'   goes on behind it
 *              ^tail    ^done     ^head
 *
 * The port receives behind the tail, always in one block. What arrives is searched at once, and a
 * whole frame is processed where it lies, by the worker that received its end: the application gets
 * it in one piece, and no byte is copied. The unfinished frame stays.
 *
 * A ring belongs to a connection only while one of its frames is unfinished (early binding: while
 * it is connected). Between frames it goes back to a stack, and the next connection goes on in warm
 * memory. So idle connections hold none, and the system's limit on maps (two a ring) is met by the
 * number of unfinished frames, not of connections.
 *
 * Where a stream's frames are as long as each other, a receive ends with one, so that the ring
 * begins anew and goes to the next connection while it is hot (late binding).
 *
 * AT THE CAP offer returns 0, and streams wait in turn for a ring. A stream that has one can finish
 * its frame, since the ring is larger than the largest frame. So none waits for ever. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "client/buffers/block_cache.h"
#include "client/buffers/scheme_base.h"

struct mirror_stream {
    struct stream stream;
    uint8_t *ring; /* NULL: none at present */
    uint32_t head; /* where the unfinished frame begins, in the first view */
    struct length_guess guess;
};

struct scheme_run {
    struct scheme_base base;
    struct block_caches caches; /* for their processors: a thread's own */
    size_t receive_bytes;       /* room before each receive, and the most that it brings */
    size_t ring_bytes;          /* charged for a ring: the second view costs addresses only */

    pthread_mutex_t lock;       /* over what follows */
    void *free;                 /* a stack of rings: each begins with the address of the next */
    uint64_t free_count, count; /* count: all */
};

static struct mirror_stream *mirror_of(struct stream *stream)
{
    return (struct mirror_stream *)(void *)stream;
}

/* ---- rings ---------------------------------------------------------------------------------- */

static uint64_t free_rings(void *context)
{
    struct scheme_run *run = context;
    pthread_mutex_lock(&run->lock);
    const uint64_t count = run->free_count;
    pthread_mutex_unlock(&run->lock);
    return count;
}

/* With the lock held. NULL: none is free. */
static void *pop_ring(struct scheme_run *run)
{
    void *ring = run->free;
    if (ring != NULL) {
        run->free = *(void **)ring;
        run->free_count--;
    }
    return ring;
}

/* NULL at the cap or when the system gives no more. Without the lock: it takes system calls. */
static void *map_ring(struct scheme_run *run)
{
    if (!budget_charge(&run->base.budget, run->ring_bytes))
        return NULL;
    void *ring = os_mirror_map(run->ring_bytes);
    if (ring == NULL) {
        budget_refund(&run->base.budget, run->ring_bytes);
        return NULL;
    }
    pthread_mutex_lock(&run->lock);
    run->count++;
    pthread_mutex_unlock(&run->lock);
    return ring;
}

/* One ring for each stream, whatever it wants. */
static bool take_ring(void *context, struct stream *stream, unsigned want)
{
    struct scheme_run *run = context;
    struct mirror_stream *mirror = mirror_of(stream);
    pthread_mutex_lock(&run->lock);
    mirror->ring = pop_ring(run);
    pthread_mutex_unlock(&run->lock);
    if (mirror->ring == NULL)
        mirror->ring = map_ring(run);
    mirror->head = 0;
    return mirror->ring != NULL;
}

static void give_ring(struct scheme_run *run, struct mirror_stream *mirror)
{
    if (mirror->ring == NULL)
        return;
    pthread_mutex_lock(&run->lock);
    *(void **)(void *)mirror->ring = run->free;
    run->free = mirror->ring;
    run->free_count++;
    pthread_mutex_unlock(&run->lock);
    mirror->ring = NULL;
    wait_list_resume(&run->base.waiters);
}

/* ---- receive -------------------------------------------------------------------------------- */

static unsigned mirror_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                             unsigned max)
{
    struct mirror_stream *mirror = mirror_of(stream);
    assert(max >= 1);
    if (mirror->ring == NULL && !take_ring(run, stream, 1) &&
        wait_list_wait(&run->base.waiters, scheme_waiter(&run->base, stream), stream, 1))
        return 0;
    assert(stream->partial_bytes + run->receive_bytes <= run->ring_bytes);
    const size_t room =
        run->base.config.early
            ? run->receive_bytes
            : length_guess_room(&mirror->guess, stream->partial_bytes, run->receive_bytes);
    blocks[0] = (struct cp_block){mirror->ring + mirror->head + stream->partial_bytes, room};
    return 1;
}

/* With nothing unfinished the ring starts again where it is warm, and goes to the next stream. */
static void mirror_retract(struct scheme_run *run, struct stream *stream)
{
    if (stream->partial_bytes > 0)
        return;
    mirror_of(stream)->head = 0;
    if (!run->base.config.early)
        give_ring(run, mirror_of(stream));
}

/* Processes whole frames where they lie. `piece` is behind the unfinished frame. */
static enum frame_error search(struct scheme_run *run, struct processor *processor,
                               struct mirror_stream *mirror, const uint8_t *piece, size_t bytes)
{
    struct stream *stream = &mirror->stream;
    enum frame_error error = FRAME_OK;
    size_t at = 0;
    while (at < bytes) {
        size_t end = 0, frame_bytes = 0;
        error = frames_find(&run->base.config, stream, piece + at, bytes - at, &end, &frame_bytes);
        if (error != FRAME_OK || end == 0)
            break;
        at += end;
        length_guess_note(&mirror->guess, frame_bytes);
        if (stream->error == FRAME_OK)
            stream->error =
                process_in_place(processor, stream, mirror->ring + mirror->head, frame_bytes);
        mirror->head = (uint32_t)((mirror->head + frame_bytes) % run->ring_bytes);
    }
    return error;
}

static enum frame_error mirror_received(struct scheme_run *run, struct stream *stream,
                                        struct cp_block *blocks, unsigned count, size_t bytes)
{
    assert(bytes > 0 && count == 1 && bytes <= blocks[0].bytes);
    stream->received_bytes += bytes;
    struct block_cache *cache = block_cache_acquire(&run->caches);
    const enum frame_error error =
        search(run, &cache->processor, mirror_of(stream), blocks[0].data, bytes);
    block_cache_release(cache);
    frames_notify(stream, &run->base.config.events);
    mirror_retract(run, stream);
    return error;
}

static void mirror_finish(struct scheme_run *run, struct stream *stream, size_t bytes)
{
    struct mirror_stream *mirror = mirror_of(stream);
    struct block_cache *cache = block_cache_acquire(&run->caches);
    if (stream->error == FRAME_OK)
        stream->error =
            process_in_place(&cache->processor, stream, mirror->ring + mirror->head, bytes);
    block_cache_release(cache);
    frames_notify(stream, &run->base.config.events);
}

/* ---- life ----------------------------------------------------------------------------------- */

static size_t ring_bytes_of(const struct scheme_config *config)
{
    return round_up(config->process.frame_bytes_max + scheme_receive_bytes(config),
                    os_mirror_step());
}

/* A ring for each unfinished frame, and one for the receive at hand. */
static void mirror_need(const struct scheme_config *config, uint64_t streams, uint64_t frame_bytes,
                        struct scheme_need *need)
{
    const uint64_t ring = ring_bytes_of(config);
    need->peak_bytes = (config->early || frame_bytes > 0 ? streams : config->workers) * ring;
    scheme_need_each(config, ring, "a ring", "the frame at hand", need);
}

static int mirror_open(struct scheme_run *run, char *why, size_t why_bytes)
{
    struct scheme_base *base = &run->base;
    const struct scheme_config *config = &base->config;
    const uint64_t least = scheme_least_holders(config), most = os_mirrors_max();
    pthread_mutex_init(&run->lock, NULL);
    if (least > most) {
        snprintf(why, why_bytes,
                 "scheme mirror with early binding maps a ring for each of %llu connections, and "
                 "this system allows %llu (sysctl vm.max_map_count); late binding needs one only "
                 "for each unfinished frame",
                 (unsigned long long)least, (unsigned long long)most);
        return -ENOMEM;
    }
    run->receive_bytes = scheme_receive_bytes(config);
    run->ring_bytes = ring_bytes_of(config);
    assert(run->ring_bytes <= UINT32_MAX);
    base->waiters.resource.free = free_rings;
    base->waiters.resource.take = take_ring;
    errno = 0;
    run->free = map_ring(run);
    if (run->free == NULL) {
        const int error = errno == 0 ? ENOMEM : errno;
        snprintf(why, why_bytes, "scheme mirror: no memory that can be mapped twice: %s",
                 strerror(error));
        return error == EINVAL ? -ENOMEM : -error;
    }
    run->free_count = 1;
    return block_caches_open(&run->caches, base, 0);
}

static void mirror_close(struct scheme_run *run, struct scheme_figures *figures)
{
    block_caches_close(&run->caches, figures);
    figures->pool_blocks = run->count;
    figures->blocks_lost = run->count - run->free_count;
    for (void *ring = pop_ring(run); ring != NULL; ring = pop_ring(run))
        os_mirror_unmap(ring, run->ring_bytes);
    budget_refund(&run->base.budget, run->count * run->ring_bytes);
    pthread_mutex_destroy(&run->lock);
}

static bool mirror_attach(struct scheme_run *run, struct stream *stream)
{
    return !run->base.config.early || take_ring(run, stream, 1);
}

static void mirror_release(struct scheme_run *run, struct stream *stream, bool ended,
                           uint64_t bytes)
{
    give_ring(run, mirror_of(stream));
}

const struct scheme scheme_mirror = {
    .summary = "a ring mapped twice: each frame in one piece, processed in place",
    SCHEME(mirror, mirror_stream),
    .close = mirror_close,
    .attach = mirror_attach,
    .finish = mirror_finish,
};
