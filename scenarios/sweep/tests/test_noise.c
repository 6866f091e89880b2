/* What --check finds: each finding is made to happen in files as Linux writes them, below a folder
 * of the test's own; a busy process and a listener are made for real. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "scenarios/sweep/noise.h"

#define CPU   "sys/devices/system/cpu/"
#define CLOCK "sys/devices/system/clocksource/clocksource0/"
#define IPV4  "proc/sys/net/ipv4/"

enum { FINDINGS = 17, PORT = 21000, PORTS = 100, SERVERS = 200, TRIES_MAX = 20 };

struct file {
    const char *path, *text;
};

/* A machine on which nothing is noisy. */
static const struct file calm[] = {
    {"proc/stat", "cpu  1000 0 1000 90000 0 0 0 0 0 0\ncpu0 1 0 0 9\ncpu1 1 0 0 9\n"
                  "cpu2 1 0 0 9\ncpu3 1 0 0 9\nintr 5\n"},
    {"proc/4242/stat", "4242 (a) b) S 1 1 1 0 -1 4 1 0 0 0 100 50 0 0 20 0 1 0 777 1 1\n"},
    {"proc/vmstat", "nr_free_pages 1\npswpin 3\npswpout 4\n"},
    {"proc/loadavg", "0.10 0.20 0.30 1/100 4242\n"},
    {"proc/meminfo", "MemTotal:       8000000 kB\nMemFree: 1 kB\nMemAvailable:   7000000 kB\n"
                     "SwapTotal: 2048 kB\nSwapFree: 1024 kB\n"},
    {"proc/cpuinfo", "processor : 0\nflags : fpu sse2\n"},
    {"proc/self/cgroup", "0::/user\n"},
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
    {"sys/fs/cgroup/user/cpu.max", "max 100000\n"},
    {"sys/class/dmi/id/product_name", "Box 9\n"},
    {CPU "smt/active", "0\n"},
    {CPU "cpu0/cpufreq/scaling_governor", "performance\n"},
    {CPU "cpu1/cpufreq/scaling_governor", "performance\n"},
    {CPU "intel_pstate/no_turbo", "1\n"},
    {CPU "cpu0/thermal_throttle/core_throttle_count", "0\n"},
    {CLOCK "current_clocksource", "tsc\n"},
    {CLOCK "available_clocksource", "tsc hpet\n"},
};

static void put(struct fixture *fixture, const char *root, const char *path, const char *text)
{
    char *whole = arena_text(&fixture->arena, "%s/%s", root, path);
    char *folder =
        arena_copy(&fixture->arena, path_of(fixture, whole), strlen(path_of(fixture, whole)));

    *strrchr(folder, '/') = '\0';
    assert_int_equal(os_directory_make(folder), 0);
    write_file(fixture, whole, text);
}

static void put_calm(struct fixture *fixture)
{
    for (size_t i = 0; i < sizeof calm / sizeof *calm; i++) {
        put(fixture, "now", calm[i].path, calm[i].text);
        put(fixture, "later", calm[i].path, calm[i].text);
    }
    put(fixture, "later", "proc/stat",
        "cpu  1001 0 1001 90098 0 0 0 0 0 0\ncpu0 1 0 0 9\ncpu1 1 0 0 9\ncpu2 1 0 0 9\n"
        "cpu3 1 0 0 9\n");
}

static struct noise look(struct fixture *fixture)
{
    struct noise_ports ports = {.first = PORT, .count = PORTS};
    struct noise_question question = {.root = path_of(fixture, "now"),
                                      .root_later = path_of(fixture, "later"),
                                      .ports = &ports,
                                      .port_count = 1,
                                      .servers = SERVERS,
                                      .descriptors = 2 * SERVERS + 64};
    struct error error;
    struct noise noise;

    if (noise_look(&fixture->arena, &question, &noise, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(noise.count, FINDINGS);
    return noise;
}

static const struct noise_finding *find(const struct noise *noise, const char *name)
{
    for (unsigned i = 0; i < noise->count; i++) {
        if (strcmp(noise->items[i].name, name) == 0)
            return &noise->items[i];
    }
    fail_msg("no finding %s", name);
    return NULL;
}

static void assert_finding(const struct noise *noise, const char *name, enum noise_level level,
                           const char *part)
{
    const struct noise_finding *finding = find(noise, name);

    if (finding->level != level || strstr(finding->found, part) == NULL)
        fail_msg("%s: level %d, found \"%s\"; not \"%s\"", name, (int)finding->level,
                 finding->found, part);
    assert_int_equal(finding->why != NULL, level == NOISE_NOISY);
    assert_int_equal(finding->advice != NULL, level == NOISE_NOISY);
}

static void a_calm_machine_is_calm(void **state)
{
    struct fixture *fixture = *state;
    struct noise noise;

    put_calm(fixture);
    noise = look(fixture);
    assert_string_equal(noise_words(&fixture->arena, &noise), "");
    assert_int_equal(noise_count(&noise, NOISE_CALM), FINDINGS);
    assert_finding(&noise, "busy-cpus", NOISE_CALM, "2 % of 4 CPUs");
    assert_finding(&noise, "listeners", NOISE_CALM, "none on ports 21000 to 21099");
    assert_finding(&noise, "swap", NOISE_CALM, "1 of 2 MB in use, 0 pages");
}

/* One thing is changed on the calm machine, and exactly the finding about it is noisy. */
static const struct {
    const char *name, *root, *path, *text, *found, *advice;
} changes[] = {
    {"busy-cpus", "later", "proc/stat", "cpu  1030 0 1000 90070 0 0 0 0 0 0\ncpu0 1 0 0 9\n",
     "30 % of 1 CPUs", "no process that can be seen"},
    {"load", "now", "proc/loadavg", "2.10 0.20 0.30 1/100 4242\n", "2.10 over", "wait"},
    {"few-cpus", "later", "proc/stat",
     "cpu  1001 0 1001 90098 0 0 0 0 0 0\ncpu0 1 0 0 9\ncpu1 1 0 0 9\n", "2", "4 or more"},
    {"cpu-quota", "now", "sys/fs/cgroup/user/cpu.max", "150000 100000\n", "1.50 of 4 CPUs",
     "limit"},
    {"smt", "now", CPU "smt/active", "1\n", "several", "smt/control"},
    {"governor", "now", CPU "cpu1/cpufreq/scaling_governor", "powersave\n",
     "powersave on 1 of 2 CPUs", "scaling_governor"},
    {"turbo", "now", CPU "intel_pstate/no_turbo", "0\n", "on", "echo 1 | sudo tee"},
    {"heat", "now", CPU "cpu0/thermal_throttle/core_throttle_count", "12\n", "throttled 12 times",
     "--pause"},
    {"virtual-machine", "now", "proc/cpuinfo", "processor : 0\nflags : fpu hypervisor sse2\n",
     "yes: Box 9", "repeats"},
    {"steal", "later", "proc/stat",
     "cpu  1001 0 1001 90096 0 0 0 2 0 0\ncpu0 1 0 0 9\ncpu1 1 0 0 9\ncpu2 1 0 0 9\n"
     "cpu3 1 0 0 9\n",
     "2.0 % while watched", "host"},
    {"memory", "now", "proc/meminfo",
     "MemTotal: 8000000 kB\nMemAvailable: 700000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
     "683 of 7812 MB available", "ps -eo rss"},
    {"swap", "later", "proc/vmstat", "pswpin 10\npswpout 4\n", "7 pages moved", "swapoff"},
    {"descriptors", "now", "proc/self/limits",
     "Max open files            256                  300                  files\n",
     "the hard limit is 300, 200 servers take 464", "--nofile=464"},
    {"listeners", "now", "proc/net/tcp6",
     " 0: 00000000000000000000000001000000:5209 00000000000000000000000000000000:0000 0A 0:0 00:0 "
     "0 0 0 79 1\n",
     "1 on ports 21000 to 21099: 21001", "--port=BASE"},
    {"port-range", "now", IPV4 "ip_local_port_range", "21050\t60999\n",
     "50 of the servers' ports are among them", "ip_local_reserved_ports"},
    {"port-range", "now", IPV4 "ip_local_port_range", "50000\t50050\n",
     "50000 to 50050 for connections", "sysctl"},
    {"pacing", "now", IPV4 "tcp_congestion_control", "bbr\n", "TCP is bbr", "cubic"},
    {"clock", "now", CLOCK "current_clocksource", "hpet\n", "hpet", "echo tsc"},
};

static void each_change_is_one_finding(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct noise noise;
        bool cpus_too =
            strstr(changes[i].text, "cpu3") == NULL && strcmp(changes[i].path, "proc/stat") == 0;

        put_calm(fixture);
        put(fixture, changes[i].root, changes[i].path, changes[i].text);
        noise = look(fixture);
        assert_finding(&noise, changes[i].name, NOISE_NOISY, changes[i].found);
        assert_non_null(strstr(find(&noise, changes[i].name)->advice, changes[i].advice));
        if (!cpus_too)
            assert_string_equal(noise_words(&fixture->arena, &noise), changes[i].name);
    }
}

static void what_cannot_be_read_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct noise noise;

    put(fixture, "now", "proc/stat", calm[0].text);
    put(fixture, "later", "proc/stat", calm[0].text);
    noise = look(fixture);
    assert_int_equal(noise_count(&noise, NOISE_NOISY), 0);
    assert_int_equal(noise_count(&noise, NOISE_CALM), 3); /* busy-cpus, few-cpus, steal */
    assert_finding(&noise, "governor", NOISE_UNKNOWN, "does not say");
}

static void without_cpu_times_there_is_no_look(void **state)
{
    struct fixture *fixture = *state;
    struct noise_question question = {.root = path_of(fixture, "now"),
                                      .root_later = path_of(fixture, "later")};
    struct error error;
    struct noise noise;

    assert_int_equal(noise_look(&fixture->arena, &question, &noise, &error), -1);
    assert_non_null(strstr(error.text, "now/proc/stat: No such file"));
    put(fixture, "now", "proc/stat", "intr 5\n");
    assert_int_equal(noise_look(&fixture->arena, &question, &noise, &error), -1);
    assert_non_null(strstr(error.text, "not as Linux writes it"));
}

static void busy_processes_are_named(void **state)
{
    struct fixture *fixture = *state;
    struct noise noise;

    put_calm(fixture);
    put(fixture, "later", "proc/stat", "cpu  1050 0 1000 90050 0 0 0 0 0 0\ncpu0 1 0 0 9\n");
    put(fixture, "later", "proc/4242/stat",
        "4242 (a) b) R 1 1 1 0 -1 4 1 0 0 0 130 60 0 0 20 0 1 0 777 1 1\n");
    put(fixture, "later", "proc/7/stat",
        "7 (new) R 1 1 1 0 -1 4 1 0 0 0 5 5 0 0 20 0 1 0 900 1 1\n");
    noise = look(fixture);
    assert_finding(&noise, "busy-cpus", NOISE_NOISY, "a) b (4242) 40 %, new (7) 10 %");
    assert_non_null(strstr(find(&noise, "busy-cpus")->advice, "kill -STOP 4242 7 "));
}

static void other_sources_of_a_fact_are_known(void **state)
{
    struct fixture *fixture = *state;
    struct noise noise;

    put_calm(fixture);
    put(fixture, "now", "proc/self/cgroup", "1:cpu:/\n");
    put(fixture, "now", "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    put(fixture, "now", "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    remove(path_of(fixture, "now/" CPU "intel_pstate/no_turbo"));
    put(fixture, "now", CPU "cpufreq/boost", "1\n");
    put(fixture, "now", IPV4 "ip_local_port_range", "20000\t60999\n");
    put(fixture, "now", IPV4 "ip_local_reserved_ports", "80,21000-21099,30000\n");
    noise = look(fixture);
    assert_finding(&noise, "cpu-quota", NOISE_NOISY, "0.50 of 4 CPUs");
    assert_finding(&noise, "turbo", NOISE_NOISY, "on");
    assert_non_null(strstr(find(&noise, "turbo")->advice, "echo 0"));
    assert_finding(&noise, "port-range", NOISE_CALM, "20000 to 60999");
}

/* ---- for real ---- */

static struct noise look_here(struct fixture *fixture, const struct fleets *fleets)
{
    struct noise_question question = noise_ask(&fixture->arena, fleets, NOISE_WATCH_QUICK_MS);
    struct error error;
    struct noise noise;

    if (noise_look(&fixture->arena, &question, &noise, &error) != 0)
        fail_msg("%s", error.text);
    return noise;
}

static void a_real_listener_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    struct cell cell = {.fleet_options = ""};
    struct fleet fleet = {.cell = &cell, .count = 1};
    struct fleet *items[] = {&fleet};
    struct fleets fleets = {.items = items, .count = 1};
    struct noise noise;

    assert_true(descriptor >= 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(descriptor, 1), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &bytes), 0);
    fleet.base = ntohs(address.sin_port);
    noise = look_here(fixture, &fleets);
    assert_finding(&noise, "listeners", NOISE_NOISY,
                   arena_text(&fixture->arena, "%llu (test_noise %ld)",
                              (unsigned long long)fleet.base, (long)getpid()));
    close(descriptor);
    noise = look_here(fixture, &fleets);
    assert_finding(&noise, "listeners", NOISE_CALM, "none on ports");
}

/* Others may be busier just then, so it is looked for several times. */
static void a_real_busy_process_is_found(void **state)
{
    struct fixture *fixture = *state;
    char *const argv[] = {"sh", "-c", "while :; do :; done", NULL};
    const struct fleets fleets = {0};
    bool found = false;
    const char *name;

    assert_int_equal(os_process_start(&fixture->process, argv, NULL, NULL), 0);
    name = arena_text(&fixture->arena, "sh (%ld)", (long)fixture->process.handle);
    for (unsigned i = 0; i < TRIES_MAX && !found; i++) {
        struct noise noise = look_here(fixture, &fleets);
        const struct noise_finding *busy = find(&noise, "busy-cpus");

        found = busy->level == NOISE_NOISY && strstr(busy->found, name) != NULL;
    }
    os_process_stop(&fixture->process, 0);
    assert_true(found);
}

/* ---- the program ---- */

static int check(struct fixture *fixture, const char *scenario, const char *more)
{
    const char *const words[] = {fixture->sweep, "--check", scenario, more, NULL};
    const char *const bare[] = {fixture->sweep, "--check", more, NULL};

    start(fixture, scenario == NULL ? bare : words);
    return finish(fixture);
}

static void the_program_writes_what_it_finds(void **state)
{
    struct fixture *fixture = *state;
    const char *path = path_of(fixture, "noise.json"), *object;
    const char *json = arena_text(&fixture->arena, "--json=%s", path);
    int exit_code;

    write_scenario(fixture, "mode = ok\nport = 23456\n");
    exit_code = check(fixture, path_of(fixture, "t.conf"), json);
    object = read_file(fixture, "noise.json");
    assert_true(row_is_object(object));
    assert_int_equal(exit_code,
                     number_of(object, "noisy") == 0 ? EXIT_DONE : EXIT_MEASURED_FAILURE);
    assert_non_null(strstr(object, "23456 to 23458"));
    assert_non_null(strstr(read_file(fixture, "stdout"), "busy-cpus"));
    assert_false(exists(fixture, "out"));
    assert_false(exists(fixture, "pids"));
    check(fixture, NULL, "--json=-");
    object = read_file(fixture, "stdout");
    assert_true(row_is_object(object));
    assert_non_null(strstr(object, "20000 to 20199"));
}

static void wrong_use_of_the_check_is_said(void **state)
{
    struct fixture *fixture = *state;

    write_scenario(fixture, "mode = ok\n");
    assert_int_equal(check(fixture, NULL, "/nonexistent.conf"), EXIT_WRONG_USE);
    assert_int_equal(sweep(fixture, "--json=x"), EXIT_WRONG_USE);
    assert_said(fixture, "--json goes with --check");
    assert_int_equal(check(fixture, NULL, "--json=/nonexistent/x"), EXIT_MACHINE_CANNOT);
    assert_said(fixture, "--json=/nonexistent/x: cannot write: No such file");
}

static void every_sweep_records_its_noise(void **state)
{
    struct fixture *fixture = *state;
    const char *record, *noise;

    write_scenario(fixture, "mode = ok\n");
    assert_int_equal(sweep(fixture, NULL), EXIT_DONE);
    record = read_file(fixture, "out/run.json");
    assert_true(row_is_object(record));
    noise = row_copy(&fixture->arena, record, "noise");
    assert_true(number_of(noise, "watched_ms") == NOISE_WATCH_QUICK_MS);
    assert_non_null(row_find(row_find(noise, "findings"), "busy-cpus"));
    if (number_of(noise, "noisy") != 0)
        assert_said(fixture, "warning: results will be noisy here: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWEEP_TEST(a_calm_machine_is_calm),
        SWEEP_TEST(each_change_is_one_finding),
        SWEEP_TEST(what_cannot_be_read_is_unknown),
        SWEEP_TEST(without_cpu_times_there_is_no_look),
        SWEEP_TEST(busy_processes_are_named),
        SWEEP_TEST(other_sources_of_a_fact_are_known),
        SWEEP_TEST(a_real_listener_is_found),
        SWEEP_TEST(a_real_busy_process_is_found),
        SWEEP_TEST(the_program_writes_what_it_finds),
        SWEEP_TEST(wrong_use_of_the_check_is_said),
        SWEEP_TEST(every_sweep_records_its_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
