/* How much memory the chain needs: arithmetic only. */
#ifndef FANIN_CHAIN_PLAN_H
#define FANIN_CHAIN_PLAN_H

#include "client/buffers/scheme.h"

/* chain_plan_reserve: blocks that one whole frame needs at most. */
uint64_t chain_plan_reserve(const struct scheme_config *config);

/* chain_plan_memory, chain_plan_check: struct scheme's memory, and open's check of the cap. */
uint64_t chain_plan_memory(const struct scheme_config *config, uint64_t streams,
                           uint64_t frame_bytes);
int chain_plan_check(const struct scheme_config *config, char *why, size_t why_bytes);

#endif
