/* The machine of RFB: handshakes of 3.3, 3.7 and 3.8, messages, raw and CopyRect rectangles, cut
 * anywhere; and what breaks the protocol ends it by the fault's name. */
#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"
#include "client/monitor/rfb/decoder.h"
#include "client/monitor/rfb/tests/wire.h"

static struct wire wire;
static struct viewer viewer;

static void feed_all(int fault)
{
    assert_true(viewer_open(&viewer, NULL));
    assert_int_equal(viewer_feed(&viewer, wire.data, wire.bytes, 0), fault);
}

static int begin(void **state)
{
    wire_begin(&wire);
    return 0;
}

static int end(void **state)
{
    viewer_close(&viewer);
    return 0;
}

/* ---- the handshake ------------------------------------------------------------------------ */

TEST(a_handshake_of_3_8_says_format_and_encodings, begin, end)
{
    static const uint8_t format[] = RFB_FORMAT;
    feed_all(0);
    assert_true(rfb_ready(viewer.rfb));
    assert_true(rfb_idle(viewer.rfb));
    assert_string_equal(rfb_name(viewer.rfb), "screen");
    assert_int_equal(viewer.picture.width, WIRE_WIDTH);
    assert_int_equal(viewer.picture.height, WIRE_HEIGHT);
    assert_memory_equal(viewer.said, RFB_VERSION, 12);
    assert_int_equal(viewer.said[12], RFB_SECURITY_NONE);
    assert_int_equal(viewer.said[13], 1);
    assert_memory_equal(viewer.said + 18, format, sizeof format);
    assert_int_equal(viewer.said[34], RFB_SET_ENCODINGS);
    assert_int_equal(rfb_get16(viewer.said + 36), viewer_encoding_count);
    assert_int_equal(rfb_get32(viewer.said + 38), RFB_TIGHT);
    assert_int_equal(viewer.said_bytes, 38 + 4 * viewer_encoding_count);
    wire_check_cuts(&wire);
}

TEST(servers_of_3_7_and_3_3_are_spoken_to_in_their_version, NULL, end)
{
    wire.bytes = 0;
    wire_text(&wire, "RFB 003.007\n");
    wire_16(&wire, 1 << 8 | RFB_SECURITY_NONE);
    wire_init(&wire, 4, 3);
    feed_all(0);
    assert_true(rfb_ready(viewer.rfb));
    assert_memory_equal(viewer.said, "RFB 003.007\n", 12);
    viewer_close(&viewer);
    wire.bytes = 0;
    wire_text(&wire, "RFB 003.005\n");
    wire_32(&wire, RFB_SECURITY_NONE);
    wire_init(&wire, 4, 3);
    feed_all(0);
    assert_true(rfb_ready(viewer.rfb));
    assert_memory_equal(viewer.said, "RFB 003.003\n", 12);
}

TEST(a_newer_server_is_spoken_to_in_3_8, NULL, end)
{
    wire.bytes = 0;
    wire_text(&wire, "RFB 004.001\n");
    feed_all(0);
    assert_memory_equal(viewer.said, RFB_VERSION, 12);
}

static const char *fault_of_version(const char *version)
{
    wire.bytes = 0;
    wire_text(&wire, version);
    return rfb_fault_name(wire_fault(&wire));
}

TEST(what_does_not_begin_as_rfb_is_a_bad_version)
{
    assert_string_equal(fault_of_version("HTTP/1.1 200"), "bad-version");
    assert_string_equal(fault_of_version("RFB 003.002\n"), "bad-version");
    assert_string_equal(fault_of_version("RFB 002.008\n"), "bad-version");
    assert_string_equal(fault_of_version("RFB 003 008\n"), "bad-version");
    assert_string_equal(fault_of_version("RFB 003.0x8\n"), "bad-version");
    assert_string_equal(fault_of_version("RFB 003.008 "), "bad-version");
}

TEST(a_refusal_is_one_with_its_reason_made_printable, NULL, end)
{
    wire.bytes = 0;
    wire_text(&wire, RFB_VERSION);
    wire_8(&wire, 0);
    wire_32(&wire, 9);
    wire_text(&wire, "too\nmany\xff");
    feed_all(RFB_REFUSED);
    assert_string_equal(rfb_reason(viewer.rfb), "too?many?");
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "refused");
}

TEST(a_result_that_is_not_ok_refuses_too, NULL, end)
{
    wire.bytes = 0;
    wire_text(&wire, RFB_VERSION);
    wire_16(&wire, 1 << 8 | RFB_SECURITY_NONE);
    wire_32(&wire, 1);
    wire_32(&wire, 2);
    wire_text(&wire, "no");
    feed_all(RFB_REFUSED);
    assert_string_equal(rfb_reason(viewer.rfb), "no");
}

TEST(a_long_reason_is_cut_and_one_without_end_is_a_fault, NULL, end)
{
    wire.bytes = 0;
    wire_text(&wire, RFB_VERSION);
    wire_8(&wire, 0);
    wire_32(&wire, 1000);
    for (int i = 0; i < 1000; i++)
        wire_8(&wire, 'a');
    feed_all(RFB_REFUSED);
    assert_int_equal(strlen(rfb_reason(viewer.rfb)), RFB_REASON_MAX);
    wire.bytes = 13;
    wire_32(&wire, 0xffffffff);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "too-long");
}

TEST(security_that_is_not_allowed_is_named)
{
    wire.bytes = 0;
    wire_text(&wire, RFB_VERSION);
    wire_16(&wire, 1 << 8 | 30);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "no-security");
    wire.bytes = 0;
    wire_text(&wire, "RFB 003.003\n");
    wire_32(&wire, RFB_SECURITY_VNC);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "no-security");
}

static const char *fault_of_size(unsigned width, unsigned height, uint32_t name_bytes)
{
    wire_begin(&wire);
    wire.bytes -= 30;
    wire_init(&wire, width, height);
    rfb_put32(wire.data + wire.bytes - 10, name_bytes);
    return rfb_fault_name(wire_fault(&wire));
}

TEST(a_picture_without_pixels_or_with_too_many_is_a_bad_size)
{
    assert_string_equal(fault_of_size(0, 10, 6), "bad-size");
    assert_string_equal(fault_of_size(10, 0, 6), "bad-size");
    assert_string_equal(fault_of_size(65535, 65535, 6), "bad-size");
    assert_string_equal(fault_of_size(1025, 1024, 6), "bad-size");
    assert_string_equal(fault_of_size(1024, 1024, 6), "");
}

TEST(a_name_over_the_limit_is_a_fault_and_a_long_one_is_cut)
{
    assert_string_equal(fault_of_size(10, 10, 0xffffffff), "too-long");
    assert_string_equal(fault_of_size(10, 10, 0), "bad-message"); /* "screen" is none */
    wire_begin(&wire);
    rfb_put32(wire.data + wire.bytes - 10, 6 + 1000);
    for (int i = 0; i < 1000; i++)
        wire_8(&wire, 'n');
    feed_all(0);
    assert_int_equal(strlen(rfb_name(viewer.rfb)), RFB_NAME_MAX);
    viewer_close(&viewer);
}

TEST(without_memory_for_a_picture_the_connection_ends, begin, end)
{
    assert_true(viewer_open(&viewer, NULL));
    viewer.no_picture = true;
    assert_int_equal(viewer_feed(&viewer, wire.data, wire.bytes, 0), RFB_NO_MEMORY);
}

/* ---- messages ----------------------------------------------------------------------------- */

TEST(texts_bells_and_colour_maps_are_read_over, begin, end)
{
    wire_8(&wire, RFB_BELL);
    wire_8(&wire, RFB_COLOUR_MAP);
    wire_8(&wire, 0);
    wire_16(&wire, 0);
    wire_16(&wire, 2);
    wire_put(&wire, "123456123456", 12);
    wire_32(&wire, RFB_SERVER_CUT_TEXT << 24);
    wire_32(&wire, 5);
    wire_text(&wire, "hello");
    feed_all(0);
    assert_true(rfb_idle(viewer.rfb));
    assert_string_equal(viewer.text, "hello");
    wire_check_cuts(&wire);
}

TEST(a_long_text_is_cut_and_one_without_end_is_a_fault, begin, end)
{
    const size_t before = wire.bytes;
    wire_32(&wire, RFB_SERVER_CUT_TEXT << 24);
    wire_32(&wire, RFB_TEXT_MAX + 10);
    for (int i = 0; i < RFB_TEXT_MAX + 10; i++)
        wire_8(&wire, 't');
    feed_all(0);
    assert_int_equal(strlen(viewer.text), RFB_TEXT_MAX);
    assert_true(rfb_idle(viewer.rfb));
    wire.bytes = before + 4;
    wire_32(&wire, 0xffffffff);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "too-long");
}

TEST(a_message_that_is_not_known_is_a_fault, begin)
{
    wire_8(&wire, 200);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "bad-message");
}

TEST(a_request_is_said_as_the_protocol_has_it, begin, end)
{
    static const uint8_t wanted[] = {3, 1, 0, 1, 0, 2, 1, 0, 0, 4};
    feed_all(0);
    viewer.said_bytes = 0;
    rfb_request(viewer.rfb, (struct rfb_box){1, 2, 256, 4}, true);
    assert_int_equal(viewer.said_bytes, sizeof wanted);
    assert_memory_equal(viewer.said, wanted, sizeof wanted);
}

/* ---- updates ------------------------------------------------------------------------------ */

/* Pixels whose unused byte is not 0. */
static void raw(unsigned x, unsigned y, unsigned width, unsigned height, uint32_t seed)
{
    wire_rectangle(&wire, x, y, width, height, RFB_RAW);
    for (unsigned i = 0; i < width * height; i++)
        wire_32(&wire, seed + i * 0x01030507u);
}

TEST(raw_and_copied_rectangles_are_painted, begin, end)
{
    wire_update(&wire, 3);
    raw(1, 2, 7, 5, 1);
    raw(20, 20, 1, 1, 0x11223344);
    wire_rectangle(&wire, 30, 40, 7, 5, RFB_COPYRECT);
    wire_16(&wire, 1);
    wire_16(&wire, 2);
    feed_all(0);
    assert_int_equal(viewer.updates, 1);
    const struct rfb_box painted[] = {{1, 2, 7, 5}, {20, 20, 1, 1}, {30, 40, 7, 5}};
    assert_int_equal(viewer.dirty.count, 3);
    assert_memory_equal(viewer.dirty.boxes, painted, sizeof painted);
    const uint32_t *pixels = viewer.picture.pixels;
    assert_int_equal(pixels[20 * WIRE_WIDTH + 20] & 0xffffff, 0x332211);
    for (unsigned y = 0; y < 5; y++)
        assert_memory_equal(pixels + (2 + y) * WIRE_WIDTH + 1, pixels + (40 + y) * WIRE_WIDTH + 30,
                            7 * sizeof *pixels);
    const struct rfb_counts *counts = rfb_counts(viewer.rfb);
    assert_int_equal(counts->rectangles, 3);
    assert_int_equal(counts->pixels, 71);
    assert_int_equal(counts->by_encoding[0], 2);
    assert_int_equal(counts->by_encoding[1], 1);
    assert_int_equal(wire_check_cuts(&wire), viewer_digest(&viewer));
}

/* A copy over itself, in each direction, is as if it had been read first. */
TEST(a_copy_may_lie_over_itself, begin, end)
{
    static const int steps[][2] = {{3, 0}, {-3, 0}, {0, 3}, {0, -3}, {2, 2}, {-2, -2}};
    static uint32_t before[WIRE_WIDTH * WIRE_HEIGHT];
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        wire_begin(&wire);
        wire_update(&wire, 1);
        raw(0, 0, WIRE_WIDTH, WIRE_HEIGHT, 5);
        feed_all(0);
        memcpy(before, viewer.picture.pixels, sizeof before);
        wire.bytes = 0;
        wire_update(&wire, 1);
        wire_rectangle(&wire, (unsigned)(10 + steps[i][0]), (unsigned)(10 + steps[i][1]), 20, 20,
                       RFB_COPYRECT);
        wire_32(&wire, 10 << 16 | 10);
        assert_int_equal(viewer_feed(&viewer, wire.data, wire.bytes, 0), 0);
        for (int y = 0; y < 20; y++)
            assert_memory_equal(viewer.picture.pixels + (10 + steps[i][1] + y) * WIRE_WIDTH + 10 +
                                    steps[i][0],
                                before + (10 + y) * WIRE_WIDTH + 10, 20 * sizeof *before);
        viewer_close(&viewer);
    }
}

TEST(an_update_may_be_empty_and_so_may_rectangles, begin, end)
{
    wire_update(&wire, 0);
    wire_update(&wire, 2);
    raw(0, 0, 0, 0, 0);
    raw(5, WIRE_HEIGHT, 10, 0, 0);
    feed_all(0);
    assert_int_equal(viewer.updates, 2);
    assert_int_equal(viewer.dirty.count, 0);
    assert_true(rfb_idle(viewer.rfb));
    wire_check_cuts(&wire);
}

TEST(a_last_rectangle_ends_an_update, begin, end)
{
    wire_update(&wire, 0xffff);
    raw(0, 0, 2, 2, 7);
    wire_rectangle(&wire, 0, 0, 0, 0, RFB_LAST_RECT);
    wire_update(&wire, 0);
    feed_all(0);
    assert_int_equal(viewer.updates, 2);
    wire_check_cuts(&wire);
}

TEST(a_screen_may_change_its_size, begin, end)
{
    wire_update(&wire, 1);
    raw(70, 60, 10, 10, 1);
    wire_update(&wire, 2);
    wire_rectangle(&wire, 0, 0, 30, 20, RFB_DESKTOP_SIZE);
    raw(29, 19, 1, 1, 0x01010100);
    wire_update(&wire, 1);
    wire_rectangle(&wire, 0, 0, 30, 20, RFB_DESKTOP_SIZE);
    feed_all(0);
    assert_int_equal(viewer.sizes, 2);
    assert_int_equal(viewer.picture.width, 30);
    assert_int_equal(viewer.picture.height, 20);
    assert_int_equal(viewer.picture.pixels[599] & 0xffffff, 0x10101);
    wire_check_cuts(&wire);
}

static const char *fault_of_rectangle(unsigned x, unsigned y, unsigned width, unsigned height,
                                      int encoding)
{
    wire_begin(&wire);
    wire_update(&wire, 1);
    wire_rectangle(&wire, x, y, width, height, encoding);
    wire_32(&wire, 0);
    return rfb_fault_name(wire_fault(&wire));
}

TEST(rectangles_outside_are_a_fault)
{
    assert_string_equal(fault_of_rectangle(WIRE_WIDTH, 0, 1, 1, RFB_RAW), "outside");
    assert_string_equal(fault_of_rectangle(0, WIRE_HEIGHT - 1, 1, 2, RFB_RAW), "outside");
    assert_string_equal(fault_of_rectangle(65535, 65535, 65535, 65535, RFB_COPYRECT), "outside");
    assert_string_equal(fault_of_rectangle(0, 0, 65535, 1, RFB_RAW), "outside");
}

TEST(a_copy_from_outside_is_a_fault, begin)
{
    wire_update(&wire, 1);
    wire_rectangle(&wire, 0, 0, 10, 10, RFB_COPYRECT);
    wire_16(&wire, WIRE_WIDTH - 9);
    wire_16(&wire, 0);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "copy-outside");
}

TEST(encodings_that_were_not_asked_for_are_a_fault)
{
    assert_string_equal(fault_of_rectangle(0, 0, 1, 1, 5), "bad-encoding");
    assert_string_equal(fault_of_rectangle(0, 0, 1, 1, RFB_CURSOR), "bad-encoding");
    /* Asked for, but never a rectangle. */
    assert_string_equal(fault_of_rectangle(0, 0, 1, 1, RFB_QUALITY_0), "bad-encoding");
}

TEST(sizes_that_are_too_large_are_a_fault_later_too)
{
    assert_string_equal(fault_of_rectangle(0, 0, 65535, 65535, RFB_DESKTOP_SIZE), "bad-size");
    assert_string_equal(fault_of_rectangle(0, 0, 0, 0, RFB_DESKTOP_SIZE), "bad-size");
}

TEST(rectangles_without_area_and_without_end_are_a_fault, begin)
{
    wire_update(&wire, 0xfffe);
    for (int i = 0; i < 2000; i++)
        raw(0, 0, 0, 0, 0);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "endless");
}

TEST(an_update_that_paints_all_over_and_over_is_a_fault, begin)
{
    wire_update(&wire, 0xffff);
    for (int i = 0; i < 2000; i++) {
        wire_rectangle(&wire, 0, 0, WIRE_WIDTH, WIRE_HEIGHT, RFB_COPYRECT);
        wire_32(&wire, 0);
    }
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "endless");
}

TEST(an_update_that_never_says_its_last_rectangle_is_a_fault, begin)
{
    wire_update(&wire, 0xffff);
    for (int i = 0; i < 0xffff; i++) {
        wire_rectangle(&wire, (unsigned)i % WIRE_WIDTH, 0, 1, 1, RFB_COPYRECT);
        wire_32(&wire, 0);
    }
    feed_all(RFB_ENDLESS);
    viewer_close(&viewer);
}

TEST(faults_have_names_and_texts)
{
    assert_string_equal(rfb_fault_name(0), "");
    assert_string_equal(rfb_fault_text(1), "");
    for (int fault = RFB_FAULT_BASE + 1; fault < RFB_FAULT_END; fault++) {
        assert_true(strlen(rfb_fault_name(fault)) > 0);
        assert_true(strlen(rfb_fault_text(fault)) > 0);
    }
}

TEST(decoders_are_found_by_name_and_number)
{
    for (unsigned i = 0; decoder_list(i) != NULL; i++) {
        assert_ptr_equal(decoder_of(decoder_list(i)->encoding), decoder_list(i));
        assert_ptr_equal(decoder_named(decoder_list(i)->name), decoder_list(i));
    }
    assert_null(decoder_of(RFB_CURSOR));
    assert_null(decoder_named("hextile"));
}
