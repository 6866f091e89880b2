/* Sources of pictures that capture what a window system shows. */
#ifndef FANIN_CAPTURE_H
#define FANIN_CAPTURE_H

#include "mock_servers/screens/source.h"

/* capture_list: those that this system has; NULL after the last. */
const struct source_kind *capture_list(unsigned index);

#endif
