/* X servers of our own: each writes its display's number into a pipe when it is ready. */
#include "base/xdisplay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"

enum { START_S = 60 };

/* The line on the pipe. 0, or a negative errno value. */
static int read_number(int from, char name[XDISPLAY_BYTES])
{
    const uint64_t end_ns = os_deadline_ns((uint64_t)START_S * OS_NS_PER_S);
    char line[XDISPLAY_BYTES - 1] = "";
    size_t used = 0;
    while (os_now_ns() < end_ns) {
        struct pollfd ready = {.fd = from, .events = POLLIN};
        if (os_interrupted())
            return -EINTR;
        if (poll(&ready, 1, OS_SLICE_MS) <= 0)
            continue;
        const ssize_t got = read(from, line + used, sizeof line - 1 - used);
        if (got <= 0)
            return -ECHILD;
        used += (size_t)got;
        if (line[used - 1] == '\n') {
            snprintf(name, XDISPLAY_BYTES, ":%d", atoi(line));
            return 0;
        }
    }
    return -ETIMEDOUT;
}

/* The server opens the pipe by our end's name in /proc, which a child still has until it is another
 * program: no file is left behind. */
int xdisplay_start(struct os_process *process, char *const argv[], char name[XDISPLAY_BYTES])
{
    int ends[2];
    char out[32];
    *process = (struct os_process){.handle = 0};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    snprintf(out, sizeof out, "/proc/self/fd/%d", ends[1]);
    int error = os_process_start(process, argv, out, "/dev/null");
    close(ends[1]);
    if (error == 0) {
        error = read_number(ends[0], name);
        if (error != 0)
            os_process_stop(process, 0);
    }
    close(ends[0]);
    return error;
}

int xdisplay_xvfb(struct os_process *process, unsigned width, unsigned height, const char *option,
                  const char *value, char name[XDISPLAY_BYTES], char *why, size_t why_bytes)
{
    char size[32];
    char *const argv[] = {"Xvfb",
                          "-displayfd",
                          "1",
                          "-screen",
                          "0",
                          size,
                          "-nolisten",
                          "tcp",
                          "-noreset",
                          (char *)(uintptr_t)option,
                          (char *)(uintptr_t)value,
                          NULL};
    snprintf(size, sizeof size, "%ux%ux24", width, height);
    const int error = xdisplay_start(process, argv, name);
    if (error == -ENOENT)
        return why_write(why, why_bytes, "Xvfb is not installed (Debian: xvfb)");
    if (error != 0)
        return why_write(why, why_bytes, "Xvfb does not start with a screen of %s: %s", size,
                         error == -ECHILD ? "it ended early" : strerror(-error));
    return 0;
}
