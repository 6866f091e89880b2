/* What the tests of X11's windows share: a display, a glass with its thread, and what it shows. */
#ifndef FANIN_TESTS_XCB_STAGE_H
#define FANIN_TESTS_XCB_STAGE_H

#include "client/monitor/glass/tests/events.h"
#include "client/monitor/glass/tests/xvfb_linux.h"

enum { SCREENS = 7, WIDTH = 320, HEIGHT = 200 };

extern struct stage {
    struct xvfb xvfb; /* of 1280 x 800 */
    struct events events;
    struct glass *glass;
    pthread_t thread;
    struct rfb_picture pictures[SCREENS];
} stage;

/* stage_set_up: `option` of the X server, no shared memory for example, and its value; or NULL.
 * stage_set_up_view: the grid, too. stage_end_glass: the display stays. */
void stage_set_up_view(bool grid, char *option, char *value);
void stage_set_up(char *option, char *value);
void stage_end_glass(void);
void stage_tear_down(void);

const char *stage_title(unsigned screen); /* until the next call */

/* stage_show: a black picture in a window that is there when it returns. stage_paint: puts pixels
 * that `seed` makes. */
void stage_show_sized(unsigned screen, unsigned width, unsigned height);
void stage_show(unsigned screen);
void stage_show_painted(unsigned screen);
void stage_paint(unsigned screen, struct rfb_box box, uint32_t seed);

struct rfb_box stage_window(unsigned screen);

/* stage_is_shown: whether the display shows the picture, pixel for pixel, at the window's corner.
 * stage_assert_shown: it does, in the end. */
bool stage_is_shown(unsigned screen);
void stage_assert_shown(unsigned screen);

#define WAIT_FOR(line) assert_true(events_wait(&stage.events, line))

#endif
