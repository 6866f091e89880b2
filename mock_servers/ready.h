/* The ready file: written when every device listens. */
#ifndef FANIN_READY_H
#define FANIN_READY_H

#include <stdint.h>

/* ready_write: writes "<pid> <first port> <count>\n" to `path`, which appears whole or not at
 * all. 0, or a negative errno value with nothing left behind. */
int ready_write(const char *path, int port, uint64_t count);

#endif
