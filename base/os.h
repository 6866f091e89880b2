/* The operating system beyond ISO C, pthreads (which mingw-w64 brings) and sockets. os_linux.c or
 * os_windows.c implement it; nothing above this header asks which system it runs on.
 *
 * Unless a comment says otherwise: nothing here blocks, any thread may call it, and failure is a
 * negative errno value. */
#ifndef FANIN_OS_H
#define FANIN_OS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* ---- clock --------------------------------------------------------------------------------- */

enum { OS_NS_PER_MS = 1000000, OS_NS_PER_S = 1000000000 };

/* os_now_ns: monotonic time, for durations and deadlines. */
uint64_t os_now_ns(void);

/* os_wall_ns: nanoseconds since the Unix epoch, for send stamps that another process compares. */
uint64_t os_wall_ns(void);

/* os_deadline_ns: the moment that long from now, by os_now_ns. UINT64_MAX: never; no clock reaches
 * it. */
uint64_t os_deadline_ns(uint64_t duration_ns);

/* The distance of two clocks, as far as it can be measured: it lies between the two. */
struct os_distance {
    int64_t min_ns, max_ns;
};

/* os_wall_distance: how far the wall clock is ahead of the monotonic one. Known to some 10 ns,
 * unless the thread is suspended between the readings. */
struct os_distance os_wall_distance(void);

/* os_distance_gap_ns: by how much two distances differ at least; 0: they may be the same. */
static inline uint64_t os_distance_gap_ns(struct os_distance one, struct os_distance other)
{
    if (one.min_ns > other.max_ns)
        return (uint64_t)(one.min_ns - other.max_ns);
    return other.min_ns > one.max_ns ? (uint64_t)(other.min_ns - one.max_ns) : 0;
}

/* os_identity: a number that no other call, here or on another machine, is likely to give. */
uint64_t os_identity(void);

/* os_timespec, os_timespec_ns: a time in the C library's form, and back. */
static inline struct timespec os_timespec(uint64_t time_ns)
{
    return (struct timespec){.tv_sec = (time_t)(time_ns / OS_NS_PER_S),
                             .tv_nsec = (long)(time_ns % OS_NS_PER_S)};
}

static inline uint64_t os_timespec_ns(struct timespec time)
{
    return (uint64_t)time.tv_sec * OS_NS_PER_S + (uint64_t)time.tv_nsec;
}

/* os_active_ns: for time limits: os_now_ns without what this process was paused, as far as the
 * calling thread saw it (base/active_clock.h): a thread that waits by it looks every
 * OS_SLICE_MS. os_pauses_begin: counts the thread's pauses from now on. os_paused_ns: the sum so
 * far, with the time in which the machine was suspended. */
enum { OS_SLICE_MS = 100 };
uint64_t os_active_ns(void);
void os_pauses_begin(void);
uint64_t os_paused_ns(void);

/* os_slice_ns: how much of `left_ns` a thread may wait before it looks. */
static inline uint64_t os_slice_ns(uint64_t left_ns)
{
    const uint64_t slice_ns = (uint64_t)OS_SLICE_MS * OS_NS_PER_MS;
    return left_ns < slice_ns ? left_ns : slice_ns;
}

/* os_sleep_ns: blocks the calling thread for at least that long. */
void os_sleep_ns(uint64_t duration_ns);

/* ---- threads ------------------------------------------------------------------------------- */

/* A thread's role is its name in the system (at most 15 bytes, Linux's limit), so that threads are
 * counted and not taken from options. */
#define OS_ROLE_WORKER "fanin-worker"
#define OS_ROLE_BUFFER "fanin-buffer"

/* os_thread_start: starts `run(argument)` as a joinable thread whose role is `role` before run
 * begins. Join it with pthread_join. `stack_bytes` 0 means the system's default. */
int os_thread_start(pthread_t *thread, const char *role, size_t stack_bytes, void *(*run)(void *),
                    void *argument);

/* os_thread_count: how many threads of this process now carry `role`; NULL counts all of them.
 * Read from the system. */
int os_thread_count(const char *role);

/* os_cpu_affinity: processors this process may run on. os_cpu_count: how many of them it may use:
 * no more than the CPU quota of its control group (cgroup.h), rounded up. At least 1. */
int os_cpu_affinity(void);
int os_cpu_count(void);

/* ---- parking ------------------------------------------------------------------------------- */

/* A place for one thread to sleep until another wakes it. A wake that comes first is remembered
 * (once), so there is no lost wake-up. Zero-initialised is ready for use; only one thread may sleep
 * in it. */
struct os_parker {
    _Atomic uint32_t state;
};

/* os_park: blocks until os_unpark or `timeout_ns` (UINT64_MAX: for ever). True if it was woken.
 * Everything written before os_unpark is visible after a true return. */
bool os_park(struct os_parker *parker, uint64_t timeout_ns);
void os_unpark(struct os_parker *parker);

/* ---- this process -------------------------------------------------------------------------- */

struct os_usage {
    uint64_t user_ns, system_ns; /* CPU time of all threads, those that ended included */
    uint64_t switches_voluntary; /* context switches; 0 where the system does not say */
    uint64_t switches_involuntary;
    uint64_t rss_bytes;      /* resident now */
    uint64_t rss_peak_bytes; /* since exec: VmHWM on Linux, PeakWorkingSetSize on Windows */
    /* The most memory that the system has set aside for this process, used or not:
     * PeakPagefileUsage on Windows; 0 where the system does not say. */
    uint64_t committed_peak_bytes;
};

void os_usage_read(struct os_usage *usage);

/* os_cpu_ns: CPU time of all threads of this process so far, user and system. */
uint64_t os_cpu_ns(void);

/* os_work_ns: CPU time of the calling thread, for the difference of two readings. On Windows
 * monotonic time: the system counts a thread's CPU time in steps of 15.6 ms. */
uint64_t os_work_ns(void);

/* os_descriptors_reserve: makes sure that `count` descriptors can be open at once, raising the soft
 * limit if need be. To be called before there are threads: the system then makes room for them at
 * once. 0, or -EMFILE with *limit set to the hard limit that is in the way. */
int os_descriptors_reserve(uint64_t count, uint64_t *limit);

/* os_limit_met: the limit behind a call that has just failed with `error`, a negative errno value;
 * `text` then names it, its value and the command that raises it. For the reasons that say only
 * "try again" or "no memory" (-EAGAIN, -ENOMEM) it is the one that is all but used up. -ENOSPC is
 * epoll's, -EADDRNOTAVAIL a connect's. False, with "": the system tells of none. */
bool os_limit_met(int error, char *text, size_t text_bytes);

/* ---- memory -------------------------------------------------------------------------------- */

/* os_pages_map: `bytes` of zeroed, page-aligned memory straight from the system, so that giving it
 * back with os_pages_unmap returns it at once. NULL when there is none. */
void *os_pages_map(size_t bytes);
void os_pages_unmap(void *pages, size_t bytes);

/* os_pages_clear: all of a mapping is zeros again, and takes no memory until it is written to. */
void os_pages_clear(void *pages, size_t bytes);

/* os_mirror_map: `bytes` of zeroed memory, a multiple of os_mirror_step, that appears twice in a
 * row: what is written at [i] is read at [i + bytes]. NULL: the system gives none (errno on Linux).
 * os_mirrors_max: how many a process may have at once; UINT64_MAX: not known. */
size_t os_mirror_step(void);
uint64_t os_mirrors_max(void);
void *os_mirror_map(size_t bytes);
void os_mirror_unmap(void *memory, size_t bytes);

/* ---- other processes ----------------------------------------------------------------------- */

struct os_process {
    intptr_t handle; /* pid on Linux, process handle on Windows */
};

/* os_process_start: starts argv[0] (searched in PATH when it has no slash) with argv. The child
 * dies when this process dies, however that happens. Standard output and error go to the named
 * files (appended to), or are inherited where the name is NULL; standard input is empty. */
int os_process_start(struct os_process *process, char *const argv[], const char *stdout_path,
                     const char *stderr_path);

/* os_process_start_piped: the same with pipes at standard input and output, whose other ends the
 * caller gets and closes. They do not block; a read or write then fails with EAGAIN. When this
 * process dies, the child sees the end of its input and gets SIGTERM. -ENOTSUP on Windows. */
int os_process_start_piped(struct os_process *process, char *const argv[], const char *stderr_path,
                           int *input, int *output);

/* os_process_wait: blocks up to `timeout_ns` of os_active_ns. 1: it ended, *exit_code set (128 +
 * signal if killed by one); 0: still running. */
int os_process_wait(struct os_process *process, uint64_t timeout_ns, int *exit_code);

/* os_process_stop: asks it to end (SIGTERM), kills it after `grace_ns`, and reaps it. Blocks that
 * long. */
void os_process_stop(struct os_process *process, uint64_t grace_ns);

/* Peak resident memory and CPU time of all threads so far, of a process that runs; 0 where they
 * cannot be read. */
uint64_t os_process_peak_bytes(const struct os_process *process);
uint64_t os_process_cpu_ns(const struct os_process *process);

/* os_writes_fail: from here on a write to a pipe or connection that nobody reads any more, or to a
 * file at its limit (ulimit -f), fails instead of ending the process: progress into a closed pipe
 * must not cost a row. The first call of every program; children begin without it. */
void os_writes_fail(void);

/* os_interrupts_catch: from here on what asks the process to end (Ctrl-C, SIGTERM, a terminal or
 * console that closes, a limit of CPU time, ...) sets the flag that os_interrupted reads. The same
 * a second later ends the process. What was ignored at the start stays ignored (nohup), Ctrl-C and
 * SIGTERM apart. os_interrupted_by: what it was: "SIGHUP", "Ctrl-Break"; NULL: nothing so far. */
void os_interrupts_catch(void);
bool os_interrupted(void);
const char *os_interrupted_by(void);

/* ---- directories and machine --------------------------------------------------------------- */

/* os_directory_make: creates `path` and its missing parents. 0 also when it is there already. */
int os_directory_make(const char *path);

/* os_path_name: what follows the last separator of directories in `path`, or all of it. */
const char *os_path_name(const char *path);

/* os_program_directory: where the running program lies, without a trailing separator. */
int os_program_directory(char *path, size_t path_bytes);

/* ---- files that must not be lost ------------------------------------------------------------ */

/* os_file_target: the file that `path` names, behind symbolic links. *plain: it can be replaced by
 * another of its name; a pipe, a device or a mount point cannot, nor a file of a directory that may
 * not be written. -EACCES: it may not be written itself. */
int os_file_target(const char *path, char *target, size_t target_bytes, bool *plain);

/* os_file_settle: before `out` replaces `target`: gives it the target's permissions, and has it on
 * the disk, which may block. Nothing to do where there is no target, and nothing to lose.
 * os_file_replace: `from` takes the name of `to`, which may exist. */
int os_file_settle(FILE *out, const char *target);
int os_file_replace(const char *from, const char *to);

/* A file that one process at a time can hold; the system frees it however that process ends. */
struct os_lock {
    intptr_t handle;
};

/* os_lock_take: makes the file if need be and writes `text` to it, which others can read.
 * -EWOULDBLOCK: another process holds it; -ENOTSUP: there are no locks on this file system.
 * os_lock_release: removes the file and frees it. */
int os_lock_take(struct os_lock *lock, const char *path, const char *text);
void os_lock_release(struct os_lock *lock, const char *path);

/* os_machine_describe: calls `item` for each fact of the machine's record: name (a JSON key, e.g.
 * "kernel", "cpu", "cpus", "memory_kb", "os", "mtu_lo", "tcp_rmem", "tcp_wmem", "somaxconn",
 * "governor", "virtual", "load1") and value as text. A fact that cannot be read is left out. */
void os_machine_describe(void (*item)(void *context, const char *name, const char *value),
                         void *context);

#endif
