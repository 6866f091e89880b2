/* When a server is away: how long to wait before it is tried again, and what that cost. */
#include "client/collector/run.h"

#include <assert.h>
#include <stdlib.h>

uint64_t reconnect_delay_ns(const struct collector_options *options, uint32_t index, uint32_t tries,
                            uint32_t failures)
{
    enum { DOUBLINGS_MAX = 22, US_PER_MS = 1000, NS_PER_US = 1000 };
    assert(failures > 0);
    uint32_t doublings = failures < DOUBLINGS_MAX ? failures : DOUBLINGS_MAX;
    uint64_t most_ms = options->reconnect_delay_ms_min << doublings;
    if (most_ms > options->reconnect_delay_ms_max)
        most_ms = options->reconnect_delay_ms_max;
    /* The protocol's own mix serves as the source of chance; no frame has such a number. */
    uint64_t draw = UINT64_MAX - ((uint64_t)index << 32 | tries);
    uint32_t most_us = (uint32_t)(most_ms * US_PER_MS);
    return (uint64_t)protocol_frame_length(options->seed, draw, 0, most_us) * NS_PER_US;
}

bool reconnect_begin(struct reconnect *reconnect, const struct collector_options *options,
                     uint32_t index, uint64_t frames, uint64_t now_ns)
{
    assert(frames >= reconnect->frames);
    if (frames > reconnect->frames)
        reconnect->failures = 0;
    reconnect->frames = frames;
    reconnect->failures++;
    if (options->reconnect_tries > 0 && reconnect->failures > options->reconnect_tries)
        return false;
    if (reconnect->text == NULL)
        reconnect->text = malloc(TEXT_BYTES_MAX + 1);
    if (reconnect->text == NULL)
        return false;
    if (reconnect->since_ns == 0)
        reconnect->since_ns = now_ns;
    reconnect->wait_ns = reconnect_delay_ns(options, index, reconnect->tries, reconnect->failures);
    return true;
}

void reconnect_end(struct reconnect *reconnect, uint64_t now_ns)
{
    if (reconnect->since_ns == 0)
        return;
    if (now_ns > reconnect->since_ns && now_ns - reconnect->since_ns > reconnect->longest_ns)
        reconnect->longest_ns = now_ns - reconnect->since_ns;
    reconnect->since_ns = 0;
}
