/* framer.c: frames are processed whole and in order, however receives cut them: with and without a
 * shared buffer, whole or in slices. */
#include "client/peers/peer.h"
#include "client/collector/tests/results.h"

enum { FRAMES = 12, TAPE_BYTES_MAX = 2 << 20 };

struct bench {
    struct peer peer;
    struct peer_link link;
    struct processor processor;
    uint8_t *tape, *shared;
    size_t tape_bytes;
};

static const struct stream_goal goal = {.frames = FRAMES, .bytes = UINT64_MAX};

static void set_up(struct bench *bench, uint32_t size_min, uint32_t size_max, bool slices)
{
    const struct protocol_marker marker = {.bytes = "\r\n", .count = 2};
    memset(bench, 0, sizeof *bench);
    bench->peer.slices = slices;
    bench->peer.config.process =
        (struct process_config){.verify = VERIFY_FULL, .frame_bytes_max = size_max};
    bench->peer.config.process.marker = marker;
    marker_init(&bench->peer.config.marker, marker.bytes, marker.count);
    budget_init(&bench->peer.budget, UINT64_MAX);
    bench->link.peer = &bench->peer;
    bench->link.stream.goal = &goal;
    processor_init(&bench->processor, &bench->peer.config.process, &bench->peer.budget);
    bench->shared = malloc(FRAMER_SHARED_BYTES);
    bench->tape = malloc(TAPE_BYTES_MAX);
    for (uint32_t seq = 0; seq < FRAMES; seq++) {
        uint32_t length = protocol_frame_length(1, seq, size_min, size_max);
        assert_true(bench->tape_bytes + length <= TAPE_BYTES_MAX);
        protocol_frame_write(bench->tape + bench->tape_bytes, length, seq, 0, 1, &marker);
        bench->tape_bytes += length;
    }
}

static void tear_down(struct bench *bench)
{
    framer_close(&bench->link);
    processor_end(&bench->processor);
    free(bench->tape);
    free(bench->shared);
}

/* Receives at most `receive_bytes` at a time, each after a receive that brings nothing. Returns the
 * first error, or FRAME_OK. */
static enum frame_error feed(struct bench *bench, size_t receive_bytes, bool shared)
{
    uint8_t *buffer = shared ? bench->shared : NULL;
    enum frame_error error = FRAME_OK;
    for (size_t at = 0, bytes; error == FRAME_OK && at < bench->tape_bytes; at += bytes) {
        size_t room;
        framer_room(&bench->link, buffer, &room);
        uint8_t *data = framer_room(&bench->link, buffer, &room);
        assert_non_null(data);
        assert_true(room >= FRAMER_READ_BYTES);
        bytes = bench->tape_bytes - at < receive_bytes ? bench->tape_bytes - at : receive_bytes;
        if (bytes > room)
            bytes = room;
        memcpy(data, bench->tape + at, bytes);
        bench->link.stream.received_bytes += bytes;
        error = framer_take(&bench->link, &bench->processor, data, bytes);
        memset(bench->shared, 0xee, FRAMER_SHARED_BYTES); /* another connection's turn */
    }
    return error;
}

static void assert_all_come(uint32_t size_min, uint32_t size_max, size_t receive_bytes)
{
    for (unsigned way = 0; way < 4; way++) {
        struct bench bench;
        set_up(&bench, size_min, size_max, way & 1);
        assert_int_equal(feed(&bench, receive_bytes, way & 2), FRAME_OK);
        assert_int_equal(bench.link.stream.processed_frames, FRAMES);
        assert_int_equal(bench.processor.bytes, bench.tape_bytes);
        assert_int_equal(bench.link.stream.partial_bytes, 0);
        tear_down(&bench);
    }
}

TEST(short_frames_survive_any_cut)
{
    for (size_t receive_bytes = 1; receive_bytes < 700; receive_bytes++)
        assert_all_come(128, 300, receive_bytes);
}

TEST(long_frames_survive_many_cuts)
{
    static const size_t cuts[] = {997, 4096, 16384, 16385, 40000, 65535, 65536, SIZE_MAX};
    for (unsigned i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        assert_all_come(100000, 100000, cuts[i]);
        assert_all_come(128, 150000, cuts[i]);
        assert_all_come(20000, 40000, cuts[i]);
    }
}

/* A connection that uses the shared buffer keeps only its unfinished frame, in at most twice that
 * size. */
TEST(the_shared_buffer_keeps_memory_small)
{
    struct bench bench;
    set_up(&bench, 128, 300, false);
    assert_int_equal(feed(&bench, 1000, true), FRAME_OK);
    assert_true(atomic_load(&bench.peer.budget.peak_bytes) <= 1024);
    tear_down(&bench);
}

TEST(slices_copy_nothing)
{
    struct bench bench;
    set_up(&bench, 100000, 100000, true);
    assert_int_equal(feed(&bench, SIZE_MAX, true), FRAME_OK);
    framer_close(&bench.link);
    assert_int_equal(bench.peer.program.figures.copied_bytes, 0);
    assert_int_equal(bench.peer.program.figures.scanned_bytes, bench.tape_bytes);
    tear_down(&bench);
}

TEST(errors_have_names)
{
    for (unsigned way = 0; way < 4; way++) {
        struct bench bench;
        set_up(&bench, 300, 300, way & 1);
        bench.tape[400] ^= 1;
        assert_int_equal(feed(&bench, 64, way & 2), FRAME_BAD_CHECK);
        assert_int_equal(bench.link.stream.processed_frames, 1);
        tear_down(&bench);

        set_up(&bench, 300, 300, way & 1);
        bench.peer.config.process.frame_bytes_max = 299;
        assert_int_equal(feed(&bench, 64, way & 2), FRAME_OVERLONG);
        tear_down(&bench);

        set_up(&bench, 300, 300, way & 1);
        bench.link.stream.goal = &(const struct stream_goal){.frames = 3, .bytes = UINT64_MAX};
        assert_int_equal(feed(&bench, 1000, way & 2), FRAME_SURPLUS);
        assert_int_equal(bench.link.stream.processed_frames, 3);
        tear_down(&bench);
    }
}
