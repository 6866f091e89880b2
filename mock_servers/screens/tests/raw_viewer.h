/* A small viewer of the tests: blocks, takes rectangles as they are (raw). Fails the test where a
 * screen does not answer for minutes. */
#ifndef FANIN_TESTS_RAW_VIEWER_H
#define FANIN_TESTS_RAW_VIEWER_H

#include "base/net.h"
#include "base/rfb/protocol.h"
#include "base/rfb/stamp.h"

struct raw_viewer {
    intptr_t socket;
    struct rfb_picture picture;
    bool has_ended; /* the screen has closed the connection */
};

/* raw_viewer_dial: connects to a screen at 127.0.0.1; false: refused. raw_viewer_answer: takes one
 * that connects. Both shake hands. */
bool raw_viewer_dial(struct raw_viewer *viewer, unsigned port);
void raw_viewer_answer(struct raw_viewer *viewer, intptr_t listener);
void raw_viewer_close(struct raw_viewer *viewer);

/* raw_viewer_update: asks for an update and takes it. False: the connection has ended. */
bool raw_viewer_update(struct raw_viewer *viewer);

void raw_viewer_key(const struct raw_viewer *viewer, uint32_t keysym); /* down and up */

/* raw_viewer_await: until the stamp is at least `number`. Returns the stamp; 0: the connection has
 * ended. */
uint64_t raw_viewer_await(struct raw_viewer *viewer, enum stamp_line line, uint64_t number);

#endif
