/* What the eye itself takes: delays of a window that is painted on the same X server. */
#ifndef FANIN_EYE_FLOOR_H
#define FANIN_EYE_FLOOR_H

#include "client/eye/server.h"

/* floor_measure: paints and looks for about half a second. 0 with the delays' median and 95 %, or
 * -1 with `why`: the eye does not see what is painted there. */
int floor_measure(struct x_server *server, double *p50_ms, double *p95_ms, char *why,
                  size_t why_bytes);

#endif
