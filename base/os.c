/* The part of os.h that is the same on every system: identity, the clock without pauses, starting
 * threads, parking, directories. */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/active_clock.h"
#include "base/cgroup.h"
#include "base/os_parts.h"
#include "base/random.h"

/* The distance between the two clocks differs from boot to boot, and an address (randomised) from
 * process to process. */
uint64_t os_identity(void)
{
    int here;
    return random_mix(os_wall_ns() ^ (os_now_ns() << 20) ^ (uint64_t)(uintptr_t)&here);
}

/* Reads the wall clock between two readings of the other one, until those are close. */
struct os_distance os_wall_distance(void)
{
    enum { CLOSE_NS = 500, TRIES_MAX = 16 };
    struct os_distance distance = {0, INT64_MAX};
    uint64_t before_ns = os_now_ns();
    for (unsigned i = 0; i < TRIES_MAX && distance.max_ns - distance.min_ns > CLOSE_NS; i++) {
        const uint64_t wall_ns = os_wall_ns(), after_ns = os_now_ns();
        if ((int64_t)(after_ns - before_ns) < distance.max_ns - distance.min_ns)
            distance = (struct os_distance){.min_ns = (int64_t)(wall_ns - after_ns),
                                            .max_ns = (int64_t)(wall_ns - before_ns)};
        before_ns = after_ns;
    }
    return distance;
}

uint64_t os_deadline_ns(uint64_t duration_ns)
{
    uint64_t now_ns = os_now_ns();
    return duration_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + duration_ns;
}

/* ---- the clock without pauses ------------------------------------------------------------ */

static _Thread_local struct active_clock own_clock;
static _Thread_local uint64_t suspended_before_ns;

/* A loop may look at each of its steps: the processor's clock costs a call of the system. */
uint64_t os_active_ns(void)
{
    const uint64_t now_ns = os_now_ns(), since_ns = now_ns - own_clock.looked_ns;
    if (own_clock.looked_ns == 0)
        own_clock = active_clock_begin(now_ns, thread_cpu_ns());
    else if (since_ns < OS_NS_PER_MS)
        return own_clock.active_ns + since_ns;
    else
        active_clock_look(&own_clock, now_ns, thread_cpu_ns());
    return own_clock.active_ns;
}

void os_pauses_begin(void)
{
    own_clock = active_clock_begin(os_now_ns(), thread_cpu_ns());
    suspended_before_ns = suspended_ns();
}

/* The two clocks behind suspended_ns are not read at one moment: a small difference means nothing.
 */
uint64_t os_paused_ns(void)
{
    const uint64_t gap_max_ns = (uint64_t)ACTIVE_GAP_MS_MAX * OS_NS_PER_MS;
    const uint64_t after_ns = suspended_ns(), before_ns = suspended_before_ns;
    os_active_ns();
    return own_clock.paused_ns + (after_ns > before_ns + gap_max_ns ? after_ns - before_ns : 0);
}

/* ---- threads ----------------------------------------------------------------------------- */

int os_cpu_count(void)
{
    struct cpu_quota quota;
    const int allowed = os_cpu_affinity();
    cpu_quota_read("", &quota);
    if (!(quota.cpus < allowed)) /* NAN: not known */
        return allowed;
    const int whole = (int)quota.cpus;
    return quota.cpus > whole ? whole + 1 : whole;
}

struct thread_start {
    void *(*run)(void *);
    void *argument;
    char role[ROLE_BYTES];
};

static void *thread_enter(void *argument)
{
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    thread_name_set(pthread_self(), start.role);
    return start.run(start.argument);
}

int os_thread_start(pthread_t *thread, const char *role, size_t stack_bytes, void *(*run)(void *),
                    void *argument)
{
    assert(strlen(role) < ROLE_BYTES);
    struct thread_start *start = malloc(sizeof(*start));
    if (!start)
        return -ENOMEM;
    *start = (struct thread_start){.run = run, .argument = argument};
    strcpy(start->role, role);
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (!error) {
        if (stack_bytes > 0)
            error = thread_stack_set(&attributes, stack_bytes);
        if (!error)
            error = pthread_create(thread, &attributes, thread_enter, start);
        pthread_attr_destroy(&attributes);
    }
    /* The thread names itself before it runs; naming it from here too lets the caller count it at
     * once. If it has ended meanwhile, nothing happens. */
    if (!error)
        thread_name_set(*thread, role);
    else
        free(start);
    return -error;
}

/* ---- parking ----------------------------------------------------------------------------- */

/*            os_unpark              os_park
 *   NOTIFIED <-------- EMPTY ----------------> PARKED (asleep on the word)
 *      |  ^              ^                       |  |
 *      |  '--------------|-- os_unpark, wakes ---'  |
 *      '---- os_park ----'-------- timeout ---------'
 */
enum { PARKER_EMPTY, PARKER_NOTIFIED, PARKER_PARKED };

static_assert(sizeof(_Atomic uint32_t) == sizeof(uint32_t), "the word is the state itself");

static bool notice_take(struct os_parker *parker)
{
    uint32_t notified = PARKER_NOTIFIED;
    return atomic_compare_exchange_strong_explicit(&parker->state, &notified, PARKER_EMPTY,
                                                   memory_order_acquire, memory_order_relaxed);
}

bool os_park(struct os_parker *parker, uint64_t timeout_ns)
{
    if (notice_take(parker))
        return true;
    if (timeout_ns == 0)
        return false;
    uint64_t deadline_ns = os_deadline_ns(timeout_ns);
    uint32_t empty = PARKER_EMPTY;
    if (!atomic_compare_exchange_strong_explicit(&parker->state, &empty, PARKER_PARKED,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        assert(empty == PARKER_NOTIFIED);
        return notice_take(parker);
    }
    for (;;) {
        bool late = !word_wait(&parker->state, PARKER_PARKED, deadline_ns);
        if (notice_take(parker))
            return true;
        /* A wake that crosses the timeout counts: it must not be lost. */
        if (late)
            return atomic_exchange_explicit(&parker->state, PARKER_EMPTY, memory_order_acquire) ==
                   PARKER_NOTIFIED;
    }
}

void os_unpark(struct os_parker *parker)
{
    uint32_t before =
        atomic_exchange_explicit(&parker->state, PARKER_NOTIFIED, memory_order_release);
    if (before == PARKER_PARKED)
        word_wake(&parker->state);
}

/* ---- directories ------------------------------------------------------------------------- */

int os_directory_make(const char *path)
{
    char copy[OS_PATH_BYTES_MAX];
    size_t bytes = strlen(path);
    if (bytes == 0)
        return -ENOENT;
    if (bytes >= sizeof(copy))
        return -ENAMETOOLONG;
    memcpy(copy, path, bytes + 1);
    for (char *end = copy; (end = strpbrk(end + 1, path_separators));) {
        char separator = *end;
        *end = '\0';
        int error = directory_make_one(copy);
        if (error)
            return error;
        *end = separator;
    }
    return directory_make_one(copy);
}

const char *os_path_name(const char *path)
{
    for (const char *end; (end = strpbrk(path, path_name_starts));)
        path = end + 1;
    return path;
}
