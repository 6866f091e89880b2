/* The schemes that are built in: schemes.c lists them, each file defines one. */
#ifndef FANIN_SCHEMES_H
#define FANIN_SCHEMES_H

#include "client/buffers/scheme.h"

extern const struct scheme scheme_fixed, scheme_ring, scheme_chain, scheme_slices, scheme_mirror,
    scheme_drain;

#endif
