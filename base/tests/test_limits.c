/* Which limit has stopped a call: limits are set in children, and what is global is only read. */
#include "base/os.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tests/find.h"
#include "base/tests/limit.h"

enum { TEXT_BYTES = 512, NOT_HERE = 77 };

static char text[TEXT_BYTES];

/* Runs it in a child, which may change its limits; `text` is what it wrote there. */
static void in_child(int (*run)(void))
{
    int status, ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        text[0] = '\0';
        int code = run();
        ssize_t written = write(ends[1], text, sizeof text);
        _exit(written == sizeof text ? code : 1);
    }
    assert_true(child > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], text, sizeof text), sizeof text);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NOT_HERE) {
        print_message("skip: root cannot be given up here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void assert_says(const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("'%s' is not in: %s", words, text);
}

/* ---- with a reason of their own ----------------------------------------------------------- */

static void assert_names(int error, const char *name, const char *path, const char *command)
{
    char value[64], words[256];
    file_read(path, value, sizeof value);
    value[strcspn(value, "\n")] = '\0';
    assert_true(os_limit_met(error, text, sizeof text));
    snprintf(words, sizeof words, "(%s) is %s: as root, %s", name, value, command);
    assert_says(words);
}

TEST(limits_of_the_system_are_named_with_value_and_command)
{
    assert_names(-ENFILE, "fs.file-max", "/proc/sys/fs/file-max", "sysctl -w fs.file-max=");
    assert_names(-ENOSPC, "fs.epoll.max_user_watches", "/proc/sys/fs/epoll/max_user_watches",
                 "sysctl -w fs.epoll.max_user_watches=");
}

TEST(used_up_ports_name_their_range)
{
    char value[64], words[128];
    unsigned low, high;
    file_read("/proc/sys/net/ipv4/ip_local_port_range", value, sizeof value);
    assert_int_equal(sscanf(value, "%u %u", &low, &high), 2);
    assert_true(os_limit_met(-EADDRNOTAVAIL, text, sizeof text));
    snprintf(words, sizeof words, "ip_local_port_range is %u to %u, so %u connections", low, high,
             high - low + 1);
    assert_says(words);
    assert_says("sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
}

/* With a soft limit of descriptors. */
static void meet_descriptors(rlim_t soft, int error)
{
    struct rlimit before = limit_lower(RLIMIT_NOFILE, soft);
    const bool met = os_limit_met(error, text, sizeof text);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(met);
}

TEST(descriptors_of_the_process_are_its_own_limit)
{
    meet_descriptors(40, -EMFILE);
    assert_says("the limit of descriptors of a process is 40: ");
    assert_says("ulimit -n 160");
}

TEST(a_limit_whose_value_cannot_be_read_is_named)
{
    meet_descriptors(3, -ENFILE);
    assert_says("(fs.file-max) is reached: as root, sysctl -w fs.file-max=NUMBER");
}

TEST(other_reasons_name_none)
{
    assert_false(os_limit_met(-ECONNREFUSED, text, sizeof text));
    assert_string_equal(text, "");
}

/* ---- of threads and memory ---------------------------------------------------------------- */

static int lack_threads(void)
{
    if (!limit_drop_root())
        return NOT_HERE;
    limit_lower(RLIMIT_NPROC, 1);
    return os_limit_met(-EAGAIN, text, sizeof text) ? 0 : 1;
}

TEST(threads_of_a_user_are_counted_over_all_its_processes)
{
    in_child(lack_threads);
    assert_says("the limit of threads of a user is 1: ");
    assert_says("ulimit -u 4");
}

static int lack_a_second_thread(void)
{
    const pid_t sibling = fork();
    if (sibling == 0)
        pause();
    if (sibling < 0)
        return 1;
    limit_lower(RLIMIT_NPROC, 2);
    const bool met = os_limit_met(-EAGAIN, text, sizeof text);
    kill(sibling, SIGKILL);
    return met ? 0 : 1;
}

static int lack_threads_in_two_processes(void)
{
    return limit_drop_root() ? lack_a_second_thread() : NOT_HERE;
}

TEST(two_processes_use_up_a_limit_of_two)
{
    in_child(lack_threads_in_two_processes);
    assert_says("the limit of threads of a user is 2: ");
}

static void skip_sanitized(void)
{
    if (SANITIZED) {
        print_message("skip: a sanitizer's shadow is larger\n");
        skip();
    }
}

static int lack_addresses(void)
{
    limit_lower(RLIMIT_NPROC, 1);
    limit_lower(RLIMIT_AS, 1024);
    return os_limit_met(-EAGAIN, text, sizeof text) ? 0 : 1;
}

TEST(address_space_is_not_taken_for_threads)
{
    skip_sanitized();
    in_child(lack_addresses);
    assert_says("the limit of address space is 1 kB: ");
    assert_says("ulimit -v 4");
}

static int lack_large_addresses(void)
{
    limit_lower(RLIMIT_AS, (rlim_t)1 << 40);
    return os_limit_met(-ENOMEM, text, sizeof text) ? 0 : 1;
}

/* A large piece does not fit although most of the limit is free. */
TEST(a_limit_of_address_space_is_named_wherever_it_is_set)
{
    skip_sanitized();
    in_child(lack_large_addresses);
    assert_says("the limit of address space is 1073741824 kB: ");
}

TEST(without_a_limit_none_is_named)
{
    struct rlimit addresses, data;
    getrlimit(RLIMIT_AS, &addresses);
    getrlimit(RLIMIT_DATA, &data);
    if (addresses.rlim_cur != RLIM_INFINITY || data.rlim_cur != RLIM_INFINITY) {
        print_message("skip: memory is limited here\n");
        skip();
    }
    assert_false(os_limit_met(-ENOMEM, text, sizeof text));
    assert_string_equal(text, "");
}
