/* The small viewer of the tests. */
#include "mock_servers/screens/tests/raw_viewer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/tests/test.h"

enum { PATIENCE_S = 120, NAME_MAX = 4096, PIXEL = 4, PAUSE_MS = 20 };
static const uint64_t patience_ns = (uint64_t)PATIENCE_S * OS_NS_PER_S;

static void take(struct raw_viewer *viewer, void *data, size_t bytes)
{
    uint8_t *at = data;
    while (bytes > 0 && !viewer->has_ended) {
        assert_true(net_wait(viewer->socket, NET_READABLE, patience_ns));
        const int64_t got = net_receive_blocking(viewer->socket, at, bytes);
        if (got <= 0)
            viewer->has_ended = true;
        else {
            at += got;
            bytes -= (size_t)got;
        }
    }
    memset(at, 0, bytes);
}

static void say(const struct raw_viewer *viewer, const void *data, size_t bytes)
{
    net_send_all(viewer->socket, data, bytes,
                 patience_ns); /* a broken one is seen by the next read */
}

static void shake_hands(struct raw_viewer *viewer)
{
    static const uint8_t format[20] = {
        RFB_SET_PIXEL_FORMAT, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0};
    static const uint8_t encodings[8] = {RFB_SET_ENCODINGS, 0, 0, 1, 0, 0, 0, RFB_RAW};
    uint8_t version[RFB_VERSION_BYTES], types[256], result[4], init[24], name[NAME_MAX];
    take(viewer, version, sizeof version);
    say(viewer, RFB_VERSION, RFB_VERSION_BYTES);
    take(viewer, types, 1);
    take(viewer, types + 1, types[0]);
    say(viewer, &(uint8_t){RFB_SECURITY_NONE}, 1);
    take(viewer, result, sizeof result);
    say(viewer, &(uint8_t){1}, 1);
    take(viewer, init, sizeof init);
    take(viewer, name, rfb_get32(init + 20) % NAME_MAX);
    if (viewer->has_ended)
        return;
    const unsigned width = rfb_get16(init), height = rfb_get16(init + 2);
    viewer->picture =
        (struct rfb_picture){calloc((size_t)width * height, PIXEL), width, height, width};
    assert_non_null(viewer->picture.pixels);
    say(viewer, format, sizeof format);
    say(viewer, encodings, sizeof encodings);
}

bool raw_viewer_dial(struct raw_viewer *viewer, unsigned port)
{
    struct net_address address;
    *viewer = (struct raw_viewer){.socket = -1};
    assert_true(net_numeric("127.0.0.1", (uint16_t)port, &address));
    if (net_connect(&address, patience_ns, &viewer->socket) != 0)
        return false;
    shake_hands(viewer);
    return true;
}

void raw_viewer_answer(struct raw_viewer *viewer, intptr_t listener)
{
    const struct net_tuning tuning = {.send_buffer_bytes = 0};
    *viewer = (struct raw_viewer){.socket = -1};
    int result;
    do {
        assert_true(net_wait(listener, NET_READABLE, patience_ns));
        result = net_accept(listener, &tuning, &viewer->socket);
    } while (result == -EAGAIN);
    assert_int_equal(result, 0);
    shake_hands(viewer);
}

void raw_viewer_close(struct raw_viewer *viewer)
{
    net_close(viewer->socket);
    free(viewer->picture.pixels);
}

static void take_rectangle(struct raw_viewer *viewer)
{
    uint8_t header[RFB_HEADER_BYTES];
    take(viewer, header, sizeof header);
    const struct rfb_box box = {rfb_get16(header), rfb_get16(header + 2), rfb_get16(header + 4),
                                rfb_get16(header + 6)};
    if (viewer->has_ended)
        return;
    assert_int_equal(rfb_get32(header + 8), RFB_RAW);
    assert_true(rfb_box_inside(box, &viewer->picture));
    for (unsigned y = box.y; y < box.y + box.height; y++)
        take(viewer, viewer->picture.pixels + (size_t)y * viewer->picture.stride + box.x,
             (size_t)box.width * PIXEL);
}

static void take_update(struct raw_viewer *viewer)
{
    uint8_t head[3];
    take(viewer, head, sizeof head);
    for (unsigned left = rfb_get16(head + 1); left > 0 && !viewer->has_ended; left--)
        take_rectangle(viewer);
}

bool raw_viewer_update(struct raw_viewer *viewer)
{
    uint8_t request[10] = {RFB_UPDATE_REQUEST, 1}, kind = RFB_BELL, text[7];
    rfb_put16(request + 6, viewer->picture.width);
    rfb_put16(request + 8, viewer->picture.height);
    say(viewer, request, sizeof request);
    while (kind != RFB_UPDATE && !viewer->has_ended) {
        take(viewer, &kind, 1);
        if (kind == RFB_SERVER_CUT_TEXT) {
            uint8_t ignored;
            take(viewer, text, sizeof text);
            for (uint32_t left = rfb_get32(text + 3); left > 0; left--)
                take(viewer, &ignored, 1);
        } else if (kind == RFB_UPDATE)
            take_update(viewer);
    }
    return !viewer->has_ended;
}

void raw_viewer_key(const struct raw_viewer *viewer, uint32_t keysym)
{
    uint8_t event[16] = {RFB_KEY_EVENT, 1, [8] = RFB_KEY_EVENT};
    rfb_put32(event + 4, keysym);
    rfb_put32(event + 12, keysym);
    say(viewer, event, sizeof event);
}

uint64_t raw_viewer_await(struct raw_viewer *viewer, enum stamp_line line, uint64_t number)
{
    const uint64_t deadline_ns = os_deadline_ns(patience_ns);
    uint64_t seen = 0;
    while (raw_viewer_update(viewer)) {
        if (stamp_read(&viewer->picture, line, &seen) && seen >= number)
            return seen;
        assert_true(os_now_ns() < deadline_ns);
    }
    return 0;
}
