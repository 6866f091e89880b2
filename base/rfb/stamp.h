/* A stamp: a number of 48 bits painted into a picture, so that whoever sees the picture, through
 * any protocol and in any viewer's window, reads it again. 64 cells of 8 x 8 pixels in one line,
 * black or white: 8 of a fixed pattern, 48 of the number, 8 of a check. A cell is read at its
 * middle, so that JPEG does not blur it.
 *
 *   STAMP_TIME  the lowest line of cells: microseconds of os_now_ns, the moment for which the
 *               change was scheduled. It is painted with every change, and sent last of an update.
 *   STAMP_KEYS  the line above: keys that went down, as the screen has seen them.
 *
 * A picture smaller than STAMP_WIDTH x 2 * STAMP_HEIGHT has no stamps. */
#ifndef FANIN_RFB_STAMP_H
#define FANIN_RFB_STAMP_H

#include "base/rfb/protocol.h"

enum { STAMP_CELL = 8, STAMP_CELLS = 64, STAMP_WIDTH = 512, STAMP_HEIGHT = 8 };
#define STAMP_MAX ((UINT64_C(1) << 48) - 1)

enum stamp_line { STAMP_TIME, STAMP_KEYS };

/* stamp_box: where it is, at the left of the picture; without area: the picture has no room. */
struct rfb_box stamp_box(const struct rfb_picture *picture, enum stamp_line line);

/* stamp_paint: `number` modulo 2^48. Does nothing where the picture is too small. */
void stamp_paint(const struct rfb_picture *picture, enum stamp_line line, uint64_t number);

/* stamp_read: false: no stamp is there, or its check fails. */
bool stamp_read(const struct rfb_picture *picture, enum stamp_line line, uint64_t *number);

#endif
