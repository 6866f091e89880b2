/* Delayed frames: in order, unchanged, and never more than there is room for. */
#include "mock_servers/lan/tests/lan_under_test.h"

#include <stdlib.h>
#include <string.h>

#include "mock_servers/lan/frames.h"
#include "mock_servers/lan/shaper.h"

enum { FRAME_MAX = 1514, STEPS = 200000 };

static void frame_fill(struct queued_frame *frame, uint64_t number)
{
    frame->due_ns = number;
    memset(frame->data, (int)(number & 0xff), frame->bytes);
}

static void frame_check(const struct queued_frame *frame, uint64_t number, uint32_t bytes)
{
    assert_int_equal(frame->due_ns, number);
    assert_int_equal(frame->bytes, bytes);
    assert_int_equal(frame->data[0], number & 0xff);
    assert_int_equal(frame->data[bytes - 1], number & 0xff);
}

static uint32_t bytes_of(uint64_t number)
{
    return 1 + (uint32_t)(number * 2654435761u >> 7) % FRAME_MAX;
}

/* Random puts and takes, so that the ring wraps at every alignment and is empty and full often. */
TEST(test_frames_come_out_as_they_went_in)
{
    struct delay_queue queue;
    uint64_t put = 0, taken = 0, full = 0, empty = 0;
    unsigned seed = 1;

    assert_int_equal(delay_queue_open(&queue, 20000), 0);
    for (int step = 0; step < STEPS; step++) {
        bool putting = (step / 100) % 2 ? rand_r(&seed) % 4 > 0 : rand_r(&seed) % 4 == 0;
        struct queued_frame *frame;
        if (putting) {
            frame = delay_queue_put(&queue, bytes_of(put));
            full += frame == NULL;
            if (frame != NULL)
                frame_fill(frame, put++);
        } else if ((frame = delay_queue_first(&queue)) != NULL) {
            frame_check(frame, taken, bytes_of(taken));
            delay_queue_pop(&queue);
            taken++;
        } else {
            empty++;
            assert_int_equal(put, taken);
        }
        assert_int_equal(queue.count, put - taken);
    }
    assert_true(full > 0 && empty > 0 && taken > STEPS / 10);
    delay_queue_close(&queue);
}

TEST(test_next_walks_over_all)
{
    struct delay_queue queue;
    uint64_t put = 0, taken = 0;

    assert_int_equal(delay_queue_open(&queue, 10000), 0);
    for (int round = 0; round < 1000; round++) {
        struct queued_frame *frame;
        while ((frame = delay_queue_put(&queue, bytes_of(put))) != NULL)
            frame_fill(frame, put++);
        uint64_t seen = taken;
        for (frame = delay_queue_first(&queue); frame != NULL;
             frame = delay_queue_next(&queue, frame)) {
            frame_check(frame, seen, bytes_of(seen));
            seen++;
        }
        assert_int_equal(seen, put);
        for (int i = 0; i < 3; i++, taken++)
            delay_queue_pop(&queue);
    }
    delay_queue_close(&queue);
}

/* A ring of the size that a shaper says holds whatever it carries, whatever the frames' lengths. */
TEST(test_a_shaper_never_finds_it_full)
{
    static const uint32_t lengths[] = {1, 59, 60, 61, 64, 65, 66, 1000, 1513, 1514};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct shaper_config config = {.rate_bits_per_s = 100000000,
                                       .delay_ns = 5000000,
                                       .jitter_ns = 1000000,
                                       .queue_bytes = 20000,
                                       .seed = 1};
        struct shaper shaper;
        struct delay_queue queue;
        uint64_t due_ns = 0, overflowed = 0;
        shaper_start(&shaper, &config);
        assert_int_equal(delay_queue_open(&queue, shaper_held_bytes_max(&config)), 0);
        for (uint64_t now_ns = 0; now_ns < 50000000; now_ns += 5000) {
            while (queue.count > 0 && delay_queue_first(&queue)->due_ns <= now_ns)
                delay_queue_pop(&queue);
            if (shaper_take(&shaper, now_ns, lengths[i], &due_ns) != SHAPER_CARRIED) {
                overflowed++;
                continue;
            }
            struct queued_frame *frame = delay_queue_put(&queue, lengths[i]);
            assert_non_null(frame);
            frame->due_ns = due_ns;
        }
        assert_true(overflowed > 0);
        delay_queue_close(&queue);
    }
}

TEST(test_no_memory_is_said)
{
    struct delay_queue queue;

    assert_true(delay_queue_open(&queue, (uint64_t)1 << 60) < 0);
    delay_queue_close(&queue);
}
