/* One tile of ZRLE. */
#ifndef FANIN_RFB_TILE_H
#define FANIN_RFB_TILE_H

#include <stddef.h>

#include "client/monitor/rfb/paint.h"

/* TILE_BYTES_MAX: more than any tile takes, the worst being runs of one pixel each. */
enum { TILE_SIZE = 64, TILE_BYTES_MAX = 20480 };

/* tile_paint: returns the bytes taken; 0: the tile is not all there yet, and parts of it may be
 * painted; or a fault. */
int64_t tile_paint(struct paint paint, const uint8_t *data, size_t bytes);

#endif
