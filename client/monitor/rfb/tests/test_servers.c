/* Our decoders on the bytes of others: Xtigervnc and x11vnc show an X display that this test paints
 * on, and in each encoding its picture arrives, pixel for pixel. Skipped where they are missing. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xcb/xcb.h>

#include "base/os.h"
#include "base/os_parts.h"
#include "base/random.h"
#include "base/tests/test.h"
#include "base/xdisplay.h"
#include "client/monitor/rfb/tests/wire.h"

enum { WIDTH = 320, HEIGHT = 240, RECTANGLES = 300, RECEIVE_BYTES = 8192 };
enum { LIMIT_S = 120 }; /* for whatever a loaded machine does */

static struct os_process x_server, vnc_server;
static char folder[] = "/tmp/fanin-servers-XXXXXX", log_path[64], display[XDISPLAY_BYTES];
static unsigned short port;

/* ---- servers ------------------------------------------------------------------------------ */

static bool installed(const char *program)
{
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    return system(command) == 0;
}

static unsigned short port_free(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket_free = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(socket_free, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(getsockname(socket_free, (struct sockaddr *)&address, &bytes), 0);
    close(socket_free);
    return ntohs(address.sin_port);
}

static int servers_setup(void **state)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    x_server.handle = vnc_server.handle = 0;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    return 0;
}

static int servers_teardown(void **state)
{
    if (vnc_server.handle != 0)
        os_process_stop(&vnc_server, 1000000000);
    if (x_server.handle != 0)
        os_process_stop(&x_server, 1000000000);
    unlink(log_path);
    return rmdir(folder);
}

static void xtigervnc_start(void)
{
    char number[8];
    if (!installed("Xtigervnc")) {
        print_message("skipped: Xtigervnc is not installed\n");
        skip();
    }
    port = port_free();
    snprintf(number, sizeof number, "%u", port);
    char *const argv[] = {"Xtigervnc",
                          "-displayfd",
                          "1",
                          "-geometry",
                          "320x240",
                          "-depth",
                          "24",
                          "-rfbport",
                          number,
                          "-localhost",
                          "-SecurityTypes",
                          "None",
                          "-AlwaysShared",
                          "-nocursor",
                          NULL};
    assert_int_equal(xdisplay_start(&x_server, argv, display), 0);
}

static void x11vnc_start(const char *option, const char *value)
{
    char number[8], why[128];
    if (!installed("x11vnc") || !installed("Xvfb")) {
        print_message("skipped: x11vnc or Xvfb is not installed\n");
        skip();
    }
    if (xdisplay_xvfb(&x_server, 320, 240, "-nocursor", NULL, display, why, sizeof why) != 0)
        fail_msg("%s", why);
    port = port_free();
    snprintf(number, sizeof number, "%u", port);
    assert_int_equal(
        os_process_start(&vnc_server,
                         (char *const[]){"x11vnc", "-norc", "-quiet", "-display", display,
                                         "-rfbport", number, "-localhost", "-forever", "-shared",
                                         "-nocursor", (char *)(uintptr_t)option,
                                         (char *)(uintptr_t)value, NULL},
                         log_path, log_path),
        0);
}

/* ---- the display -------------------------------------------------------------------------- */

static xcb_connection_t *connection;
static xcb_window_t root;

static void display_open(void)
{
    connection = xcb_connect(display, NULL);
    assert_int_equal(xcb_connection_has_error(connection), 0);
    root = xcb_setup_roots_iterator(xcb_get_setup(connection)).data->root;
}

/* Few colours at the left, many at the right. */
static void display_paint(void)
{
    uint64_t seed = 7;
    const xcb_gcontext_t gc = xcb_generate_id(connection);
    xcb_create_gc(connection, gc, root, 0, NULL);
    for (unsigned i = 0; i < RECTANGLES; i++) {
        const uint64_t number = random_next(&seed);
        const bool many = i % 2 == 1;
        const uint32_t colour = (uint32_t)(many ? number >> 8 : number % 5 * 0x304050) & 0xffffff;
        const xcb_rectangle_t box = {
            (int16_t)((number >> 32) % 120 + (many ? 160 : 0)), (int16_t)(number >> 40 & 0xff),
            (uint16_t)(1 + (number >> 50) % 40), (uint16_t)(1 + (number >> 56) % 30)};
        xcb_change_gc(connection, gc, XCB_GC_FOREGROUND, &colour);
        xcb_poly_fill_rectangle(connection, root, gc, 1, &box);
    }
    free(xcb_get_input_focus_reply(connection, xcb_get_input_focus(connection), NULL));
}

static uint64_t display_digest(void)
{
    xcb_get_image_reply_t *image = xcb_get_image_reply(
        connection,
        xcb_get_image(connection, XCB_IMAGE_FORMAT_Z_PIXMAP, root, 0, 0, WIDTH, HEIGHT, ~0u), NULL);
    assert_non_null(image);
    const struct rfb_picture picture = {(uint32_t *)(void *)xcb_get_image_data(image), WIDTH,
                                        HEIGHT, WIDTH};
    const uint64_t digest = rfb_picture_digest(&picture);
    free(image);
    return digest;
}

/* ---- the viewer --------------------------------------------------------------------------- */

static struct viewer viewer;
static int viewer_socket;

static void server_connect(void)
{
    const struct timeval limit = {.tv_sec = LIMIT_S};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < LIMIT_S * 20; i++) {
        viewer_socket = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(viewer_socket, (struct sockaddr *)&address, sizeof address) == 0)
            break;
        close(viewer_socket);
        viewer_socket = -1;
        usleep(50000);
    }
    assert_true(viewer_socket >= 0);
    setsockopt(viewer_socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void said_send(void)
{
    assert_int_equal(send(viewer_socket, viewer.said, viewer.said_bytes, MSG_NOSIGNAL),
                     viewer.said_bytes);
    viewer.said_bytes = 0;
}

/* One receive. 0, or the fault; RFB_FAULT_BASE where the server has closed. */
static int receive(void)
{
    static uint8_t data[RECEIVE_BYTES];
    const ssize_t got = recv(viewer_socket, data, sizeof data, 0);
    if (got <= 0)
        return RFB_FAULT_BASE;
    const int64_t taken = rfb_feed(viewer.rfb, data, (size_t)got);
    said_send();
    return taken < 0 ? (int)taken : 0;
}

static int handshake(const char *password, int encoding)
{
    static int encodings[4];
    memcpy(encodings, (int[]){encoding, RFB_COPYRECT, RFB_DESKTOP_SIZE, RFB_LAST_RECT},
           sizeof encodings);
    struct rfb_config config = viewer_config(&viewer);
    config.encodings = encodings;
    config.encoding_count = 4;
    config.password = password;
    assert_true(viewer_open(&viewer, &config));
    server_connect();
    int fault = 0;
    while (fault == 0 && !rfb_ready(viewer.rfb))
        fault = receive();
    return fault;
}

/* What was painted last may come with a later update. */
static void picture_check(int encoding, unsigned counted)
{
    assert_int_equal(handshake(NULL, encoding), 0);
    assert_int_equal(viewer.picture.width, WIDTH);
    assert_int_equal(viewer.picture.height, HEIGHT);
    const uint64_t wanted = display_digest();
    for (bool incremental = false; viewer_digest(&viewer) != wanted; incremental = true) {
        const unsigned updates = viewer.updates;
        rfb_request(viewer.rfb, rfb_box_all(&viewer.picture), incremental);
        said_send();
        while (viewer.updates == updates)
            assert_int_equal(receive(), 0);
    }
    assert_true(rfb_counts(viewer.rfb)->by_encoding[counted] > 0);
    close(viewer_socket);
    viewer_close(&viewer);
}

static void pictures_check(void)
{
    display_open();
    display_paint();
    picture_check(RFB_RAW, 0);
    picture_check(RFB_TIGHT, 2);
    picture_check(RFB_ZRLE, 3);
    xcb_disconnect(connection);
}

TEST(xtigervnc_is_seen_in_each_encoding, servers_setup, servers_teardown)
{
    xtigervnc_start();
    pictures_check();
}

TEST(x11vnc_is_seen_in_each_encoding, servers_setup, servers_teardown)
{
    x11vnc_start(NULL, NULL);
    pictures_check();
}

TEST(x11vnc_of_3_3_is_seen, servers_setup, servers_teardown)
{
    x11vnc_start("-rfbversion", "3.3");
    display_open();
    display_paint();
    picture_check(RFB_TIGHT, 2);
    xcb_disconnect(connection);
}

TEST(x11vnc_takes_our_password_and_no_other, servers_setup, servers_teardown)
{
    x11vnc_start("-passwd", "geheim");
    assert_int_equal(handshake("falsch", RFB_TIGHT), RFB_WRONG_PASSWORD);
    close(viewer_socket);
    viewer_close(&viewer);
    assert_int_equal(handshake("geheim", RFB_TIGHT), 0);
    close(viewer_socket);
    viewer_close(&viewer);
}
