/* The real fanin-screens, started for a test, and a viewer of raw pictures that talks to it. Every
 * fleet has an address of its own in 127.0.0.0/8. */
#ifndef FANIN_SCREENS_UNDER_TEST_H
#define FANIN_SCREENS_UNDER_TEST_H

#include "base/net.h"
#include "base/os.h"
#include "base/rfb/protocol.h"
#include "base/tests/test.h"

enum { SCREENS_PORT = 25900, SCREENS_PATH_BYTES = 512, SCREENS_PATIENCE_S = 30 };

struct screens_under_test {
    struct os_process process;
    uint32_t host;
    char directory[64], ready[SCREENS_PATH_BYTES], errors[SCREENS_PATH_BYTES];
};

/* Starts screens with these options and waits until they are ready. fleet_calls: ones that connect
 * to SCREENS_PORT at `host`, which it sets. */
#define screens_begin(...)   screens_begin_with(false, (const char *const[]){__VA_ARGS__, NULL})
#define screens_calling(...) screens_begin_with(true, (const char *const[]){__VA_ARGS__, NULL})
struct screens_under_test screens_begin_with(bool calling, const char *const *arguments);

/* Ends them with SIGTERM; their exit code must be 0. Writes what they said. */
void screens_end(struct screens_under_test *screens, char *said, size_t said_bytes);

/* Starts screens that must end by themselves. Returns their exit code and their message. */
int screens_refused(const char *const *arguments, char *errors, size_t errors_bytes);

/* ---- a viewer ---- */

struct looker {
    int socket;
    struct rfb_picture picture;
    unsigned rectangles, copies; /* of the last update */
    bool resized;                /* by it */
    char said[256];              /* the last ServerCutText */
};

/* Of a connected socket, or to screen `number`: up to SetEncodings of raw, CopyRect and
 * DesktopSize. */
void looker_greet(struct looker *looker, int socket);
void looker_open(struct looker *looker, const struct screens_under_test *screens, unsigned number);
void looker_close(struct looker *looker);

int screens_connect(const struct screens_under_test *screens, unsigned number);
int screens_socket(void); /* that gives up after SCREENS_PATIENCE_S */

/* A listening socket where screens_calling's call. screens_accept: the next of them. */
int screens_listener(const struct screens_under_test *screens);
int screens_accept(int listener);

void bytes_put(int socket, const void *data, size_t bytes);
void bytes_take(int socket, void *data, size_t bytes);
size_t bytes_until_end(int socket, void *data, size_t bytes); /* less than bytes: it has ended */
void assert_ended(int socket);

/* Up to the security's result, of RFB 3.`minor`. */
void looker_handshake(int socket, unsigned minor, uint8_t shared, unsigned *width,
                      unsigned *height);
void looker_ask(struct looker *looker, bool incremental);
void looker_key(struct looker *looker, uint32_t keysym, bool down);

/* The next message, which is an update (true) or a text. */
bool looker_next(struct looker *looker);
void looker_update(struct looker *looker, bool incremental); /* asks and takes it */

/* Asks until the screen says what the viewer must have; true: it has. */
bool looker_audit(struct looker *looker);
uint64_t looker_stamp(const struct looker *looker, int line);

#endif
