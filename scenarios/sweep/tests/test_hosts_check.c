/* What a check of hosts says: a line for each thing that can be wrong there, and what to do. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include "base/protocol.h"
#include "scenarios/sweep/hosts_check.h"
#include "scenarios/sweep/record.h"

#define LOOPBACK_HOST UINT32_C(0x7f000001)
#define PATIENCE_NS   ((uint64_t)60 * OS_NS_PER_S)

/* ---- the line ---- */

static struct host_view sound(void)
{
    return (struct host_view){
        .name = "lab2",
        .launcher = "ssh -T lab2",
        .own_commit = "c0ffee1",
        .address = "10.1.0.3",
        .commit = "c0ffee1",
        .clock = "synchronised",
        .interface = "eth0",
        .speed_mbit = "10000",
        .port = 7000,
        .servers = 1000,
        .descriptors = 4096,
        .route = {.connected = true, .round_trip_ns = 240000, .clock_offset_ns = -1500000}};
}

static void assert_line(const struct host_view *view, bool good, const char *expected)
{
    struct arena arena = {0};
    const char *line;
    bool found = host_view_line(&arena, view, &line);
    if (strstr(line, expected) == NULL || strchr(line, '\n') != NULL)
        fail_msg("'%s' is not one line with '%s'", line, expected);
    assert_int_equal(found, good);
    arena_free(&arena);
}

TEST(a_sound_host_is_one_line_with_what_was_measured)
{
    struct host_view view = sound();
    assert_line(&view, true,
                "lab2  ok: 10.1.0.3 on eth0 of 10000 Mbit/s, round trip 0.240 ms, clock 1.500 ms "
                "behind (+-0.120 ms), 4096 descriptors");
    view.speed_mbit = "unknown";
    view.clock = "free";
    view.route.clock_offset_ns = 7;
    assert_line(&view, true, "on eth0, round trip 0.240 ms, clock 0.000 ms ahead");
    assert_line(&view, true, "(+-0.120 ms), which nothing synchronises, 4096");
}

TEST(what_a_host_or_its_launcher_says_comes_with_what_to_do)
{
    static const struct {
        const char *said, *what, *advice;
    } cases[] = {
        {"me@lab2: Permission denied (publickey).", "login", "ssh-copy-id lab2"},
        {"Host key verification failed.", "login", "accept its key once: ssh lab2"},
        {"ssh: Could not resolve hostname lab2: Name or service not known", "login",
         "correct --hosts"},
        {"ssh: connect to host lab2 port 22: No route to host", "login", "is lab2 on"},
        {"ssh: connect to host lab2 port 22: Connection refused", "login", "daemon run on lab2"},
        {"bash: build/gcc/fanin-servers: No such file or directory", "version",
         "build the same commit on lab2, at the same path"},
        {"srun: fatal: --relative option invalid for job allocation request", "job",
         "salloc or sbatch"},
        {"sh: 1: fanin-servers: not found", "version", "build the same commit on lab2"},
        {"--listen net:10.1.0.0/16: no address in it; it has 192.168.1.4", "address",
         "name the network of lab2 with --network"},
        {"--count 1000 needs 2064 descriptors, but the limit is 1024", "limits",
         "raise the hard limit on lab2"},
        {"10.1.0.3:7004: address already in use", "ports", "--port"},
        {"its head fell off", "login", "try it by hand: ssh -T lab2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host_view view = sound();
        char start[256];
        view.failed = cases[i].said;
        snprintf(start, sizeof start, "lab2  %s: %s; ", cases[i].what, cases[i].said);
        assert_line(&view, false, start);
        assert_line(&view, false, cases[i].advice);
    }
}

TEST(another_commit_is_named_beside_ours)
{
    struct host_view view = sound();
    view.commit = "badf00d";
    assert_line(&view, false, "lab2  version: it has commit badf00d, and this is c0ffee1");
}

TEST(descriptors_are_compared_with_the_servers)
{
    struct host_view view = sound();
    view.descriptors = 2063;
    assert_line(&view, false, "limits: 2063 descriptors of the 2064 that 1000 servers need");
    view.descriptors = 2064;
    assert_line(&view, true, "ok");
}

TEST(a_way_that_is_closed_names_the_ports_to_open)
{
    static const struct {
        int error;
        bool connected;
        const char *expected;
    } cases[] = {
        {-ECONNREFUSED, false, "open TCP ports 7000 to 7999 of lab2"},
        {-ETIMEDOUT, false, "route: 10.1.0.3:7000 cannot be connected: "},
        {-EHOSTUNREACH, false, "is --network another one?"},
        {-ETIMEDOUT, true, "route: 10.1.0.3:7000 does not tell its time: "},
        {-EPROTO, true, "what listens there is no server of ours; take other ports"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host_view view = sound();
        view.route = (struct route){.error = cases[i].error, .connected = cases[i].connected};
        assert_line(&view, false, cases[i].expected);
    }
}

/* ---- the way there ---- */

/* A server with a clock of its own on a port of this computer. */
struct device {
    intptr_t listener;
    unsigned connections; /* one after the other; then it ends */
    struct net_address address;
    int64_t ahead_ns;
    const char *garbage; /* its answer in place of the time; NULL: the time */
    unsigned asked;
    pthread_t thread;
};

static void answer(struct device *device, intptr_t handle)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    while (net_read_line(handle, line, sizeof line, PATIENCE_NS) == 0) {
        int bytes =
            device->garbage != NULL
                ? snprintf(line, sizeof line, "%s\r\n", device->garbage)
                : protocol_write_time(os_wall_ns() + (uint64_t)device->ahead_ns, line, sizeof line);
        device->asked++;
        assert_int_equal(net_send_all(handle, line, (size_t)bytes, PATIENCE_NS), 0);
    }
}

static void *serve(void *context)
{
    struct device *device = context;
    const struct net_tuning tuning = {0};
    for (unsigned i = 0; i < device->connections; i++) {
        intptr_t handle;
        while (net_accept(device->listener, &tuning, &handle) == -EAGAIN)
            net_wait(device->listener, NET_READABLE, PATIENCE_NS);
        answer(device, handle);
        net_close(handle);
    }
    return NULL;
}

static void device_open(struct device *device)
{
    const struct net_tuning tuning = {0};
    struct net_address any = net_ipv4(LOOPBACK_HOST, 0);
    assert_int_equal(net_bind(&any, &device->listener), 0);
    assert_int_equal(net_listen(device->listener, 4, &tuning), 0);
    assert_int_equal(net_local(device->listener, &device->address), 0);
    assert_int_equal(pthread_create(&device->thread, NULL, serve, device), 0);
}

static void device_close(struct device *device)
{
    assert_int_equal(pthread_join(device->thread, NULL), 0);
    net_close(device->listener);
}

static struct route route_to(struct device *device)
{
    device->connections = 1;
    device_open(device);
    struct route route = route_measure(&device->address);
    device_close(device);
    return route;
}

TEST(a_clock_is_known_to_half_of_the_shortest_round_trip)
{
    const int64_t ahead_ns[] = {0, 3 * (int64_t)OS_NS_PER_S, -3 * (int64_t)OS_NS_PER_S};
    for (size_t i = 0; i < sizeof ahead_ns / sizeof *ahead_ns; i++) {
        struct device device = {.ahead_ns = ahead_ns[i]};
        struct route route = route_to(&device);
        assert_int_equal(route.error, 0);
        assert_true(device.asked > 1 && route.round_trip_ns > 0);
        int64_t wrong_ns = route.clock_offset_ns - ahead_ns[i];
        assert_true(wrong_ns <= (int64_t)route.round_trip_ns / 2 + 1 &&
                    -wrong_ns <= (int64_t)route.round_trip_ns / 2 + 1);
    }
}

TEST(what_is_no_server_of_ours_is_told_from_a_closed_port)
{
    struct device device = {.garbage = "220 mail.example ESMTP"};
    struct route route = route_to(&device);
    assert_int_equal(route.error, -EPROTO);
    assert_true(route.connected);
    route = route_measure(&device.address); /* nothing listens there any more */
    assert_int_equal(route.error, -ECONNREFUSED);
    assert_false(route.connected);
}

/* ---- the command: launchers that stay on this computer, servers that are a script ---- */

static const char launchers[] = "here = \"env HOST={host}\"\n"
                                "away = \"no-such-launcher {host}\"\n";

/* What hosts do by their names; `ready` is what those that are well go on to say. */
static const char *servers_of(struct fixture *fixture, const char *ready)
{
    return arena_text(&fixture->arena,
                      "#!/bin/sh\n"
                      "echo $$ >>\"${0%%/*}/pids\"\n"
                      "case $HOST in\n"
                      "well*) echo \"READY $HOST %s utc_ns=1\";;\n"
                      "closed) echo \"READY $HOST 127.0.0.1 1 1 process=1 commit=%s utc_ns=1\";;\n"
                      "other) echo \"READY $HOST 127.0.0.1 1 1 process=2 commit=bad utc_ns=1\";;\n"
                      "lost) echo \"FAILED $HOST --listen net:10.1.0.0/16: no address in it\";"
                      " exit 3;;\n"
                      "shut) echo 'Permission denied (publickey).' >&2; exit 255;;\n"
                      "esac\n"
                      "while read -r line; do echo \"PULSE $HOST\"; done\n",
                      ready, record_commit());
}

static int check(struct fixture *fixture, const char *launcher, const char *hosts, unsigned servers,
                 const char *ready)
{
    const char *keys = arena_text(&fixture->arena,
                                  "# why\nservers-program = %s/servers\nservers = %u\n"
                                  "network = 127.0.0.0/8\nlauncher = %s\nhosts = \"%s\"\n",
                                  fixture->folder, servers, launcher, hosts);
    write_file(fixture, "servers", servers_of(fixture, ready));
    write_file(fixture, "launchers.conf", launchers);
    write_file(fixture, "h.conf", keys);
    const char *const words[] = {fixture->sweep, "--check", path_of(fixture, "h.conf"), NULL};
    start(fixture, words);
    return finish(fixture);
}

SWEEP_TEST(a_host_that_is_well_is_ok_and_nothing_is_left_of_it)
{
    struct device device = {.connections = 2}; /* as its first server, and as its last */
    device_open(&device);
    const char *ready =
        arena_text(&fixture->arena,
                   "127.0.0.1 %u 1 process=5 commit=%s interface=lo speed_mbit=unknown clock=free "
                   "descriptors=4096",
                   net_address_port(&device.address), record_commit());
    assert_int_equal(check(fixture, "here", "well1", 1, ready), EXIT_DONE);
    device_close(&device);
    assert_printed(fixture, "1 host by here, 1 servers each:\nwell1  ok: 127.0.0.1 on lo, round");
    assert_printed(fixture, "which nothing synchronises, 4096 descriptors\n");
    assert_false(exists(fixture, "out"));
    assert_nothing_left(fixture);
}

SWEEP_TEST(each_host_that_is_not_well_has_a_line_with_what_to_do)
{
    assert_int_equal(check(fixture, "here", "lost shut other closed", 4, ""), EXIT_MACHINE_CANNOT);
    assert_printed(fixture, "4 hosts by here");
    assert_printed(fixture, "lost  address: --listen net:10.1.0.0/16: no address in it");
    assert_printed(fixture, "name the network of lost with --network\n");
    assert_printed(fixture, "shut  login: Permission denied (publickey).");
    assert_printed(fixture, "other  version: it has commit bad, and this is ");
    assert_printed(fixture, "closed  route: 127.0.0.1:1 cannot be connected: ");
    assert_nothing_left(fixture);
}

SWEEP_TEST(a_launcher_that_is_not_there_is_an_error)
{
    assert_int_equal(check(fixture, "away", "lab1", 1, ""), EXIT_MACHINE_CANNOT);
    assert_said(fixture, "no-such-launcher");
}

SWEEP_TEST(without_a_scenario_the_keys_say_where_the_servers_are)
{
    static const struct {
        const char *key, *network, *said;
    } cases[] = {
        {"--launcher=missing", "--network=127.0.0.0/8", "missing"},
        {"--servers=20", NULL, "network = 10.1.0.0/16"},
        {"--json=-", "--network=127.0.0.0/8",
         "--json writes the check of this machine, not of hosts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const words[] = {fixture->sweep, "--check",        "--hosts=lab1",
                                     cases[i].key,   cases[i].network, NULL};
        start(fixture, words);
        assert_int_equal(finish(fixture), EXIT_WRONG_USE);
        assert_said(fixture, cases[i].said);
    }
}
