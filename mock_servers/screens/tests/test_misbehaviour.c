/* What fanin-screens does wrong on purpose, and how it comes and goes: each fault as a viewer meets
 * it, calls, storms. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rfb/stamp.h"
#include "mock_servers/screens/tests/screens_under_test.h"

enum { STORM = 1000, DATA_BYTES = 8192 };

/* ---- faults of the handshake ---- */

/* Says what a viewer of RFB 3.8 does without listening to the answers, and takes what comes. */
static size_t bytes_of(const char *fault, uint8_t *data, size_t bytes, size_t wanted)
{
    char option[64];
    snprintf(option, sizeof option, "--fault=%s", fault);
    struct screens_under_test screens = screens_begin(option, "--size=640x200");
    int socket = screens_connect(&screens, 0);
    bytes_put(socket, RFB_VERSION "\1\1", RFB_VERSION_BYTES + 2);
    memset(data, 0, bytes);
    size_t got = bytes_until_end(socket, data, wanted < bytes ? wanted : bytes);
    close(socket);
    screens_end(&screens, NULL, 0);
    return got;
}

enum { BEFORE_SECURITY = RFB_VERSION_BYTES, BEFORE_INIT = RFB_VERSION_BYTES + 2 + 4 };

TEST(a_refusal_has_its_reason_and_ends)
{
    uint8_t data[DATA_BYTES];
    size_t got = bytes_of("refuse", data, sizeof data, sizeof data);
    assert_int_equal(data[BEFORE_SECURITY], 0);
    assert_int_equal(rfb_get32(data + BEFORE_SECURITY + 1), got - BEFORE_SECURITY - 5);
}

TEST(a_reason_of_4_gib)
{
    uint8_t data[DATA_BYTES];
    bytes_of("long-reason", data, sizeof data, BEFORE_SECURITY + 5 + 1000);
    assert_int_equal(rfb_get32(data + BEFORE_SECURITY + 1), UINT32_MAX);
}

TEST(a_bad_version)
{
    uint8_t data[DATA_BYTES];
    bytes_of("bad-version", data, sizeof data, RFB_VERSION_BYTES);
    assert_memory_equal(data, "HTTP", 4);
}

TEST(bad_sizes_and_names)
{
    uint8_t data[DATA_BYTES];
    const uint8_t *init = data + BEFORE_INIT;
    bytes_of("huge-size", data, sizeof data, BEFORE_INIT + 24);
    assert_int_equal(rfb_get32(init), UINT32_MAX);
    bytes_of("zero-size", data, sizeof data, BEFORE_INIT + 24);
    assert_int_equal(rfb_get32(init), 0);
    bytes_of("long-name", data, sizeof data, BEFORE_INIT + 24 + 1000);
    assert_int_equal(rfb_get32(init + 20), UINT32_MAX);
    bytes_of("tight-wide", data, sizeof data, BEFORE_INIT + 28 + 16);
    assert_true(rfb_get16(init) > RFB_TIGHT_WIDTH_MAX);
    assert_int_equal(rfb_get16(init + 28 + 8), RFB_TIGHT_WIDTH_MAX + 1);
    assert_int_equal(rfb_get32(init + 28 + 12), RFB_TIGHT);
}

TEST(a_silent_screen_says_nothing)
{
    struct screens_under_test screens = screens_begin("--count=2", "--fault=silent:1");
    struct pollfd polled[2];
    for (unsigned i = 0; i < 2; i++)
        polled[i] = (struct pollfd){.fd = screens_connect(&screens, i), .events = POLLIN};
    uint8_t version[RFB_VERSION_BYTES];
    const bool first = poll(polled, 2, SCREENS_PATIENCE_S * 1000) > 0 && polled[0].revents != 0;
    bytes_take(polled[first ? 0 : 1].fd, version, sizeof version);
    assert_int_equal(poll(&polled[first ? 1 : 0], 1, 200), 0);
    close(polled[0].fd);
    close(polled[1].fd);
    screens_end(&screens, NULL, 0);
}

/* ---- faults of updates ---- */

/* A first update, which is good, and the first bytes of what follows. */
static void second_of(const char *fault, struct screens_under_test *screens, struct looker *looker)
{
    char option[64];
    snprintf(option, sizeof option, "--fault=%s", fault);
    *screens = screens_begin(option, "--size=640x200", "--scene-rate=50");
    looker_open(looker, screens, 0);
    looker_update(looker, false);
    looker_ask(looker, true);
}

static void end_of(struct screens_under_test *screens, struct looker *looker)
{
    char said[1024];
    looker_close(looker);
    screens_end(screens, said, sizeof said);
    assert_non_null(strstr(said, "1 faults"));
}

/* The rectangle's header, behind the update's. */
static struct rfb_box bad_rectangle(const char *fault, int encoding, uint8_t *rest, size_t bytes)
{
    struct screens_under_test screens;
    struct looker looker;
    uint8_t data[4 + RFB_HEADER_BYTES];
    second_of(fault, &screens, &looker);
    bytes_take(looker.socket, data, sizeof data);
    assert_int_equal(data[0], RFB_UPDATE);
    const uint8_t *header = data + 4;
    assert_int_equal(rfb_get32(header + 8), encoding);
    bytes_take(looker.socket, rest, bytes);
    end_of(&screens, &looker);
    return (struct rfb_box){rfb_get16(header), rfb_get16(header + 2), rfb_get16(header + 4),
                            rfb_get16(header + 6)};
}

TEST(rectangles_from_outside)
{
    const struct rfb_picture picture = {NULL, 640, 200, 640};
    uint8_t rest[4];
    assert_false(rfb_box_inside(bad_rectangle("outside", RFB_RAW, rest, 4), &picture));
    struct rfb_box box = bad_rectangle("copy-outside", RFB_COPYRECT, rest, 4);
    assert_true(rfb_box_inside(box, &picture));
    box.x = rfb_get16(rest);
    box.y = rfb_get16(rest + 2);
    assert_false(rfb_box_inside(box, &picture));
    bad_rectangle("bad-encoding", 0x7a7a, rest, 4);
}

TEST(rectangles_of_tight_that_contradict_themselves)
{
    uint8_t rest[4 + 1000];
    bad_rectangle("tight-length", RFB_TIGHT, rest, 4);
    assert_memory_equal(rest, "\0\xff\xff\xff", 4);
    struct rfb_box box = bad_rectangle("bomb", RFB_TIGHT, rest, sizeof rest);
    assert_true(box.width * box.height < 1000);
    bad_rectangle("jpeg-size", RFB_TIGHT, rest, 4 + 2);
    assert_memory_equal(rest + 4, "\xff\xd8", 2); /* as a JPEG begins */
    box = bad_rectangle("palette", RFB_TIGHT, rest, 16);
    assert_true(rest[2] + 1 < rest[15]);
}

TEST(messages_that_are_none)
{
    static const char *const faults[] = {"bad-message", "long-text"};
    static const uint8_t first[][1] = {{77}, {RFB_SERVER_CUT_TEXT}};
    for (unsigned i = 0; i < 2; i++) {
        struct screens_under_test screens;
        struct looker looker;
        uint8_t data[8];
        second_of(faults[i], &screens, &looker);
        bytes_take(looker.socket, data, sizeof data);
        assert_int_equal(data[0], first[i][0]);
        assert_true(i == 0 || rfb_get32(data + 4) == UINT32_MAX);
        end_of(&screens, &looker);
    }
}

TEST(empty_rectangles_do_no_harm)
{
    struct screens_under_test screens;
    struct looker looker;
    second_of("empty-rects", &screens, &looker);
    assert_true(looker_next(&looker));
    assert_int_equal(looker.rectangles, 65535);
    assert_true(looker_audit(&looker));
    end_of(&screens, &looker);
}

TEST(rectangles_without_end)
{
    struct screens_under_test screens;
    struct looker looker;
    uint8_t header[4], data[RFB_HEADER_BYTES + 16 * 16 * 4];
    second_of("endless", &screens, &looker);
    bytes_take(looker.socket, header, sizeof header);
    assert_int_equal(rfb_get16(header + 2), 65535);
    for (unsigned i = 0; i < 100; i++)
        bytes_take(looker.socket, data, sizeof data);
    end_of(&screens, &looker);
}

static void assert_breaks_off(const char *fault, bool is_reset, bool listens_on)
{
    struct screens_under_test screens;
    struct looker looker;
    uint8_t data[DATA_BYTES];
    second_of(fault, &screens, &looker);
    size_t got = bytes_until_end(looker.socket, data, sizeof data);
    assert_true(is_reset || (got > 16 && got < sizeof data));
    const struct net_address to = net_ipv4(screens.host, SCREENS_PORT);
    int again = screens_socket();
    assert_int_equal(connect(again, net_sockaddr(&to), to.bytes), listens_on ? 0 : -1);
    close(again);
    end_of(&screens, &looker);
}

TEST(screens_that_break_off)
{
    assert_breaks_off("vanish", false, false);
    assert_breaks_off("reset", true, false);
    assert_breaks_off("return", false, true);
}

TEST(a_frozen_screen_stays_connected)
{
    struct screens_under_test screens;
    struct looker looker;
    second_of("freeze", &screens, &looker);
    struct pollfd polled = {.fd = looker.socket, .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 200), 0);
    end_of(&screens, &looker);
}

TEST(a_slow_screen_drips)
{
    struct screens_under_test screens = screens_begin("--fault=slow:100%:200000", "--size=640x200");
    struct looker looker;
    looker_open(&looker, &screens, 0);
    looker_update(&looker, false);
    const uint64_t begin_ns = os_now_ns();
    looker_update(&looker, false); /* 512 kB */
    looker_close(&looker);
    assert_true(os_now_ns() - begin_ns > OS_NS_PER_S);
    screens_end(&screens, NULL, 0);
}

TEST(a_screen_of_changing_size)
{
    struct screens_under_test screens;
    struct looker looker;
    unsigned sizes = 0;
    second_of("resize", &screens, &looker);
    do {
        assert_true(looker_next(&looker));
        sizes += looker.resized;
        looker_ask(&looker, true);
    } while (sizes < 2);
    assert_true(looker.picture.width == 640 && looker.picture.height == 200);
    looker_close(&looker);
    screens_end(&screens, NULL, 0);
}

/* ---- viewers that do not read ---- */

/* So many whole pictures are not kept for them: who comes then gets the picture band by band. */
TEST(viewers_that_do_not_read_do_not_take_all_memory)
{
    enum { STALLED = 160 }; /* of 4 MB each, of which the kernel takes up to half */
    if (SANITIZED)
        skip(); /* the screens hold 256 MiB in it */
    struct screens_under_test screens =
        screens_begin("--count=161", "--pictures=1", "--scene-rate=0");
    struct looker stalled[STALLED], looker;
    for (unsigned i = 0; i < STALLED; i++) {
        looker_open(&stalled[i], &screens, i);
        looker_ask(&stalled[i], false);
    }
    looker_open(&looker, &screens, STALLED);
    uint64_t stamp;
    unsigned updates = 0;
    do
        looker_update(&looker, updates > 0);
    while (++updates < 100 && !stamp_read(&looker.picture, STAMP_TIME, &stamp));
    assert_in_range(updates, 2, 99);
    assert_true(looker_audit(&looker));
    for (unsigned i = 0; i < STALLED; i++)
        looker_close(&stalled[i]);
    looker_close(&looker);
    screens_end(&screens, NULL, 0);
}

/* ---- calls ---- */

static void take_storm(int listener, int *sockets, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sockets[i] = screens_accept(listener);
}

static void close_all(int *sockets, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close(sockets[i]);
}

TEST(screens_call_whoever_is_there_first_and_call_again)
{
    enum { COUNT = 20 };
    int sockets[COUNT];
    struct screens_under_test screens = screens_calling("--count=20", "--size=640x200");
    os_sleep_ns(250 * OS_NS_PER_MS); /* nobody listens yet */
    for (unsigned round = 0; round < 2; round++) {
        struct looker looker;
        int listener = screens_listener(&screens);
        take_storm(listener, sockets, COUNT);
        looker_greet(&looker, sockets[3]);
        looker_update(&looker, false);
        assert_true(looker_audit(&looker));
        close(listener);
        close_all(sockets, COUNT);
        free(looker.picture.pixels);
    }
    screens_end(&screens, NULL, 0);
}

TEST(a_screen_that_was_cut_off_calls_again)
{
    struct screens_under_test screens = screens_calling("--count=3", "--size=640x200");
    const struct linger at_once = {1, 0};
    int sockets[3], listener = screens_listener(&screens);
    take_storm(listener, sockets, 3);
    setsockopt(sockets[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(sockets[1]);
    sockets[1] = screens_accept(listener);
    close(listener);
    close_all(sockets, 3);
    screens_end(&screens, NULL, 0);
}

TEST(a_screen_that_returns_calls_again_and_one_that_vanishes_does_not)
{
    static const char *const faults[] = {"--fault=vanish:1", "--fault=return:1:100"};
    for (unsigned i = 0; i < 2; i++) {
        struct screens_under_test screens =
            screens_calling("--count=2", "--size=640x200", faults[i]);
        int listener = screens_listener(&screens);
        struct looker lookers[2];
        for (unsigned j = 0; j < 2; j++)
            looker_greet(&lookers[j], screens_accept(listener));
        for (unsigned j = 0; j < 2; j++) {
            looker_update(&lookers[j], false);
            looker_ask(&lookers[j], true);
        }
        struct pollfd polled = {.fd = listener, .events = POLLIN};
        assert_int_equal(poll(&polled, 1, i == 0 ? 500 : SCREENS_PATIENCE_S * 1000), i);
        close(listener);
        looker_close(&lookers[0]);
        looker_close(&lookers[1]);
        screens_end(&screens, NULL, 0);
    }
}

TEST(a_storm_of_a_thousand)
{
    static int sockets[STORM];
    uint64_t limit;
    if (os_descriptors_reserve(STORM + 64, &limit) < 0)
        skip();
    struct screens_under_test screens = screens_calling("--count=1000", "--size=640x200");
    int listener = screens_listener(&screens);
    take_storm(listener, sockets, STORM);
    uint8_t version[RFB_VERSION_BYTES];
    for (unsigned i = 0; i < STORM; i++)
        bytes_take(sockets[i], version, sizeof version);
    close(listener);
    close_all(sockets, STORM);
    screens_end(&screens, NULL, 0);
}
