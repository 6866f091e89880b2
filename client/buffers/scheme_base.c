/* The part of a scheme's life that is the same for all of them. */
#include "client/buffers/scheme_base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct scheme_base *base_of(struct scheme_run *run)
{
    return (struct scheme_base *)(void *)run;
}

uint64_t scheme_memory(const struct scheme *scheme, const struct scheme_config *config,
                       uint64_t streams, uint64_t frame_bytes)
{
    struct scheme_need need;
    scheme->need(config, streams, frame_bytes, &need);
    return need.peak_bytes < config->pool_cap_bytes ? need.peak_bytes : config->pool_cap_bytes;
}

static int check_cap(const struct scheme *scheme, const struct scheme_config *config, char *why,
                     size_t why_bytes)
{
    struct scheme_need need;
    scheme->need(config, 0, 0, &need);
    if (config->pool_cap_bytes >= need.least_bytes)
        return 0;
    snprintf(why, why_bytes, "scheme %s needs a cap of at least %llu bytes: %s", scheme->name,
             (unsigned long long)need.least_bytes, need.parts);
    return -EINVAL;
}

static uint64_t free_blocks(void *context)
{
    return pool_blocks_free(base_of(context)->pool);
}

int scheme_open(const struct scheme *scheme, const struct scheme_config *config,
                struct scheme_run **opened, char *why, size_t why_bytes)
{
    assert(config->workers >= 1 && config->batch >= 1);
    int result = check_cap(scheme, config, why, why_bytes);
    if (result != 0)
        return result;
    snprintf(why, why_bytes, "scheme %s: no memory", scheme->name);
    assert(scheme->stream_bytes >= sizeof(struct stream));
    struct scheme_run *run = calloc(1, scheme->run_bytes);
    if (run == NULL)
        return -ENOMEM;
    struct scheme_base *base = base_of(run);
    base->scheme = scheme;
    base->config = *config;
    base->streams = calloc(config->streams_max, scheme->stream_bytes);
    base->waiting = calloc(config->streams_max, sizeof *base->waiting);
    if (base->streams == NULL || base->waiting == NULL) {
        free(base->streams);
        free(base->waiting);
        free(run);
        return -ENOMEM;
    }
    budget_init(&base->budget, config->pool_cap_bytes);
    wait_list_init(
        &base->waiters,
        (struct resource){.free = free_blocks, .take = scheme_take_blocks, .context = run},
        &base->config.events);
    result = scheme->open(run, why, why_bytes);
    if (result == 0) {
        *opened = run;
        return 0;
    }
    struct scheme_figures unused;
    scheme_close(run, &unused);
    return result;
}

static struct stream *stream_at(const struct scheme_base *base, uint32_t index)
{
    return (struct stream *)(void *)((char *)base->streams + index * base->scheme->stream_bytes);
}

/* Each byte of a frame, found or not, was searched once. */
static uint64_t scheme_scanned_bytes(const struct stream *stream)
{
    return stream->found_bytes + stream->partial_bytes;
}

void scheme_close(struct scheme_run *run, struct scheme_figures *figures)
{
    struct scheme_base *base = base_of(run);
    *figures = (struct scheme_figures){0};
    base->scheme->close(run, figures);
    for (uint32_t i = 0; i < base->config.streams_max; i++)
        figures->scanned_bytes += scheme_scanned_bytes(stream_at(base, i));
    figures->scanned_bytes += atomic_load(&base->rewound_scan_bytes);
    free(base->streams);
    free(base->waiting);
    if (base->pool != NULL) {
        figures->pool_blocks = pool_blocks(base->pool);
        figures->blocks_lost = pool_close(base->pool);
    }
    figures->buffer_peak_bytes = atomic_load(&base->budget.peak_bytes);
    figures->buffer_cap_waits += atomic_load(&base->waiters.waits);
    assert(atomic_load(&base->budget.used_bytes) == 0);
    wait_list_end(&base->waiters);
    free(run);
}

struct stream *scheme_stream(const struct scheme_base *base, uint32_t index)
{
    struct stream *stream = stream_at(base, index);
    return stream->goal != NULL ? stream : NULL;
}

uint32_t scheme_index(const struct scheme_run *run, const struct stream *stream)
{
    const struct scheme_base *base = (const struct scheme_base *)(const void *)run;
    const size_t offset = (size_t)((const char *)stream - (const char *)base->streams);
    return (uint32_t)(offset / base->scheme->stream_bytes);
}

struct waiter *scheme_waiter(const struct scheme_base *base, const struct stream *stream)
{
    return &base->waiting[scheme_index((const struct scheme_run *)(const void *)base, stream)];
}

void scheme_hurry(struct scheme_run *run)
{
    atomic_store(&base_of(run)->hurried, true);
}

struct stream *scheme_attach(struct scheme_run *run, uint32_t index, const struct stream_goal *goal)
{
    struct scheme_base *base = base_of(run);
    assert((goal->frames > 0) == (goal->bytes > 0));
    assert(index < base->config.streams_max);
    struct stream *stream = stream_at(base, index);
    assert(stream->goal == NULL);
    stream->goal = goal;
    stream->notified = goal->frames == 0;
    if (base->scheme->attach == NULL || base->scheme->attach(run, stream))
        return stream;
    scheme_detach(run, stream);
    return NULL;
}

static void release(struct scheme_run *run, struct stream *stream, bool ended, uint64_t bytes)
{
    struct scheme_base *base = base_of(run);
    wait_list_forget(&base->waiters, scheme_waiter(base, stream));
    base->scheme->release(run, stream, ended, bytes);
    wait_list_resume(&base->waiters);
}

void scheme_finish(struct scheme_run *run, struct stream *stream)
{
    const struct scheme *scheme = base_of(run)->scheme;
    assert(scheme->finish != NULL);
    scheme->finish(run, stream, frames_end(stream));
}

void scheme_detach(struct scheme_run *run, struct stream *stream)
{
    release(run, stream, true, 0);
}

void scheme_rewind(struct scheme_run *run, struct stream *stream, uint64_t bytes)
{
    assert(bytes <= stream->received_bytes);
    assert(bytes == stream->partial_bytes || stream->partial_bytes == 0);
    struct scheme_base *base = base_of(run);
    atomic_fetch_add(&base->rewound_scan_bytes, stream->partial_bytes);
    stream->received_bytes -= bytes;
    stream->partial_bytes = 0;
    stream->marker = (struct marker_state){0};
    release(run, stream, false, bytes);
}

/* ---- for the schemes ------------------------------------------------------------------------ */

size_t scheme_receive_bytes(const struct scheme_config *config)
{
    return config->block_bytes * config->blocks_per_receive;
}

uint64_t scheme_least_holders(const struct scheme_config *config)
{
    return config->early ? config->streams_max : 1;
}

void scheme_need_each(const struct scheme_config *config, uint64_t bytes, const char *what,
                      const char *late, struct scheme_need *need)
{
    need->least_bytes = scheme_least_holders(config) * bytes;
    snprintf(need->parts, sizeof need->parts, "%s of %llu for %s", what, (unsigned long long)bytes,
             config->early ? "each connection (early binding)" : late);
}

int scheme_pool_open(struct scheme_base *base, size_t block_bytes, unsigned first_blocks,
                     unsigned batch_blocks)
{
    base->pool = pool_open(block_bytes, first_blocks, batch_blocks, &base->budget);
    return base->pool != NULL ? 0 : -ENOMEM;
}

unsigned scheme_blocks_wanted(const struct scheme_config *config, unsigned want, unsigned max)
{
    if (config->early && config->pool_cap_bytes != UINT64_MAX)
        return 1;
    return want < max ? want : max;
}

bool scheme_take_blocks(void *run, struct stream *stream, unsigned want)
{
    unsigned count;
    stream->blocks = pool_take(base_of(run)->pool, want, 0, &count);
    return count > 0;
}

bool scheme_blocks_ready(struct scheme_run *run, struct stream *stream, unsigned want)
{
    struct scheme_base *base = base_of(run);
    struct wait_list *waiters = &base->waiters;
    return stream->blocks != NULL || waiters->resource.take(run, stream, want) ||
           !wait_list_wait(waiters, scheme_waiter(base, stream), stream, want);
}

unsigned scheme_offer_blocks(const struct scheme_config *config, const struct stream *stream,
                             struct cp_block *blocks, unsigned max)
{
    unsigned count = 0;
    for (struct block *block = stream->blocks; block != NULL && count < max; block = block->next)
        blocks[count++] = (struct cp_block){block->data, config->block_bytes};
    return count;
}

void scheme_return_blocks(struct scheme_run *run, struct stream *stream)
{
    struct block_batch batch = {0};
    block_batch_add_all(&batch, &stream->blocks);
    block_batch_flush(&batch, base_of(run)->pool);
}
