/* One direction of a wire, by arithmetic alone. */
#include "mock_servers/lan/shaper.h"

#include <assert.h>

#include "base/os.h"
#include "base/random.h"
#include "mock_servers/lan/lan.h"

void shaper_start(struct shaper *shaper, const struct shaper_config *config)
{
    assert(config->jitter_ns <= config->delay_ns);
    assert(config->queue_bytes <= SHAPER_QUEUE_BYTES_MAX);
    assert(config->loss >= 0 && config->loss <= 1);
    *shaper = (struct shaper){.config = *config, .random = config->seed};
    if (config->rate_bits_per_s > 0)
        shaper->queue_ns =
            config->queue_bytes * BITS_PER_BYTE * OS_NS_PER_S / config->rate_bits_per_s;
}

/* 0 <= share < 1, in steps of 2^-53. */
static double random_share(struct shaper *shaper)
{
    return (double)(random_next(&shaper->random) >> 11) * 0x1p-53;
}

uint64_t shaper_wire_bytes(uint32_t frame_bytes)
{
    bool padded = frame_bytes < ETHERNET_FRAME_BYTES_MIN;
    return (padded ? ETHERNET_FRAME_BYTES_MIN : frame_bytes) + ETHERNET_WIRE_EXTRA_BYTES;
}

uint64_t shaper_held_bytes_max(const struct shaper_config *config)
{
    uint64_t flight_ns = config->delay_ns + config->jitter_ns;
    double flight_bytes =
        (double)config->rate_bits_per_s / BITS_PER_BYTE * (double)flight_ns / OS_NS_PER_S;
    return config->queue_bytes + (uint64_t)flight_bytes + WIRE_BYTES_MAX;
}

/* False: the queue is full. A wire that is free takes any frame. */
static bool wire_send(struct shaper *shaper, uint64_t now_ns, uint64_t wire_bytes)
{
    uint64_t rate = shaper->config.rate_bits_per_s;
    if (now_ns >= shaper->free_at_ns) {
        shaper->free_at_ns = now_ns;
        shaper->free_rest = 0;
    }
    if (rate == 0)
        return true;
    uint64_t parts = wire_bytes * BITS_PER_BYTE * OS_NS_PER_S; /* of a nanosecond: 1 / rate */
    uint64_t waits_ns = shaper->free_at_ns - now_ns;
    if (waits_ns > 0 && waits_ns + parts / rate > shaper->queue_ns)
        return false;
    /* The remainder is kept, so that rates that do not divide a second do not drift. */
    parts += shaper->free_rest;
    shaper->free_at_ns += parts / rate;
    shaper->free_rest = parts % rate;
    return true;
}

static uint64_t propagation_ns(struct shaper *shaper)
{
    uint64_t jitter_ns = shaper->config.jitter_ns;
    if (jitter_ns == 0)
        return shaper->config.delay_ns;
    double spread = random_share(shaper) * (double)(2 * jitter_ns + 1);
    return shaper->config.delay_ns - jitter_ns + (uint64_t)spread;
}

enum shaper_fate shaper_take(struct shaper *shaper, uint64_t now_ns, uint32_t frame_bytes,
                             uint64_t *due_ns)
{
    assert(frame_bytes > 0);
    if (shaper->down)
        return SHAPER_CUT;
    if (!wire_send(shaper, now_ns, shaper_wire_bytes(frame_bytes)))
        return SHAPER_OVERFLOWED;
    if (shaper->config.loss > 0 && random_share(shaper) < shaper->config.loss)
        return SHAPER_LOST;
    uint64_t due = shaper->free_at_ns + propagation_ns(shaper);
    if (due < shaper->last_due_ns)
        due = shaper->last_due_ns;
    shaper->last_due_ns = due;
    *due_ns = due;
    return SHAPER_CARRIED;
}
