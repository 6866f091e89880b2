/* Frames that lie whole and in one piece, wherever they begin: a ring mapped twice in a row.
 *
 *        first view               second view, the same bytes
 *    .---------------------------.---------------------------.
 *    | ame 7..>|  free  | frame 6 | fr..>ame 7|               |   a frame around the end
 *    '---------------------------'---------------------------'   goes on behind it
 *              ^tail    ^done     ^head
 *
 * The port receives behind the tail, always in one block. What arrives is searched at once, and a
 * frame that is whole is processed where it lies, by the worker that received its end: the
 * application gets it in one piece, and no byte is copied. What stays is the unfinished frame.
 *
 * A ring belongs to a connection only as long as one of its frames is unfinished (early binding: as
 * long as it is connected); at a frame's border it goes back to a stack, and the next connection
 * goes on in warm memory. So idle connections hold none, and the system's limit on maps (two a
 * ring) is met by the number of frames under way, not by that of connections.
 *
 * AT THE CAP offer answers 0, and streams wait in turn for a ring. Who has one can finish its
 * frame, since it is larger than the largest frame: so nobody waits for ever. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/buffers/block_cache.h"
#include "client/buffers/frames.h"
#include "client/buffers/rings.h"
#include "client/buffers/roster.h"
#include "client/buffers/schemes.h"
#include "client/buffers/wait_list.h"

struct mirror_stream {
    struct stream stream;
    struct waiter waiting;
    struct ring_of_two *ring; /* NULL: none at present */
    size_t head;              /* where the unfinished frame begins, in the first view */
};

struct scheme_run {
    struct scheme_config config;
    size_t receive_bytes; /* room before each receive, and most of what it brings */
    struct budget budget;
    struct rings rings;
    struct roster roster;
    struct wait_list waiters;
    struct block_caches caches; /* for their processors: a thread's own */
};

static struct mirror_stream *mirror_of(struct stream *stream)
{
    return (struct mirror_stream *)(void *)stream;
}

/* ---- rings ---------------------------------------------------------------------------------- */

static uint64_t free_rings(void *context)
{
    struct scheme_run *run = context;

    return rings_free(&run->rings);
}

static bool take_ring(void *context, struct stream *stream, unsigned want)
{
    struct scheme_run *run = context;
    struct mirror_stream *mirror = mirror_of(stream);

    (void)want; /* there is one for each */
    mirror->ring = rings_take(&run->rings);
    mirror->head = 0;
    return mirror->ring != NULL;
}

static void give_ring(struct scheme_run *run, struct mirror_stream *mirror)
{
    if (mirror->ring == NULL)
        return;
    rings_give(&run->rings, mirror->ring);
    mirror->ring = NULL;
    wait_list_resume(&run->waiters);
}

/* With nothing unfinished the ring begins anew, where it is warm, and goes to whoever is next. */
static void rest(struct scheme_run *run, struct mirror_stream *mirror)
{
    if (mirror->stream.partial_bytes > 0)
        return;
    mirror->head = 0;
    if (!run->config.early)
        give_ring(run, mirror);
}

/* ---- receive -------------------------------------------------------------------------------- */

static unsigned mirror_offer(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                             unsigned max)
{
    struct mirror_stream *mirror = mirror_of(stream);

    assert(max >= 1);
    (void)max;
    if (mirror->ring == NULL && !take_ring(run, stream, 1) &&
        wait_list_wait(&run->waiters, &mirror->waiting, 1))
        return 0;
    assert(stream->partial_bytes + run->receive_bytes <= run->rings.ring_bytes);
    blocks[0] = (struct cp_block){mirror->ring->bytes + mirror->head + stream->partial_bytes,
                                  run->receive_bytes};
    return 1;
}

/* Processes what is whole, where it lies. `piece` is behind the unfinished frame. */
static enum frame_error look(struct scheme_run *run, struct block_cache *cache,
                             struct mirror_stream *mirror, const uint8_t *piece, size_t bytes)
{
    struct stream *stream = &mirror->stream;
    enum frame_error error = FRAME_OK;
    size_t at = 0;

    while (at < bytes && error == FRAME_OK) {
        size_t end = 0, frame_bytes = 0;
        error = frames_find(&run->config, stream, piece + at, bytes - at, &end, &frame_bytes);
        if (error != FRAME_OK)
            break;
        at += end > 0 ? end : bytes - at;
        if (end == 0)
            break;
        if (stream->error == FRAME_OK)
            stream->error = process_in_place(&cache->processor, stream,
                                             mirror->ring->bytes + mirror->head, frame_bytes);
        mirror->head = (mirror->head + frame_bytes) % run->rings.ring_bytes;
    }
    cache->scanned_bytes += at;
    return error;
}

static enum frame_error mirror_received(struct scheme_run *run, struct stream *stream,
                                        struct cp_block *blocks, unsigned count, size_t bytes)
{
    struct mirror_stream *mirror = mirror_of(stream);
    const uint64_t frames = stream->processed_frames;
    const enum frame_error before = stream->error;

    assert(bytes > 0 && count == 1 && bytes <= blocks[0].bytes);
    (void)count;
    stream->received_bytes += bytes;
    struct block_cache *cache = block_cache_acquire(&run->caches);
    const enum frame_error error = look(run, cache, mirror, blocks[0].data, bytes);
    block_cache_release(cache);
    frames_notify_progress(stream, &run->config.events, frames, before);
    rest(run, mirror);
    return error;
}

static void mirror_retract(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                           unsigned count)
{
    (void)blocks;
    (void)count;
    rest(run, mirror_of(stream));
}

/* ---- memory --------------------------------------------------------------------------------- */

static size_t receive_bytes_of(const struct scheme_config *config)
{
    return config->block_bytes * config->blocks_per_receive;
}

static size_t ring_bytes_of(const struct scheme_config *config)
{
    return rings_size(config->process.frame_bytes_max + receive_bytes_of(config));
}

/* A ring for each frame under way, and one for the receive at hand. */
static uint64_t mirror_memory(const struct scheme_config *config, uint64_t streams,
                              uint64_t frame_bytes)
{
    const uint64_t rings = config->early || frame_bytes > 0 ? streams : config->workers;
    const uint64_t bytes = rings * ring_bytes_of(config);

    return bytes < config->pool_cap_bytes ? bytes : config->pool_cap_bytes;
}

static int check(const struct scheme_config *config, char *why, size_t why_bytes)
{
    const uint64_t ring = ring_bytes_of(config);
    const uint64_t least = config->early ? config->streams_max : 1;

    if (least > rings_max()) {
        snprintf(why, why_bytes,
                 "scheme mirror with early binding maps a ring for each of %llu connections, and "
                 "this system allows %llu (sysctl vm.max_map_count); late binding needs one only "
                 "for each frame under way",
                 (unsigned long long)least, (unsigned long long)rings_max());
        return -1;
    }
    if (config->pool_cap_bytes >= least * ring)
        return 0;
    snprintf(why, why_bytes, "scheme mirror needs a cap of at least %llu bytes: a ring of %llu %s",
             (unsigned long long)(least * ring), (unsigned long long)ring,
             config->early ? "for each connection (early binding)" : "for the frame at hand");
    return -1;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int mirror_open(const struct scheme_config *config, struct scheme_run **opened, char *why,
                       size_t why_bytes)
{
    if (check(config, why, why_bytes) != 0)
        return -1;
    snprintf(why, why_bytes, "scheme mirror: no memory that could be mapped twice");
    struct scheme_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return -1;
    run->config = *config;
    run->receive_bytes = receive_bytes_of(config);
    budget_init(&run->budget, config->pool_cap_bytes);
    wait_list_init(&run->waiters, &(struct resource){.free = free_rings,
                                                     .take = take_ring,
                                                     .context = run,
                                                     .events = &run->config.events});
    if (rings_open(&run->rings, ring_bytes_of(config), &run->budget) != 0)
        goto free_run;
    if (block_caches_open(&run->caches, run->config.workers, NULL, 0, &run->config.process,
                          &run->budget) != 0)
        goto close_rings;
    if (roster_open(&run->roster, config->streams_max) != 0)
        goto close_desks;
    *opened = run;
    return 0;

close_desks:
    block_caches_close(&run->caches);
close_rings:
    rings_close(&run->rings);
free_run:
    wait_list_end(&run->waiters);
    free(run);
    return -1;
}

static void mirror_close(struct scheme_run *run, struct scheme_figures *figures)
{
    *figures = (struct scheme_figures){
        .buffer_peak_bytes = atomic_load(&run->budget.peak_bytes),
        .buffer_cap_waits = atomic_load(&run->waiters.waits),
        .pool_blocks = run->rings.count,
    };
    for (unsigned i = 0; i < run->caches.count; i++)
        block_cache_sum_up(&run->caches.all[i], figures);
    roster_close(&run->roster);
    block_caches_close(&run->caches);
    figures->blocks_lost = rings_close(&run->rings);
    wait_list_end(&run->waiters);
    assert(atomic_load(&run->budget.used_bytes) == 0);
    free(run);
}

static struct stream *mirror_attach(struct scheme_run *run, void *owner, uint64_t frames_expected,
                                    uint64_t bytes_expected)
{
    struct stream *stream = roster_add(&run->roster, sizeof(struct mirror_stream), owner,
                                       frames_expected, bytes_expected);

    if (stream == NULL)
        return NULL;
    mirror_of(stream)->waiting.stream = stream;
    if (run->config.early && !take_ring(run, stream, 1))
        return NULL;
    return stream;
}

static void mirror_detach(struct scheme_run *run, struct stream *stream)
{
    wait_list_forget(&run->waiters, &mirror_of(stream)->waiting);
    give_ring(run, mirror_of(stream));
    wait_list_resume(&run->waiters);
}

/* Nothing else holds memory of the stream's, so it is as good as new. */
static void mirror_rewind(struct scheme_run *run, struct stream *stream, uint64_t bytes)
{
    assert(bytes == stream->partial_bytes);
    (void)bytes;
    frames_rewind(stream);
    mirror_detach(run, stream);
}

const struct scheme scheme_mirror = {
    .name = "mirror",
    .summary = "a ring mapped twice, of a stack: each frame in one piece, processed where it lies",
    .memory = mirror_memory,
    .open = mirror_open,
    .close = mirror_close,
    .attach = mirror_attach,
    .detach = mirror_detach,
    .rewind = mirror_rewind,
    .offer = mirror_offer,
    .received = mirror_received,
    .retract = mirror_retract,
};
