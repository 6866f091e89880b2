/* Our decoders against our encoders: scenes and random pictures, in each encoding, come to the same
 * picture, pixel for pixel, in pieces of any length. */
#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"
#include "client/monitor/rfb/decoder.h"
#include "client/monitor/rfb/tests/wire.h"
#include "mock_servers/screens/tests/recording.h"

static void check(const struct recording *recording, size_t piece)
{
    static struct viewer viewer;
    assert_true(viewer_open(&viewer, NULL));
    assert_int_equal(viewer_feed(&viewer, recording->data, recording->bytes, piece), 0);
    assert_true(rfb_idle(viewer.rfb));
    assert_int_equal(viewer.updates, recording->updates);
    assert_int_equal(rfb_counts(viewer.rfb)->pixels, recording->pixels);
    assert_int_equal(viewer_digest(&viewer), recording->digest);
    viewer_close(&viewer);
}

static void check_all(const char *scene, unsigned width, unsigned height, unsigned frames)
{
    static const size_t pieces[] = {0, 1448, 61, 4096};
    static const int encodings[] = {RFB_RAW, RFB_TIGHT, RFB_ZRLE};
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
        struct recording recording;
        assert_true(recording_make(scene, encodings[i], width, height, frames, 0, &recording));
        for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++)
            check(&recording, pieces[j]);
        free(recording.data);
    }
}

TEST(scenes_arrive_in_each_encoding)
{
    static const char *const scenes[] = {"type", "scroll", "video", "flip-all"};
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        check_all(scenes[i], 640, 400, 3);
}

TEST(random_pictures_arrive_in_each_encoding)
{
    check_all("random", 413, 301, 60);
    check_all("random", 33, 29, 60);
}
