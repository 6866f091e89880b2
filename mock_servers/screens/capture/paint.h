/* The painter: shows a scene in a window of an X server, with stamps, and what keys and pointer the
 * window gets. What it paints is what a screen of the suite's own has: so devices that capture a
 * screen are measured with the same pictures. */
#ifndef FANIN_PAINT_H
#define FANIN_PAINT_H

#include "mock_servers/screens/scene.h"

struct paint_config {
    const char *display; /* "" is the system's own */
    const struct scene_kind *scene;
    double rate; /* frames a second; 0: the picture stands still */
    unsigned width, height;
    uint64_t seed;
};

/* paint_run: paints until os_interrupted. 0, or -1 with `why`: there is no X server, or it has
 * gone. */
int paint_run(const struct paint_config *config, char *why, size_t why_bytes);

#endif
