/* The wire, by hand-stepped time: what each frame takes, when it arrives, and what becomes of those
 * that do not. */
#include "mock_servers/lan/tests/lan_under_test.h"

#include <string.h>

#include "mock_servers/lan/shaper.h"

enum {
    FRAME = 1514, /* 1538 of wire */
    WIRE = 1538,
    FRAME_NS = WIRE * 8 * 10, /* at 100 Mbit/s */
    FRAMES = 100000,
    MS = 1000000,
};

static const struct shaper_config lan100 = {
    .rate_bits_per_s = 100000000, .delay_ns = MS / 4, .queue_bytes = 1250000, .seed = 1};

static struct shaper shaper;

static void start(struct shaper_config config)
{
    shaper_start(&shaper, &config);
}

/* Puts a full frame on the wire; returns what becomes of it, and when it arrives. */
static enum shaper_fate take(uint64_t now_ns, uint64_t *due_ns)
{
    *due_ns = 0;
    return shaper_take(&shaper, now_ns, FRAME, due_ns);
}

static void assert_fate(uint64_t now_ns, enum shaper_fate fate)
{
    uint64_t due_ns;
    assert_int_equal(take(now_ns, &due_ns), fate);
}

static void assert_arrives(uint64_t now_ns, uint64_t expected_ns)
{
    uint64_t due_ns;
    assert_int_equal(take(now_ns, &due_ns), SHAPER_CARRIED);
    assert_int_equal(due_ns, expected_ns);
}

TEST(test_a_frame_takes_its_time_and_then_propagates)
{
    start(lan100);
    assert_arrives(7 * MS, 7 * MS + FRAME_NS + MS / 4);
    /* The next one waits for it; one after a pause does not. */
    assert_arrives(7 * MS + 1, 7 * MS + 2 * FRAME_NS + MS / 4);
    assert_arrives(9 * MS, 9 * MS + FRAME_NS + MS / 4);
}

TEST(test_short_frames_are_padded)
{
    assert_int_equal(shaper_wire_bytes(1), 84);
    assert_int_equal(shaper_wire_bytes(60), 84);
    assert_int_equal(shaper_wire_bytes(61), 85);
    assert_int_equal(shaper_wire_bytes(FRAME), WIRE);
}

/* 3 does not divide a second; a rate that is off by less than a nanosecond a frame would show. */
TEST(test_rates_do_not_drift)
{
    static const uint64_t rates[] = {8000,       3000003,    10000000,    99999999,
                                     1000000000, 9999999967, 100000000000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        uint64_t due_ns = 0;
        start((struct shaper_config){.rate_bits_per_s = rates[i], .queue_bytes = 1 << 30});
        for (int frame = 0; frame < 10000; frame++)
            assert_int_equal(take(0, &due_ns), SHAPER_CARRIED);
        double expected_ns = 10000.0 * WIRE * 8 * 1e9 / (double)rates[i];
        assert_true(due_ns <= expected_ns && due_ns + 1 >= expected_ns);
    }
}

TEST(test_a_full_queue_drops_the_tail)
{
    struct shaper_config config = lan100;
    config.queue_bytes = 10 * WIRE;
    start(config);
    for (int i = 0; i < 10; i++)
        assert_fate(0, SHAPER_CARRIED);
    assert_fate(0, SHAPER_OVERFLOWED);
    assert_fate(FRAME_NS - 1, SHAPER_OVERFLOWED);
    /* What was dropped took nothing: as one has been sent, one fits again. */
    assert_arrives(FRAME_NS, 11 * FRAME_NS + MS / 4);
    assert_fate(FRAME_NS, SHAPER_OVERFLOWED);
}

TEST(test_a_free_wire_takes_a_frame_larger_than_the_queue)
{
    struct shaper_config config = lan100;
    config.queue_bytes = 100;
    start(config);
    assert_fate(MS, SHAPER_CARRIED);
    assert_fate(MS, SHAPER_OVERFLOWED);
    assert_fate(MS + FRAME_NS, SHAPER_CARRIED);
}

TEST(test_an_unlimited_rate_only_delays)
{
    start((struct shaper_config){.delay_ns = MS, .queue_bytes = 1 << 20});
    for (uint64_t i = 0; i < 1000; i++)
        assert_arrives(5, MS + 5);
}

static uint64_t lost_of(double loss, uint64_t seed, uint8_t *fates)
{
    uint64_t lost = 0, due_ns;
    start((struct shaper_config){.queue_bytes = 1 << 20, .loss = loss, .seed = seed});
    for (int i = 0; i < FRAMES; i++) {
        fates[i] = take((uint64_t)i, &due_ns) == SHAPER_LOST;
        lost += fates[i];
    }
    return lost;
}

/* The seeds are fixed, so these are either always within or never. The widths are of 5 standard
 * deviations. */
TEST(test_loss_is_as_asked_and_repeatable)
{
    static uint8_t first[FRAMES], again[FRAMES], other[FRAMES];
    assert_int_equal(lost_of(0, 1, first), 0);
    assert_int_equal(lost_of(1, 1, first), FRAMES);
    assert_in_range(lost_of(0.01, 1, first), 1000 - 158, 1000 + 158);
    assert_in_range(lost_of(0.5, 0, again), 50000 - 791, 50000 + 791);
    assert_int_equal(lost_of(0.01, 1, again), lost_of(0.01, 1, first));
    assert_memory_equal(first, again, FRAMES);
    lost_of(0.01, 2, other);
    assert_memory_not_equal(first, other, FRAMES);
    /* One loss says nothing of the next: about 1 % of those after a loss are lost too. */
    uint64_t pairs = 0;
    for (int i = 1; i < FRAMES; i++)
        pairs += first[i] && first[i - 1];
    assert_in_range(pairs, 0, 30);
}

TEST(test_lost_frames_take_their_time)
{
    struct shaper_config config = lan100;
    config.loss = 1;
    start(config);
    assert_fate(0, SHAPER_LOST);
    assert_int_equal(shaper.free_at_ns, FRAME_NS);
}

TEST(test_jitter_spreads_both_ways_and_keeps_order)
{
    uint64_t due_ns, last_ns = 0, early = 0, now_ns = 0;
    double sum = 0;
    start((struct shaper_config){
        .delay_ns = MS, .jitter_ns = MS / 2, .queue_bytes = 1 << 20, .seed = 3});
    for (int i = 0; i < FRAMES; i++, now_ns += 2 * MS) {
        assert_int_equal(take(now_ns, &due_ns), SHAPER_CARRIED);
        assert_in_range(due_ns - now_ns, MS / 2, MS + MS / 2);
        early += due_ns - now_ns < MS;
        sum += (double)(due_ns - now_ns);
    }
    assert_in_range(early, FRAMES / 2 - 800, FRAMES / 2 + 800);
    assert_true(sum / FRAMES > 0.99 * MS && sum / FRAMES < 1.01 * MS);
    for (int i = 0; i < FRAMES; i++, now_ns += 1000) {
        assert_int_equal(take(now_ns, &due_ns), SHAPER_CARRIED);
        assert_true(due_ns >= last_ns);
        last_ns = due_ns;
    }
}

TEST(test_a_wire_that_is_down_carries_nothing)
{
    start(lan100);
    shaper.down = true;
    assert_fate(0, SHAPER_CUT);
    assert_int_equal(shaper.free_at_ns, 0);
    shaper.down = false;
    assert_fate(0, SHAPER_CARRIED);
}
