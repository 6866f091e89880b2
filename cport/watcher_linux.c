/* The watcher: finds workers that sleep outside of cp_wait and gives their places away, as Windows'
 * kernel does by itself.
 *
 *    resting --the gate sees a backlog--> looking, about every millisecond
 *       ^                                     |
 *       '---- QUIET_ROUNDS without one -------'
 *
 * A round looks at running workers that have not come to cp_wait since the last round. One whose
 * CPU time has not moved meanwhile and whose state is S or D has slept all that time. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cport/port.h"

enum {
    PAUSE_MIN_NS = 250000, /* between two rounds: while something changes */
    PAUSE_MAX_NS = OS_NS_PER_MS,
    PAUSE_SHARE = 20, /* rounds take at most one part in so many of a processor's time */
    QUIET_ROUNDS = 8,
};
#define UNKNOWN UINT64_MAX
#define ROLE    "cport-watcher"

static uint64_t cpu_ns(int clock)
{
    struct timespec time;
    return clock_gettime(clock, &time) == 0 ? os_timespec_ns(time) : UNKNOWN;
}

/* The state letter of /proc/self/task/TID/stat: "TID (name) S ...". 0, with errno: not readable. */
static char state_of(int thread)
{
    char path[64], text[128]; /* the name is short, and only numbers follow the letter */
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t bytes = read(file, text, sizeof text - 1);
    int error = bytes < 0 ? errno : EINVAL;
    close(file);
    errno = error;
    text[bytes > 0 ? bytes : 0] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] == ' ' ? name_end[2] : 0;
}

void watcher_meets(struct worker *worker)
{
    clockid_t clock;
    worker->watched = (struct watched){.thread = gettid(), .cpu_ns = UNKNOWN};
    worker->watched.clock = pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : -1;
}

/* ---- looking: lock held --------------------------------------------------------------------- */

static void carry_out(struct cport *port, struct effects *effects)
{
    port_unlock(port, effects);
    port_lock(port);
}

/* Whether the worker has to be looked at: it is a sleeper, or it runs since the last round. */
static bool is_due(struct worker *worker)
{
    if (worker->gate.state == GATE_ASLEEP)
        return true;
    if (worker->gate.state != GATE_RUNNING)
        return false;
    if (worker->watched.waits == worker->gate.waits)
        return true;
    worker->watched.waits = worker->gate.waits;
    worker->watched.cpu_ns = UNKNOWN;
    return false;
}

/* Looks without the lock; the worker may leave the port meanwhile, and its memory be gone. True:
 * something has changed, so the next round should come soon. */
static bool look_at(struct cport *port, struct worker *worker)
{
    const struct watched before = worker->watched;
    const enum gate_state state = worker->gate.state;
    const uint64_t waits = worker->gate.waits;
    struct effects effects = NO_EFFECTS;
    port->watcher.looks++;
    pthread_mutex_unlock(&port->lock);
    const uint64_t now_ns = cpu_ns(before.clock);
    const bool ran = now_ns != before.cpu_ns || now_ns == UNKNOWN;
    const char letter = ran == (state == GATE_ASLEEP) ? state_of(before.thread) : 0;
    port_lock(port);
    if (port->watcher.next != worker)
        return false;
    port->watcher.next = worker->next_member;
    if (worker->gate.state != state || worker->gate.waits != waits)
        return false;
    worker->watched.cpu_ns = now_ns;
    if (state == GATE_ASLEEP && letter == 'R')
        gate_unblock(&port->gate, &worker->gate);
    if (state == GATE_ASLEEP || !(letter == 'S' || letter == 'D'))
        return before.cpu_ns == UNKNOWN;
    if (gate_backlog(&port->gate))
        gate_found_asleep(&port->gate, &worker->gate, &effects.gate);
    carry_out(port, &effects);
    return true;
}

static bool look_at_all(struct cport *port)
{
    bool changed = false;
    port->watcher.next = port->members;
    for (struct worker *worker; !port->closed && (worker = port->watcher.next);) {
        if (is_due(worker))
            changed |= look_at(port, worker);
        else
            port->watcher.next = worker->next_member;
    }
    return changed;
}

/* Packets that nobody polls for are in the kernel. */
static bool is_backlog(struct cport *port)
{
    struct effects effects = NO_EFFECTS;
    if (gate_unpolled(&port->gate)) {
        port_poll_kernel(port, &effects);
        carry_out(port, &effects);
    }
    return gate_backlog(&port->gate);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void pause_for(struct cport *port, uint64_t pause_ns)
{
    pthread_mutex_unlock(&port->lock);
    os_park(&port->watcher.parker, pause_ns);
    port_lock(port);
}

static void look_until_quiet(struct cport *port)
{
    uint64_t pause_ns = PAUSE_MIN_NS;
    unsigned quiet = 0;
    while (!port->closed && quiet < QUIET_ROUNDS) {
        const uint64_t began_ns = os_work_ns();
        quiet = is_backlog(port) ? 0 : quiet + 1;
        bool changed = quiet == 0 && look_at_all(port);
        const uint64_t least_ns = (os_work_ns() - began_ns) * (PAUSE_SHARE - 1);
        pause_ns = changed ? PAUSE_MIN_NS : pause_ns * 2;
        pause_ns = pause_ns < PAUSE_MAX_NS ? pause_ns : PAUSE_MAX_NS;
        pause_for(port, pause_ns > least_ns ? pause_ns : least_ns);
    }
}

static void *watch(void *argument)
{
    struct cport *port = argument;
    port_lock(port);
    while (!port->closed) {
        if (!port->gate.looking) {
            pause_for(port, UINT64_MAX);
            continue;
        }
        struct effects effects = NO_EFFECTS;
        port->watcher.wake_ups++;
        look_until_quiet(port);
        gate_rest(&port->gate, &effects.gate);
        carry_out(port, &effects);
    }
    port_unlock(port, &NO_EFFECTS);
    return NULL;
}

void watcher_wake(struct cport *port)
{
    os_unpark(&port->watcher.parker);
}

/* The application's signals are not this thread's. */
static int start(struct cport *port)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = os_thread_start(&port->watcher.thread, ROLE, 0, watch, port);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return cp_error_from_errno(code);
}

int watcher_open(struct cport *port, char *why, size_t why_bytes)
{
    const int self = gettid();
    if (state_of(self) != 'R') {
        const int error = errno;
        snprintf(why, why_bytes, "watch needs /proc: cannot read /proc/self/task/%d/stat (%s)",
                 self, strerror(error));
        return error == EMFILE || error == ENFILE ? cp_error_from_os(error) : CP_EUNSUPPORTED;
    }
    gate_watch(&port->gate);
    const int code = start(port);
    port->watcher.process = code == 0 ? getpid() : 0;
    return code;
}

/* A fork has the port, but not the thread. */
void watcher_close(struct cport *port)
{
    if (port->watcher.process != getpid())
        return;
    watcher_wake(port);
    pthread_join(port->watcher.thread, NULL);
}
