/* How much memory slices need: arithmetic only. */
#ifndef FANIN_SLICES_PLAN_H
#define FANIN_SLICES_PLAN_H

#include "client/buffers/scheme.h"

/* slices_plan_data: bytes of a block's data: what is received, and with processing threads a bit
 * for each byte of it behind that. */
size_t slices_plan_data(const struct scheme_config *config);

/* slices_plan_marks: where these bits begin. */
size_t slices_plan_marks(size_t block_bytes);

/* slices_plan_blocks: blocks that the cap has room for. */
uint64_t slices_plan_blocks(const struct scheme_config *config);

/* slices_plan_half: blocks of half a cache (cache.h). slices_plan_ahead: that may be on their way
 * from one cache to the processing threads. */
unsigned slices_plan_half(const struct scheme_config *config);
unsigned slices_plan_ahead(const struct scheme_config *config);

/* slices_plan_memory, slices_plan_check: struct scheme's memory, and open's check of the config. */
uint64_t slices_plan_memory(const struct scheme_config *config, uint64_t streams,
                            uint64_t frame_bytes);
int slices_plan_check(const struct scheme_config *config, char *why, size_t why_bytes);

#endif
