/* The host check: each finding is made to happen in files as Linux writes them, below a directory
 * of the test. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "scenarios/sweep/host_check.h"

#define CPU   "sys/devices/system/cpu/"
#define CLOCK "sys/devices/system/clocksource/clocksource0/"
#define IPV4  "proc/sys/net/ipv4/"

enum { PORT = 21000, PORTS = 100, SERVERS = 200 };

struct file {
    const char *path, *text;
};

/* A machine on which nothing is noisy. */
static const struct file calm[] = {
    {"proc/stat", "cpu  1000 0 1000 90000 0 0 0 0 0 0\ncpu0 1 0 0 9\ncpu1 1 0 0 9\n"
                  "cpu2 1 0 0 9\ncpu3 1 0 0 9\nintr 5\n"},
    {"proc/meminfo", "MemTotal:       8000000 kB\nMemFree: 1 kB\nMemAvailable:   7000000 kB\n"},
    {"proc/cpuinfo", "processor : 0\nflags : fpu sse2\n"},
    {"proc/self/cgroup", "0::/user/app\n"},
    {"proc/self/mountinfo", "41 23 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"},
    {"proc/self/limits",
     "Limit  Soft Limit Hard Limit Units\n"
     "Max open files            1024                 4096                 files\n"},
    {"proc/net/tcp", "  sl  local_address rem_address   st\n"
                     "   0: 0100007F:0016 00000000:0000 0A 0:0 00:0 0 0 0 77 1\n"
                     "   1: 0100007F:5208 0100007F:0017 01 0:0 00:0 0 0 0 78 1\n"},
    {"proc/net/tcp6", "  sl  local_address rem_address   st\n"},
    {IPV4 "ip_local_port_range", "32768\t60999\n"},
    {IPV4 "ip_local_reserved_ports", "\n"},
    {IPV4 "tcp_congestion_control", "cubic\n"},
    {"sys/fs/cgroup/user/app/cpu.max", "max 100000\n"},
    {"sys/fs/cgroup/user/cpu.max", "max 100000\n"},
    {CPU "smt/active", "0\n"},
    {CPU "cpu0/cpufreq/scaling_governor", "performance\n"},
    {CPU "intel_pstate/no_turbo", "1\n"},
    {CLOCK "current_clocksource", "tsc\n"},
};

static void put(struct fixture *fixture, const char *root, const char *path, const char *text)
{
    char *whole = arena_text(&fixture->arena, "%s/%s", root, path);
    char *directory =
        arena_copy(&fixture->arena, path_of(fixture, whole), strlen(path_of(fixture, whole)));
    *strrchr(directory, '/') = '\0';
    assert_int_equal(os_directory_make(directory), 0);
    write_file(fixture, whole, text);
}

static void put_calm(struct fixture *fixture)
{
    for (size_t i = 0; i < sizeof calm / sizeof *calm; i++)
        put(fixture, "now", calm[i].path, calm[i].text);
    put(fixture, "later", "proc/stat",
        "cpu  1001 0 1001 90098 0 0 0 0 0 0\ncpu0 1 0 0 9\ncpu1 1 0 0 9\ncpu2 1 0 0 9\n"
        "cpu3 1 0 0 9\n");
}

static struct host_check run(struct host_check check)
{
    struct error error;
    if (host_check_run(&check, &error) != 0)
        fail_msg("%s", error.text);
    return check;
}

static struct host_check look_for(struct fixture *fixture, uint64_t servers)
{
    struct port_range ports = {.first = PORT, .count = PORTS};
    return run((struct host_check){.arena = &fixture->arena,
                                   .root = path_of(fixture, "now"),
                                   .root_later = path_of(fixture, "later"),
                                   .ports = &ports,
                                   .port_count = 1,
                                   .servers = servers,
                                   .descriptors = 2 * servers + 64});
}

static struct host_check look(struct fixture *fixture)
{
    return look_for(fixture, SERVERS);
}

static void assert_finding(const struct host_check *check, const char *name,
                           enum finding_level level, const char *part)
{
    unsigned i = 0;
    while (strcmp(check->findings[i].name, name) != 0)
        assert_true(++i < FINDINGS);
    if (check->findings[i].level != level || strstr(check->findings[i].found, part) == NULL)
        fail_msg("%s: level %d, found \"%s\"; not \"%s\"", name, (int)check->findings[i].level,
                 check->findings[i].found, part);
}

SWEEP_TEST(a_calm_machine_is_calm)
{
    put_calm(fixture);
    struct host_check check = look(fixture);
    assert_string_equal(host_check_names(&check), "");
    assert_int_equal(host_check_count(&check, LEVEL_CALM), FINDINGS);
    assert_finding(&check, "busy-cpus", LEVEL_CALM, "2 % of 4 CPUs");
    assert_finding(&check, "listeners", LEVEL_CALM, "none on the servers' ports");
}

/* One file differs from the calm machine's, and exactly the named findings are noisy. */
static const struct {
    const char *names, *root, *path, *text, *found;
} changes[] = {
    {"busy-cpus, few-cpus", "later", "proc/stat",
     "cpu  1030 0 1000 90070 0 0 0 0 0 0\ncpu0 1 0 0 9\n", "30 % of 1 CPUs"},
    {"few-cpus", "later", "proc/stat",
     "cpu  1001 0 1001 90098 0 0 0 0 0 0\ncpu0 1 0 0 9\ncpu1 1 0 0 9\n", "2"},
    {"steal", "later", "proc/stat",
     "cpu  1001 0 1001 90096 0 0 0 2 0 0\ncpu0 1 0 0 9\ncpu1 1 0 0 9\ncpu2 1 0 0 9\n"
     "cpu3 1 0 0 9\n",
     "2.0 % while watched"},
    {"cpu-quota", "now", "sys/fs/cgroup/user/cpu.max", "150000 100000\n",
     "1.50 of 4 CPUs (/sys/fs/cgroup/user)"},
    {"cpu-quota", "now", "sys/fs/cgroup/user/app/cpu.max", "100000 100000\n",
     "1.00 of 4 CPUs (/sys/fs/cgroup/user/app)"},
    {"smt", "now", CPU "smt/active", "1\n", "active = 1"},
    {"governor", "now", CPU "cpu0/cpufreq/scaling_governor", "powersave\n",
     "scaling_governor = powersave"},
    {"turbo", "now", CPU "intel_pstate/no_turbo", "0\n", "no_turbo = 0"},
    {"turbo", "now", CPU "cpufreq/boost", "1\n", "boost = 1"},
    {"virtual-machine", "now", "proc/cpuinfo", "processor : 0\nflags : fpu hypervisor sse2\n",
     "yes"},
    {"memory", "now", "proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 700000 kB\n",
     "683 of 7812 MB available; 200 servers need about 2"},
    {"descriptors", "now", "proc/self/limits",
     "Max open files            256                  300                  files\n",
     "the hard limit is 300; 200 servers need 464"},
    {"listeners", "now", "proc/net/tcp6",
     " 0: 00000000000000000000000001000000:5209 00000000000000000000000000000000:0000 0A 0:0 00:0 "
     "0 0 0 79 1\n",
     "1 on the servers' ports, such as 21001"},
    {"port-range", "now", IPV4 "ip_local_port_range", "21050\t60999\n",
     "50 of them are the servers' ports"},
    {"port-range", "now", IPV4 "ip_local_port_range", "50000\t50050\n", "50000 to 50050"},
    {"pacing", "now", IPV4 "tcp_congestion_control", "bbr\n", "bbr"},
    {"clock", "now", CLOCK "current_clocksource", "hpet\n", "hpet"},
};

/* Which processes are busy is for the user to see and to judge: pid 1 may be among them. */
static void assert_no_process_is_to_be_stopped(const struct host_check *check)
{
    char *printed;
    size_t bytes;
    FILE *out = open_memstream(&printed, &bytes);
    assert_non_null(out);
    host_check_print(out, check);
    fclose(out);
    assert_null(strstr(printed, "kill -"));
    free(printed);
}

SWEEP_TEST(each_change_is_one_finding)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct host_check check;
        put_calm(fixture);
        remove(path_of(fixture, "now/" CPU "cpufreq/boost"));
        put(fixture, changes[i].root, changes[i].path, changes[i].text);
        check = look(fixture);
        assert_finding(
            &check, arena_copy(&fixture->arena, changes[i].names, strcspn(changes[i].names, ",")),
            LEVEL_NOISY, changes[i].found);
        assert_no_process_is_to_be_stopped(&check);
        assert_string_equal(host_check_names(&check), changes[i].names);
    }
}

/* 100,000 servers take 1 GB, beside the 256 MB that must be available in any case. */
SWEEP_TEST(many_servers_need_memory)
{
    struct host_check check;
    put_calm(fixture);
    put(fixture, "now", "proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 1262144 kB\n");
    check = look_for(fixture, 100000);
    assert_finding(&check, "memory", LEVEL_CALM,
                   "1232 of 7812 MB available; 100000 servers need about 977");
    put(fixture, "now", "proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 1262143 kB\n");
    check = look_for(fixture, 100000);
    assert_finding(&check, "memory", LEVEL_NOISY, "100000 servers need about 977");
    check = look(fixture);
    assert_finding(&check, "memory", LEVEL_CALM, "200 servers need about 2");
}

SWEEP_TEST(what_cannot_be_read_is_unknown)
{
    put(fixture, "now", "proc/stat", calm[0].text);
    put(fixture, "later", "proc/stat", calm[0].text);
    struct host_check check = look(fixture);
    assert_int_equal(host_check_count(&check, LEVEL_NOISY), 0);
    assert_int_equal(host_check_count(&check, LEVEL_CALM), 3); /* busy-cpus, steal, few-cpus */
    assert_finding(&check, "governor", LEVEL_UNKNOWN, "");
}

SWEEP_TEST(without_cpu_times_the_check_fails)
{
    struct host_check check = {.arena = &fixture->arena,
                               .root = path_of(fixture, "now"),
                               .root_later = path_of(fixture, "later")};
    struct error error;
    assert_int_equal(host_check_run(&check, &error), -1);
    assert_non_null(strstr(error.text, "now/proc/stat: No such file"));
    put(fixture, "now", "proc/stat", "intr 5\n");
    assert_int_equal(host_check_run(&check, &error), -1);
    assert_non_null(strstr(error.text, "unknown format"));
}

SWEEP_TEST(control_groups_of_version_1_and_reserved_ports_are_known)
{
    put_calm(fixture);
    put(fixture, "now", "proc/self/cgroup", "1:cpu:/own\n");
    put(fixture, "now", "proc/self/mountinfo",
        "31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
    put(fixture, "now", "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put(fixture, "now", "sys/fs/cgroup/cpu/own/cpu.cfs_quota_us", "50000\n");
    put(fixture, "now", "sys/fs/cgroup/cpu/own/cpu.cfs_period_us", "100000\n");
    put(fixture, "now", IPV4 "ip_local_port_range", "20000\t60999\n");
    put(fixture, "now", IPV4 "ip_local_reserved_ports", "80,21000-21099,30000\n");
    struct host_check check = look(fixture);
    assert_finding(&check, "cpu-quota", LEVEL_NOISY, "0.50 of 4 CPUs (/sys/fs/cgroup/cpu/own)");
    assert_finding(&check, "port-range", LEVEL_CALM, "20000 to 60999; 0 of them");
}

/* On this machine, with a fleet of one server on `port`. */
static struct host_check look_here(struct fixture *fixture, uint64_t port)
{
    struct cell cell = {.fleet_options = ""};
    struct fleet fleet = {.cell = &cell, .base = port, .count = 1};
    struct fleet *items[] = {&fleet};
    struct fleets fleets = {.items = items, .count = 1};
    return run(host_check_of(&fixture->arena, &fleets, 1));
}

SWEEP_TEST(a_real_listener_is_found)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(descriptor >= 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(descriptor, 1), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &bytes), 0);
    struct host_check check = look_here(fixture, ntohs(address.sin_port));
    assert_finding(&check, "listeners", LEVEL_NOISY,
                   arena_text(&fixture->arena, "1 on the servers' ports, such as %u",
                              ntohs(address.sin_port)));
    close(descriptor);
}

/* ---- the program ---- */

static int check_with(struct fixture *fixture, const char *more, const char *and_more)
{
    const char *const words[] = {fixture->sweep, "--check", more, and_more, NULL};
    start(fixture, words);
    return finish(fixture);
}

SWEEP_TEST(the_program_writes_what_it_finds)
{
    const char *json = arena_text(&fixture->arena, "--json=%s", path_of(fixture, "check.json"));
    write_scenario(fixture, "mode = ok\nport = 23456\n");
    int exit_code = check_with(fixture, json, path_of(fixture, "t.conf"));
    const char *object = read_file(fixture, "check.json");
    assert_true(json_is_object(object));
    assert_int_equal(exit_code,
                     number_of(object, "noisy") == 0 ? EXIT_DONE : EXIT_MEASURED_FAILURE);
    assert_non_null(strstr(object, "3 servers need 70"));
    assert_printed(fixture, "busy-cpus");
    assert_false(exists(fixture, "out"));
    assert_false(exists(fixture, "pids"));
    check_with(fixture, "--json=-", NULL);
    object = read_file(fixture, "stdout");
    assert_true(json_is_object(object));
    assert_non_null(strstr(object, "200 servers need 464"));
}

SWEEP_TEST(wrong_use_of_the_check_is_said)
{
    write_scenario(fixture, "mode = ok\n");
    assert_int_equal(check_with(fixture, "/nonexistent.conf", NULL), EXIT_WRONG_USE);
    assert_int_equal(sweep(fixture, "--json=x"), EXIT_WRONG_USE);
    assert_said(fixture, "--json goes with --check");
    assert_int_equal(check_with(fixture, "--json=/nonexistent/x", NULL), EXIT_MACHINE_CANNOT);
    assert_said(fixture, "--json=/nonexistent/x: cannot write: No such file");
}

SWEEP_TEST(every_sweep_records_its_host_check)
{
    const char *record, *noise;
    run_scenario(fixture, "mode = ok\n", NULL, EXIT_DONE);
    record = read_file(fixture, "out/run.json");
    assert_true(json_is_object(record));
    noise = json_find_copy(&fixture->arena, record, "noise");
    assert_true(number_of(noise, "watched_ms") == HOST_CHECK_QUICK_MS);
    assert_non_null(json_find(json_find(noise, "findings"), "busy-cpus"));
    if (number_of(noise, "noisy") != 0)
        assert_said(fixture, "warning: this machine makes results noisy: ");
}
