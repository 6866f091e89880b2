/* Limits that the built clients meet: what the machine lacks skips the row, what single
 * connections lack fails it, and the reason names the limit, its value and what raises it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/tests/limit.h"
#include "client/collector/tests/program.h"

enum { FLEET = 3 };

/* `keys` as of assert_results; then what the reason says. */
static void run_limited(const char *name, bool (*prepare)(void), const char *option, int exit_code,
                        const char *keys, const char *words)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_prepare = prepare;
    program_run(name, (const char *const[]){"--frames=2", "--json=-", option, NULL});
    devices_close(NULL);
    assert_results(exit_code, "%s", keys);
    if (strstr(results_text("reason"), words) == NULL)
        fail_msg("'%s' is not in: %s", words, results_text("reason"));
}

/* ---- what the machine lacks --------------------------------------------------------------- */

static bool no_shared_memory(void)
{
    return limit_forbid(SYS_memfd_create, 0, 0, EPERM);
}

TEST(a_scheme_whose_memory_is_denied_is_skipped, NULL, devices_close)
{
    run_limited("fanin-client", no_shared_memory, "--scheme=mirror", EXIT_MACHINE_CANNOT,
                "status=skipped",
                "scheme mirror: no memory that can be mapped twice: Operation not permitted");
    run_limited("fanin-client", no_shared_memory, "--scheme=slices", EXIT_DONE, "status=ok", "");
}

TEST(a_dry_run_says_so_too, NULL, devices_close)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_prepare = no_shared_memory;
    program_run("fanin-client", (const char *const[]){"--scheme=mirror", "--dry-run", NULL});
    assert_int_equal(results.exit_code, EXIT_MACHINE_CANNOT);
    assert_non_null(strstr(results.errors, "cannot run here: scheme mirror: no memory"));
}

static bool no_second_thread(void)
{
    const struct rlimit one = {1, 1};
    return limit_drop_root() && setrlimit(RLIMIT_NPROC, &one) == 0;
}

TEST(a_scheme_without_its_thread_is_skipped, NULL, devices_close)
{
    static const char reason[] = "the limit of threads of a user is 1: as root, ulimit -u 4";
    if (SANITIZED) {
        print_message("skip: a sanitizer has a thread of its own\n");
        skip();
    }
    run_limited("fanin-client", no_second_thread, "--scheme=chain", EXIT_MACHINE_CANNOT,
                "status=skipped", "scheme chain: the system gives no thread for processing: the");
    assert_non_null(strstr(results_text("reason"), reason));
    run_limited("fanin-client", no_second_thread, "--scheme=drain", EXIT_MACHINE_CANNOT,
                "status=skipped", "cannot start worker 1 of ");
    assert_non_null(strstr(results_text("reason"), reason));
    run_limited("fanin-peer-blocking", no_second_thread, "--quiet", EXIT_MACHINE_CANNOT,
                "status=skipped", reason);
}

static bool no_epoll(void)
{
    return limit_forbid(SYS_epoll_create1, 0, 0, EMFILE);
}

TEST(an_engine_without_descriptors_is_skipped, NULL, devices_close)
{
    run_limited("fanin-client", no_epoll, "--engine=epoll", EXIT_MACHINE_CANNOT, "status=skipped",
                "engine epoll: epoll: Too many open files: the limit of descriptors of a process "
                "is ");
}

/* ---- what connections lack ---------------------------------------------------------------- */

/* The descriptor that the program gets when it has opened so many. */
static uint32_t descriptor_after(unsigned opened)
{
    uint32_t next = 0;
    for (int flags = 0;; next++) {
        flags = fcntl((int)next, F_GETFD);
        if ((flags < 0 || (flags & FD_CLOEXEC) != 0) && opened-- == 0)
            return next;
    }
}

static bool no_files(void)
{
    return limit_forbid(SYS_socket, 0, 0, ENFILE);
}

/* Those of the engine itself are watched. */
static bool no_watches(void)
{
    enum { OF_ENGINE = 3, DESCRIPTOR = 2 };
    return limit_forbid(SYS_epoll_ctl, DESCRIPTOR, descriptor_after(OF_ENGINE), ENOSPC);
}

static bool no_ports(void)
{
    return limit_forbid(SYS_connect, 0, 0, EADDRNOTAVAIL);
}

TEST(files_of_the_system_are_not_taken_for_the_process_own, NULL, devices_close)
{
    static const char *const programs[] = {"fanin-client", "fanin-raw"};
    for (unsigned i = 0; i < 2; i++)
        run_limited(programs[i], no_files, "--quiet", EXIT_MEASURED_FAILURE,
                    "status=failed, connect_errors.too-many-files=3",
                    "3 of 3 servers not connected: 3 too-many-files; the limit of open files of "
                    "all processes (fs.file-max) is ");
}

TEST(watches_of_epoll_are_not_taken_for_memory, NULL, devices_close)
{
    run_limited("fanin-client", no_watches, "--engine=epoll", EXIT_MEASURED_FAILURE,
                "status=failed, connect_errors.too-many-watched=3",
                "(fs.epoll.max_user_watches) is ");
}

TEST(used_up_ports_name_their_range, NULL, devices_close)
{
    static const char *const programs[] = {"fanin-client", "fanin-raw"};
    for (unsigned i = 0; i < 2; i++)
        run_limited(programs[i], no_ports, "--engine=epoll", EXIT_MEASURED_FAILURE,
                    "status=failed, connect_errors.address-not-available=3",
                    "net.ipv4.ip_local_port_range is ");
}

/* ---- a CPU quota -------------------------------------------------------------------------- */

static struct quota_group group;

static bool in_group(void)
{
    return quota_group_enter(&group);
}

/* Much work for a tenth of a processor: the run is stopped in most periods. */
TEST(a_client_under_a_quota_knows_and_says_so, NULL, devices_close)
{
    enum { QUOTA_US = 10000, PERIOD_US = 100000 };
    if (!quota_group_make(&group, QUOTA_US, PERIOD_US)) {
        print_message("skip: no control group can be made: %s\n", group.why);
        skip();
    }
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_prepare = in_group;
    program_run("fanin-client",
                (const char *const[]){SANITIZED ? "--frames=300" : "--frames=3000", "--size=10kB",
                                      "--json=-", "--stall-timeout=300s", NULL});
    quota_group_remove(&group);
    assert_results(EXIT_DONE, "status=ok, cpu_quota=0.1, workers=4, concurrency=1, "
                              "worker_threads=4, bottleneck=cpu-quota");
    assert_true(results_count("throttled_periods") > 0);
    assert_true(results_number("throttled_ms") > 0);
}
