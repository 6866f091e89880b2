/* Screens that are programs of others: an X server with a painter and what serves it by VNC, for
 * each screen. They listen at the fleet's ports or connect to the viewer, as our own screens do. */
#ifndef FANIN_DEVICES_H
#define FANIN_DEVICES_H

#include "mock_servers/screens/options.h"

struct device_kind {
    const char *name, *summary; /* --device */
    const struct device_program *program;
};

const struct device_kind *device_list(unsigned index); /* NULL after the last */

/* device_check: 0, or -1 with `why`: these options are not for such a device. */
int device_check(const struct screens_config *config, char *why, size_t why_bytes);

/* device_run: starts all screens, calls `ready` when they can be used (a code other than EXIT_DONE
 * ends the run with it), serves until os_interrupted. A screen that ends is a line on stderr that
 * says why, and EXIT_MEASURED_FAILURE at the end; the others go on. EXIT_MACHINE_CANNOT after a
 * line on stderr. Blocks. */
int device_run(const struct screens_config *config,
               int (*ready)(const struct screens_config *config));

#endif
