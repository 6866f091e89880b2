#include "client/collector/outage.h"

#include <assert.h>
#include <stdlib.h>

#include "base/os.h"

uint64_t outage_delay_ns(const struct collector_options *options, uint32_t index, uint32_t tries,
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

bool outage_begin(struct outage *outage, const struct collector_options *options, uint32_t index,
                  uint64_t frames, uint64_t now_ns)
{
    assert(frames >= outage->frames);
    if (frames > outage->frames)
        outage->failures = 0;
    outage->frames = frames;
    outage->failures++;
    if (options->reconnect_tries > 0 && outage->failures > options->reconnect_tries)
        return false;
    if (outage->text == NULL)
        outage->text = malloc(TEXT_BYTES_MAX + 1);
    if (outage->text == NULL)
        return false;
    if (outage->since_ns == 0)
        outage->since_ns = now_ns;
    outage->due_ns = now_ns + outage_delay_ns(options, index, outage->tries, outage->failures);
    return true;
}

void outage_end(struct outage *outage, uint64_t now_ns)
{
    if (outage->since_ns == 0)
        return;
    if (now_ns > outage->since_ns && now_ns - outage->since_ns > outage->longest_ns)
        outage->longest_ns = now_ns - outage->since_ns;
    outage->since_ns = 0;
}

void outage_free(struct outage *outage)
{
    free(outage->text);
    outage->text = NULL;
}
