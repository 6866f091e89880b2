/* The row that a viewer has written, read again. */
#ifndef FANIN_EYE_VIEWER_ROW_H
#define FANIN_EYE_VIEWER_ROW_H

#include "base/json_read.h"
#include "client/monitor/row.h"

/* viewer_row_read: all that the viewer says of itself; the eye's keys, its options and the name of
 * the viewer stay as they are in *row. Texts are the arena's. False: a key is not there. */
bool viewer_row_read(struct arena *arena, const char *object, struct monitor_row *row);

#endif
