/* fanin-screens as a viewer meets it: options, pictures, flow, input, audit. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/rfb/stamp.h"
#include "mock_servers/screens/tests/screens_under_test.h"

#define REFUSED(code, part, ...)                                                                   \
    assert_does_not_start(code, part, (const char *const[]){__VA_ARGS__, NULL})

static void assert_does_not_start(int code, const char *part, const char *const *arguments)
{
    char errors[2048];
    assert_int_equal(screens_refused(arguments, errors, sizeof errors), code);
    if (strstr(errors, part) == NULL)
        fail_msg("said \"%s\" and not \"%s\"", errors, part);
    assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1); /* one line */
}

TEST(wrong_use_is_one_line)
{
    REFUSED(2, "--count", "--count=0");
    REFUSED(2, "--size", "--size=1280");
    REFUSED(2, "--size", "--size=99999x2");
    REFUSED(2, "--scene", "--scene=opera");
    REFUSED(2, "--device", "--device=stone");
    REFUSED(2, "--fault", "--fault=sulk");
    REFUSED(2, "--fault", "--fault=freeze:2");
    REFUSED(2, "--port", "--port=65535", "--count=2");
    REFUSED(2, "--listen", "--listen=nowhere");
    REFUSED(2, "--connect", "--connect=127.0.0.1:0");
    REFUSED(2, "--connect", "--connect=[::1");
}

TEST(a_dry_run_opens_nothing)
{
    char errors[256];
    assert_int_equal(screens_refused((const char *const[]){"--dry-run", NULL}, errors, 256), 0);
    assert_string_equal(errors, "");
}

static void assert_audit(struct screens_under_test *screens, const char *scene)
{
    struct looker looker;
    looker_open(&looker, screens, 0);
    for (unsigned i = 0; i < 5; i++)
        looker_update(&looker, i > 0);
    if (!looker_audit(&looker))
        fail_msg("%s: another picture: %s", scene, looker.said);
    looker_close(&looker);
}

TEST(a_viewer_has_the_screens_picture_after_changes)
{
    static const char *const scenes[] = {"idle", "type", "scroll", "video", "flip-all"};
    for (unsigned i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        struct screens_under_test screens =
            screens_begin("--scene", scenes[i], "--size=640x200", "--scene-rate=100");
        assert_audit(&screens, scenes[i]);
        screens_end(&screens, NULL, 0);
    }
}

TEST(a_scroll_is_a_copy_even_when_frames_were_skipped)
{
    struct screens_under_test screens =
        screens_begin("--scene=scroll", "--size=640x400", "--scene-rate=50");
    struct looker looker;
    unsigned copies = 0;
    looker_open(&looker, &screens, 0);
    for (unsigned i = 0; i < 5; i++) {
        looker_update(&looker, i > 0);
        copies += looker.copies;
        os_sleep_ns(70 * OS_NS_PER_MS); /* several frames */
    }
    assert_true(copies >= 1);
    assert_true(looker_audit(&looker));
    looker_close(&looker);
    screens_end(&screens, NULL, 0);
}

TEST(the_newest_frame_comes_after_a_pause)
{
    struct screens_under_test screens = screens_begin("--scene-rate=50", "--size=640x200");
    struct looker looker;
    looker_open(&looker, &screens, 0);
    looker_update(&looker, false);
    os_sleep_ns(300 * OS_NS_PER_MS); /* 15 frames */
    const uint64_t now_us = os_now_ns() / 1000;
    unsigned updates = 0;
    do
        looker_update(&looker, true);
    while (++updates < 15 && looker_stamp(&looker, STAMP_TIME) < now_us);
    assert_in_range(updates, 1, 3); /* those that nobody asked for were not kept */
    looker_close(&looker);
    screens_end(&screens, NULL, 0);
}

TEST(a_scene_stands_still_while_nobody_looks)
{
    char said[1024];
    struct screens_under_test screens = screens_begin("--count=3", "--scene-rate=100");
    os_sleep_ns(100 * OS_NS_PER_MS);
    screens_end(&screens, said, sizeof said);
    assert_non_null(strstr(said, "0 viewers: 0 updates, 0 bytes"));
}

TEST(keys_are_seen_and_counted)
{
    char said[1024];
    struct screens_under_test screens = screens_begin("--scene-rate=0", "--size=640x200");
    struct looker looker;
    looker_open(&looker, &screens, 0);
    looker_update(&looker, false);
    for (unsigned i = 0; i < 3; i++) {
        looker_key(&looker, 'a' + i, true);
        looker_key(&looker, 'a' + i, false);
    }
    while (looker_stamp(&looker, STAMP_KEYS) < 3)
        looker_update(&looker, true);
    assert_true(looker_audit(&looker));
    assert_non_null(strstr(looker.said, "keys=6 pointers=0"));
    looker_close(&looker);
    screens_end(&screens, said, sizeof said);
    assert_non_null(strstr(said, "6 keys"));
}

TEST(view_only_ignores_keys_and_says_so)
{
    char said[1024];
    struct screens_under_test screens =
        screens_begin("--scene-rate=0", "--size=640x200", "--view-only");
    struct looker looker;
    looker_open(&looker, &screens, 0);
    looker_key(&looker, 'a', true);
    looker_update(&looker, false);
    assert_int_equal(looker_stamp(&looker, STAMP_KEYS), 0);
    assert_true(looker_audit(&looker));
    looker_close(&looker);
    screens_end(&screens, said, sizeof said);
    assert_non_null(strstr(said, "1 events refused"));
}

TEST(shared_pictures_part_at_a_key)
{
    struct screens_under_test screens =
        screens_begin("--count=2", "--pictures=1", "--scene-rate=0", "--size=640x200");
    struct looker one, other;
    looker_open(&one, &screens, 0);
    looker_open(&other, &screens, 1);
    looker_update(&one, false);
    looker_update(&other, false);
    assert_true(rfb_picture_digest(&one.picture) == rfb_picture_digest(&other.picture));
    looker_key(&one, 'x', true);
    looker_update(&one, true);
    looker_update(&other, false);
    assert_int_equal(looker_stamp(&one, STAMP_KEYS), 1);
    assert_int_equal(looker_stamp(&other, STAMP_KEYS), 0);
    assert_true(looker_audit(&one) && looker_audit(&other));
    looker_close(&one);
    looker_close(&other);
    screens_end(&screens, NULL, 0);
}

TEST(old_versions_are_spoken)
{
    struct screens_under_test screens = screens_begin("--size=640x200");
    static const unsigned minors[] = {3, 7, 8};
    for (unsigned i = 0; i < 3; i++) {
        unsigned width, height;
        int socket = screens_connect(&screens, 0);
        looker_handshake(socket, minors[i], 1, &width, &height);
        assert_true(width == 640 && height == 200);
        close(socket);
    }
    screens_end(&screens, NULL, 0);
}

TEST(who_wants_a_screen_alone_has_it_alone)
{
    struct screens_under_test screens = screens_begin("--size=640x200");
    struct looker first;
    unsigned width, height;
    looker_open(&first, &screens, 0);
    int socket = screens_connect(&screens, 0);
    looker_handshake(socket, 8, 0, &width, &height);
    assert_ended(first.socket);
    close(socket);
    looker_close(&first);
    screens_end(&screens, NULL, 0);
}

/* Bytes that end a connection, behind a good handshake, and what is said of it. */
TEST(bad_requests_end_their_connection_alone)
{
    static const struct {
        uint8_t bytes[20];
        const char *said;
    } bad[] = {
        {{99}, "not known"},
        {{RFB_SET_PIXEL_FORMAT, 0, 0, 0, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0}, "32 bits"},
    };
    char said[1024];
    struct screens_under_test screens = screens_begin("--size=640x200");
    for (unsigned i = 0; i < 2; i++) {
        struct looker good, looker;
        looker_open(&good, &screens, 0);
        looker_open(&looker, &screens, 0);
        bytes_put(looker.socket, bad[i].bytes, sizeof bad[i].bytes);
        assert_ended(looker.socket);
        looker_update(&good, false);
        looker_close(&looker);
        looker_close(&good);
    }
    int socket = screens_connect(&screens, 0);
    bytes_put(socket, "GET / HTTP/1.1\r\n", 16);
    assert_ended(socket);
    close(socket);
    screens_end(&screens, said, sizeof said);
    assert_non_null(strstr(said, bad[0].said));
    assert_non_null(strstr(said, bad[1].said));
    assert_non_null(strstr(said, "does not begin as RFB"));
}
