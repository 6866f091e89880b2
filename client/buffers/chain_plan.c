#include "client/buffers/chain_plan.h"

#include <stdio.h>

#include "client/buffers/frame_queue.h"

static uint64_t blocks_for(const struct scheme_config *config, uint64_t bytes)
{
    return (bytes + config->block_bytes - 1) / config->block_bytes;
}

/* One whole frame, and at its two ends a block that it shares with another. */
uint64_t chain_plan_reserve(const struct scheme_config *config)
{
    return blocks_for(config, config->process.frame_bytes_max) + 2;
}

uint64_t chain_plan_memory(const struct scheme_config *config, uint64_t streams,
                           uint64_t frame_bytes)
{
    const uint64_t posted = config->early ? config->blocks_per_receive : 0;
    const uint64_t batch = config->pool_batch;
    const uint64_t blocks = streams * (blocks_for(config, frame_bytes) + posted);
    const uint64_t bytes =
        config->process.frame_bytes_max + frame_queue_charge() +
        (blocks + batch - 1) / batch * batch * pool_block_charge(config->block_bytes);

    return bytes < config->pool_cap_bytes ? bytes : config->pool_cap_bytes;
}

int chain_plan_check(const struct scheme_config *config, char *why, size_t why_bytes)
{
    const uint64_t frame = config->process.frame_bytes_max, records = frame_queue_charge();
    const uint64_t blocks = chain_plan_reserve(config) * pool_block_charge(config->block_bytes);

    if (config->pool_cap_bytes >= frame + records + blocks)
        return 0;
    snprintf(why, why_bytes,
             "scheme chain needs a cap of at least %llu bytes: %llu for the processing buffer (one "
             "frame), %llu for frame records, %llu for %llu blocks (one frame and both its ends)",
             (unsigned long long)(frame + records + blocks), (unsigned long long)frame,
             (unsigned long long)records, (unsigned long long)blocks,
             (unsigned long long)chain_plan_reserve(config));
    return -1;
}
