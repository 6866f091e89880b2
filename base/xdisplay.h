/* Starting an X server of our own, such as Xvfb, which dies with us. */
#ifndef FANIN_XDISPLAY_H
#define FANIN_XDISPLAY_H

#include "base/os.h"

enum { XDISPLAY_BYTES = 16 };

/* xdisplay_start: starts an X server whose argv has "-displayfd", "1" and blocks, at most a minute,
 * until it accepts connections. `name` becomes ":7". 0, or a negative errno value with no process
 * left: -ENOENT: it is not installed; -ECHILD: it ended early; -ETIMEDOUT; -EINTR: os_interrupted.
 * The caller ends the process by os_process_stop. */
int xdisplay_start(struct os_process *process, char *const argv[], char name[XDISPLAY_BYTES]);

/* xdisplay_xvfb: the same of an Xvfb with a screen of this size in pixels and no other way in than
 * this machine's. `option` is one more of its options, `value` that option's; NULL: none. 0, or -1
 * with `why`. */
int xdisplay_xvfb(struct os_process *process, unsigned width, unsigned height, const char *option,
                  const char *value, char name[XDISPLAY_BYTES], char *why, size_t why_bytes);

#endif
