#include "client/buffers/slices_plan.h"

#include <stdio.h>

#include "client/buffers/processor_threads.h"
#include "client/buffers/block_cache.h"

enum {
    BYTE_BITS = 8,
    AHEAD_BYTES = 256 * 1024, /* of a cache: what is not processed soon goes cold */
};

static uint64_t round_up(uint64_t count, uint64_t step)
{
    return (count + step - 1) / step * step;
}

size_t slices_plan_marks(size_t block_bytes)
{
    return round_up(block_bytes, sizeof(uint64_t));
}

size_t slices_plan_data(const struct scheme_config *config)
{
    const size_t words = round_up(config->block_bytes, sizeof(uint64_t) * BYTE_BITS) / BYTE_BITS;

    if (config->processors == 0)
        return config->block_bytes;
    return slices_plan_marks(config->block_bytes) + words;
}

uint64_t slices_plan_blocks(const struct scheme_config *config)
{
    return config->pool_cap_bytes / pool_block_charge(slices_plan_data(config));
}

unsigned slices_plan_half(const struct scheme_config *config)
{
    return block_cache_magazine(config->block_bytes, slices_plan_blocks(config), config->workers);
}

unsigned slices_plan_ahead(const struct scheme_config *config)
{
    return (unsigned)(AHEAD_BYTES / config->block_bytes) + config->blocks_per_receive;
}

/* Nobody holds a block for want of a frame's end, so one moves the run on. */
static uint64_t least_blocks(const struct scheme_config *config)
{
    return config->early ? config->streams_max : 1;
}

/* Frames are not held, however long: what counts is who receives, not what. */
uint64_t slices_plan_memory(const struct scheme_config *config, uint64_t streams,
                            uint64_t frame_bytes)
{
    const uint64_t half = slices_plan_half(config) > 0 ? slices_plan_half(config) : 1;
    const uint64_t posted = config->early ? streams * config->blocks_per_receive : 0;
    const uint64_t ahead = config->processors > 0 ? slices_plan_ahead(config) : 0;
    const uint64_t cache =
        round_up((uint64_t)config->batch * config->blocks_per_receive + ahead, half);
    /* In place, the blocks of the receive at hand are among those posted. */
    const uint64_t caches = config->workers - (config->early && ahead == 0);
    const uint64_t blocks = round_up(posted, half) + caches * cache;
    const uint64_t bytes =
        round_up(blocks, config->pool_batch) * pool_block_charge(slices_plan_data(config));

    (void)frame_bytes;
    return bytes < config->pool_cap_bytes ? bytes : config->pool_cap_bytes;
}

int slices_plan_check(const struct scheme_config *config, char *why, size_t why_bytes)
{
    const uint64_t block = pool_block_charge(slices_plan_data(config));

    if (config->processors > PROCESSOR_THREADS_MAX) {
        snprintf(why, why_bytes, "scheme slices takes at most %d processing threads",
                 PROCESSOR_THREADS_MAX);
        return -1;
    }
    if (config->pool_cap_bytes >= least_blocks(config) * block)
        return 0;
    snprintf(why, why_bytes,
             "scheme slices needs a cap of at least %llu bytes: a block of %llu for %s",
             (unsigned long long)(least_blocks(config) * block), (unsigned long long)block,
             config->early ? "each connection (early binding)" : "the receive at hand");
    return -1;
}
