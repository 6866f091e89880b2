/* A connection is lost in the middle of a frame and another one repeats that frame: wherever it is
 * cut, every scheme processes each frame once and keeps no memory from others meanwhile. */
#include "client/buffers/tests/scheme_stage.h"

enum { FRAMES = 3, LENGTH_MIN = PROTOCOL_FRAME_BYTES_MIN, LENGTH_MAX = LENGTH_MIN + 8 };

/* How many of the bytes sent so far belong to an unfinished frame. */
static size_t unfinished_bytes(const struct feed *feed, uint64_t seed)
{
    size_t left = feed->at;
    for (uint32_t seq = 0; seq < feed->frames; seq++) {
        uint32_t length = protocol_frame_length(seed, seq, LENGTH_MIN, LENGTH_MAX);
        if (left < length)
            break;
        left -= length;
    }
    return left;
}

static void feed_rewind(struct feed *feed, uint64_t seed)
{
    const size_t bytes = unfinished_bytes(feed, seed);
    if (stage_frames(feed->stage))
        assert_int_equal(feed->stream->partial_bytes, bytes);
    scheme_rewind(feed->stage->run, feed->stream, bytes);
    feed->at -= bytes;
    assert_int_equal(feed->stream->received_bytes, feed->at);
    assert_int_equal(feed->stream->partial_bytes, 0);
}

/* Each stream is cut once, or twice at the same place, each stream at another. */
static void cut_everywhere(const struct scheme *scheme, bool early, size_t block_bytes)
{
    static struct feed feeds[FEEDS_MAX];
    struct stage stage;
    unsigned count = 0;
    stage_set(&stage, scheme, early, "\r\n", block_bytes, LENGTH_MAX);
    stage_open(&stage);
    for (size_t cut = 0;; cut++) {
        struct feed *feed = &feeds[count++];
        feed_open(feed, &stage, FRAMES, LENGTH_MIN, LENGTH_MAX, cut);
        for (unsigned i = 0; i <= cut % 2; i++) {
            feed_up_to(feed, cut, SIZE_MAX);
            if (feed->at < feed->count)
                feed_rewind(feed, cut);
        }
        feed_close(feed);
        if (cut >= feed->count)
            break;
    }
    stage_close(&stage);
}

SCHEME_TEST(test_every_cut)
{
    static const size_t blocks_bytes[] = {7, 64, 256};
    for (unsigned i = 0; i < 3; i++)
        cut_everywhere(scheme, early, blocks_bytes[i]);
}

/* At a cap that one frame fills: a stream without a connection leaves it to the others. */
SCHEME_TEST(test_nothing_is_kept_from_others)
{
    struct stage stage;
    struct feed away, other;
    stage_set(&stage, scheme, early, "\r\n", 16, LENGTH_MAX);
    stage.config.streams_max = 2;
    stage.config.pool_cap_bytes = stage_least_cap(&stage);
    stage_open(&stage);
    feed_open(&away, &stage, FRAMES, LENGTH_MIN, LENGTH_MAX, 1);
    feed_open(&other, &stage, FRAMES, LENGTH_MIN, LENGTH_MAX, 2);
    feed_up_to(&away, LENGTH_MIN - 1, 16);
    feed_rewind(&away, 1);
    feed_close(&other);
    feed_close(&away);
    stage_close(&stage);
}
