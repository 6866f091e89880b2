/* Sources of pictures that capture what a window system shows. */
#ifndef FANIN_CAPTURE_H
#define FANIN_CAPTURE_H

#include "mock_servers/screens/source.h"

extern const struct source_kind source_x11; /* Linux's */

#endif
