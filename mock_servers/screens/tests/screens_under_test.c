/* Starting fanin-screens for a test, and looking at it. */
#include "mock_servers/screens/tests/screens_under_test.h"

#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/rfb/stamp.h"
#include "base/tests/find.h"

enum { ARGUMENTS_MAX = 24 };

/* ---- the program ---- */

static uint32_t host_next(void)
{
    static uint32_t fleets;
    return 0x7f500000u + (uint32_t)getpid() % 4096 * 64 + ++fleets % 64;
}

static void launch(struct screens_under_test *screens, const char *option,
                   const char *const *arguments)
{
    char program[SCREENS_PATH_BYTES], place[96], ready[SCREENS_PATH_BYTES + 16], text[64];
    char *argv[ARGUMENTS_MAX] = {program, place, ready, "--port=25900"};
    unsigned count = 4;
    const struct net_address address = net_ipv4(screens->host = host_next(), 0);
    net_address_text(&address, text);
    *strrchr(text, ':') = '\0';
    assert_true(find_upwards(program, sizeof program, "fanin-screens"));
    assert_true(temporary_directory(screens->directory, sizeof screens->directory));
    snprintf(screens->ready, sizeof screens->ready, "%s/ready", screens->directory);
    snprintf(screens->errors, sizeof screens->errors, "%s/errors", screens->directory);
    snprintf(place, sizeof place, "--%s=%s", option, text);
    snprintf(ready, sizeof ready, "--ready-file=%s", screens->ready);
    for (; *arguments != NULL; arguments++) {
        assert_true(count < ARGUMENTS_MAX - 1);
        argv[count++] = (char *)*arguments;
    }
    assert_int_equal(os_process_start(&screens->process, argv, NULL, screens->errors), 0);
}

static void forget(struct screens_under_test *screens, char *said, size_t said_bytes)
{
    file_read(screens->errors, said, said_bytes);
    remove(screens->errors);
    assert_int_equal(rmdir(screens->directory), 0); /* no ready file was left behind */
}

struct screens_under_test screens_begin_with(bool calling, const char *const *arguments)
{
    struct screens_under_test screens;
    int code;
    launch(&screens, calling ? "connect" : "listen", arguments);
    for (unsigned i = 0; i < SCREENS_PATIENCE_S * 100 && access(screens.ready, R_OK) != 0; i++)
        if (os_process_wait(&screens.process, 10 * OS_NS_PER_MS, &code) != 0) {
            char errors[1024];
            file_read(screens.errors, errors, sizeof errors);
            fail_msg("fanin-screens ended with %d: %s", code, errors);
        }
    assert_int_equal(access(screens.ready, R_OK), 0);
    return screens;
}

static int wait_end(struct screens_under_test *screens)
{
    int code = -1;
    const uint64_t patience_ns = SCREENS_PATIENCE_S * (uint64_t)OS_NS_PER_S;
    assert_int_equal(os_process_wait(&screens->process, patience_ns, &code), 1);
    return code;
}

void screens_end(struct screens_under_test *screens, char *said, size_t said_bytes)
{
    char text[4096];
    assert_int_equal(kill((pid_t)screens->process.handle, SIGTERM), 0);
    assert_int_equal(wait_end(screens), 0);
    forget(screens, said != NULL ? said : text, said != NULL ? said_bytes : sizeof text);
}

int screens_refused(const char *const *arguments, char *errors, size_t errors_bytes)
{
    struct screens_under_test screens;
    launch(&screens, "listen", arguments);
    int code = wait_end(&screens);
    forget(&screens, errors, errors_bytes);
    return code;
}

/* ---- sockets ---- */

static int with_patience(int socket)
{
    struct timeval patience = {.tv_sec = SCREENS_PATIENCE_S};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return socket;
}

int screens_socket(void)
{
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(made >= 0);
    return with_patience(made);
}

int screens_connect(const struct screens_under_test *screens, unsigned number)
{
    const struct net_address to = net_ipv4(screens->host, (uint16_t)(SCREENS_PORT + number));
    int made = screens_socket();
    assert_int_equal(connect(made, net_sockaddr(&to), to.bytes), 0);
    return made;
}

int screens_listener(const struct screens_under_test *screens)
{
    const struct net_address at = net_ipv4(screens->host, SCREENS_PORT);
    int made = screens_socket(), one = 1;
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(made, net_sockaddr(&at), at.bytes), 0);
    assert_int_equal(listen(made, 1024), 0);
    return made;
}

int screens_accept(int listener)
{
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    return with_patience(accepted);
}

void bytes_put(int socket, const void *data, size_t bytes)
{
    assert_int_equal(send(socket, data, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
}

size_t bytes_until_end(int socket, void *data, size_t bytes)
{
    size_t got = 0;
    ssize_t now = 1;
    while (got < bytes && (now = recv(socket, (char *)data + got, bytes - got, 0)) > 0)
        got += (size_t)now;
    return got;
}

void bytes_take(int socket, void *data, size_t bytes)
{
    assert_int_equal(bytes_until_end(socket, data, bytes), bytes);
}

void assert_ended(int socket)
{
    char byte;
    ssize_t got;
    do
        got = recv(socket, &byte, 1, 0);
    while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
}

/* ---- the viewer ---- */

void looker_handshake(int socket, unsigned minor, uint8_t shared, unsigned *width, unsigned *height)
{
    uint8_t data[256];
    char version[RFB_VERSION_BYTES + 1];
    snprintf(version, sizeof version, "RFB 003.%03u\n", minor % 1000);
    bytes_take(socket, data, RFB_VERSION_BYTES);
    assert_memory_equal(data, RFB_VERSION, RFB_VERSION_BYTES);
    bytes_put(socket, version, RFB_VERSION_BYTES);
    bytes_take(socket, data, minor == 3 ? 4 : 2);
    assert_int_equal(data[minor == 3 ? 3 : 1], RFB_SECURITY_NONE);
    if (minor > 3)
        bytes_put(socket, "\1", 1);
    if (minor == 8)
        bytes_take(socket, data, 4);
    bytes_put(socket, &shared, 1);
    bytes_take(socket, data, 24);
    *width = rfb_get16(data);
    *height = rfb_get16(data + 2);
    const uint32_t name_bytes = rfb_get32(data + 20);
    assert_true(name_bytes < sizeof data);
    bytes_take(socket, data, name_bytes);
}

static void picture_size(struct looker *looker, unsigned width, unsigned height)
{
    free(looker->picture.pixels);
    looker->picture = (struct rfb_picture){calloc((size_t)width * height, sizeof(uint32_t)), width,
                                           height, width};
    assert_non_null(looker->picture.pixels);
}

void looker_greet(struct looker *looker, int socket)
{
    const uint8_t encodings[] = {RFB_SET_ENCODINGS, 0,    0,    3,    0,   0, 0, RFB_RAW, 0, 0, 0,
                                 RFB_COPYRECT,      0xff, 0xff, 0xff, 0x21};
    unsigned width, height;
    *looker = (struct looker){.socket = socket};
    looker_handshake(socket, 8, 1, &width, &height);
    picture_size(looker, width, height);
    bytes_put(socket, encodings, sizeof encodings);
}

void looker_open(struct looker *looker, const struct screens_under_test *screens, unsigned number)
{
    looker_greet(looker, screens_connect(screens, number));
}

void looker_close(struct looker *looker)
{
    close(looker->socket);
    free(looker->picture.pixels);
}

void looker_ask(struct looker *looker, bool incremental)
{
    uint8_t request[10] = {RFB_UPDATE_REQUEST, incremental};
    rfb_put16(request + 6, looker->picture.width);
    rfb_put16(request + 8, looker->picture.height);
    bytes_put(looker->socket, request, sizeof request);
}

void looker_key(struct looker *looker, uint32_t keysym, bool down)
{
    uint8_t event[8] = {RFB_KEY_EVENT, down};
    rfb_put32(event + 4, keysym);
    bytes_put(looker->socket, event, sizeof event);
}

static void take_raw(struct looker *looker, struct rfb_box box)
{
    const struct rfb_picture *picture = &looker->picture;
    assert_true(rfb_box_inside(box, picture));
    for (unsigned y = box.y; y < box.y + box.height; y++)
        bytes_take(looker->socket, picture->pixels + (size_t)y * picture->stride + box.x,
                   box.width * sizeof(uint32_t));
}

static void take_copy(struct looker *looker, struct rfb_box box)
{
    const struct rfb_picture *picture = &looker->picture;
    uint8_t from[4];
    bytes_take(looker->socket, from, sizeof from);
    const unsigned x = rfb_get16(from), y = rfb_get16(from + 2);
    assert_true(rfb_box_inside(box, picture) && x == box.x && y >= box.y);
    assert_true(y + box.height <= picture->height);
    for (unsigned line = 0; line < box.height; line++)
        memmove(picture->pixels + (size_t)(box.y + line) * picture->stride + box.x,
                picture->pixels + (size_t)(y + line) * picture->stride + x,
                box.width * sizeof(uint32_t));
    looker->copies++;
}

static void take_rectangle(struct looker *looker)
{
    uint8_t header[RFB_HEADER_BYTES];
    bytes_take(looker->socket, header, sizeof header);
    const struct rfb_box box = {rfb_get16(header), rfb_get16(header + 2), rfb_get16(header + 4),
                                rfb_get16(header + 6)};
    const int encoding = (int)rfb_get32(header + 8);
    looker->resized |= encoding == RFB_DESKTOP_SIZE;
    if (encoding == RFB_DESKTOP_SIZE)
        picture_size(looker, box.width, box.height);
    else if (encoding == RFB_COPYRECT)
        take_copy(looker, box);
    else if (encoding == RFB_RAW)
        take_raw(looker, box);
    else
        fail_msg("encoding %d", encoding);
}

bool looker_next(struct looker *looker)
{
    uint8_t header[8];
    bytes_take(looker->socket, header, 4);
    if (header[0] == RFB_SERVER_CUT_TEXT) {
        bytes_take(looker->socket, header + 4, 4);
        const uint32_t bytes = rfb_get32(header + 4);
        assert_true(bytes < sizeof looker->said);
        bytes_take(looker->socket, looker->said, bytes);
        looker->said[bytes] = '\0';
        return false;
    }
    assert_int_equal(header[0], RFB_UPDATE);
    looker->rectangles = rfb_get16(header + 2);
    looker->copies = 0;
    looker->resized = false;
    for (unsigned i = 0; i < looker->rectangles; i++)
        take_rectangle(looker);
    return true;
}

void looker_update(struct looker *looker, bool incremental)
{
    looker_ask(looker, incremental);
    assert_true(looker_next(looker));
}

bool looker_audit(struct looker *looker)
{
    uint8_t ask[8 + sizeof RFB_AUDIT_ASK - 1] = {RFB_CLIENT_CUT_TEXT};
    char mine[32];
    rfb_put32(ask + 4, sizeof RFB_AUDIT_ASK - 1);
    memcpy(ask + 8, RFB_AUDIT_ASK, sizeof RFB_AUDIT_ASK - 1);
    bytes_put(looker->socket, ask, sizeof ask);
    do
        looker_ask(looker, true);
    while (looker_next(looker));
    snprintf(mine, sizeof mine, "picture=%016llx",
             (unsigned long long)rfb_picture_digest(&looker->picture));
    return strstr(looker->said, mine) != NULL;
}

uint64_t looker_stamp(const struct looker *looker, int line)
{
    uint64_t number;
    assert_true(stamp_read(&looker->picture, (enum stamp_line)line, &number));
    return number;
}
