/* Launchers: what launchers.conf and the keys around it may hold, command lines, and the lines that
 * hosts write. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include "scenarios/sweep/hosts.h"

struct plan_fixture {
    struct arena arena;
    struct cells cells;
    struct error error;
};

#define GOOD_LAUNCHERS                                                                             \
    "each = \"ssh {host}\"\nall = \"clush -w {hosts}\"\ncount = \"srun -N{n} -n{n}\"\n"

static int plan(struct fixture *fixture, struct plan_fixture *made, const char *keys,
                const char *launchers)
{
    struct overrides none = {0};
    *made = (struct plan_fixture){0};
    write_file(fixture, "launchers.conf", launchers);
    struct scenario *scenario = scenario_parse(&made->arena, "t.conf", keys, &made->error);
    assert_non_null(scenario);
    assert_int_equal(cells_expand(&made->arena, scenario, &none, NULL, &made->cells, &made->error),
                     0);
    return launchers_plan(&made->arena, &made->cells, path_of(fixture, "t.conf"), &made->error);
}

SWEEP_TEST(a_cell_has_the_hosts_that_it_names)
{
    struct plan_fixture made;
    assert_int_equal(plan(fixture, &made,
                          "servers = 9\nlauncher = each\nhosts = lab1, \"lab1  u@lab2\"\n"
                          "network = 10.1.0.0/16\n",
                          GOOD_LAUNCHERS),
                     0);
    const struct cell *cell = made.cells.items[1];
    assert_int_equal(made.cells.items[0]->host_count, 1);
    assert_int_equal(cell->host_count, 2);
    assert_string_equal(cell->host_names[1], "u@lab2");
    arena_free(&made.arena);
}

SWEEP_TEST(slurm_without_hosts_has_all_nodes_of_the_job_but_the_first)
{
    static const char keys[] = "servers = 9\nlauncher = count\nnetwork = 10.1.0.0/16\n";
    struct plan_fixture made;
    unsetenv("SLURM_JOB_NUM_NODES");
    assert_int_equal(plan(fixture, &made, keys, GOOD_LAUNCHERS), -1);
    assert_contains(made.error.text, "t.conf:2: launcher = count takes a number of hosts");
    arena_free(&made.arena);
    setenv("SLURM_JOB_NUM_NODES", "1", 1);
    assert_int_equal(plan(fixture, &made, keys, GOOD_LAUNCHERS), -1);
    assert_contains(made.error.text, "the job has one node");
    arena_free(&made.arena);
    setenv("SLURM_JOB_NUM_NODES", "5", 1);
    assert_int_equal(plan(fixture, &made, keys, GOOD_LAUNCHERS), 0);
    assert_int_equal(made.cells.items[0]->host_count, 4);
    assert_null(made.cells.items[0]->host_names);
    arena_free(&made.arena);
    unsetenv("SLURM_JOB_NUM_NODES");
}

SWEEP_TEST(mistakes_about_launchers_are_named_with_their_line)
{
#define NETWORK "network = 10.1.0.0/16\n"
    static const struct {
        const char *keys, *launchers, *why;
    } mistakes[] = {
        {"servers = 4\nlauncher = far\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:2: launcher = far: takes a name of "},
        {"servers = 4\nlauncher = far\n" NETWORK, GOOD_LAUNCHERS,
         "launchers.conf: each, all, count"},
        {"servers = 4\nhosts = lab1\n", GOOD_LAUNCHERS, "t.conf:2: hosts = lab1: needs a launcher"},
        {"servers = 4\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:2: network = 10.1.0.0/16: needs a launcher"},
        {"servers = 4\nlauncher = each\nhosts = 2\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:3: launcher = each takes hosts by their names"},
        {"servers = 4\nlauncher = each\n" NETWORK, GOOD_LAUNCHERS, "takes hosts by their names"},
        {"servers = 4\nlauncher = count\nhosts = lab1\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:3: hosts = lab1: launcher = count takes a number of hosts, from 1 to "},
        {"servers = 4\nlauncher = each\nhosts = \"a b a\"\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:3: hosts = a b a: a is named twice"},
        {"servers = 4\nlauncher = each\nhosts = \"a -oProxyCommand=x\"\n" NETWORK, GOOD_LAUNCHERS,
         "'-oProxyCommand=x' is not a host's name"},
        {"servers = 1\nlauncher = each\nhosts = \"a b\"\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:3: 2 hosts for 1 servers"},
        {"servers = 4\nlauncher = each\nhosts = a\n", GOOD_LAUNCHERS,
         "t.conf:2: launcher = each: say in which network"},
        {"servers = 4\nlauncher = each\nhosts = a\nnetwork = 10.1.0.0\n", GOOD_LAUNCHERS,
         "t.conf:4: network = 10.1.0.0: takes an address and how many bits"},
        {"servers = 4\nlauncher = each\nhosts = a\nnetwork = 10.1.0.0/33\n", GOOD_LAUNCHERS,
         "t.conf:4: network"},
        {"servers = h:1\nlauncher = each\nhosts = a\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:2: launcher = each: only fanin's own servers"},
        {"servers = 4\nlink = lan100\nlauncher = each\nhosts = a\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:3: launcher = each: servers on other computers are not behind link = lan100"},
        {"servers = 4\nlauncher = each\nhosts = a\nfleet.listen = ::\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:4: fleet.listen does not go with a launcher"},
        {"servers = 4\nlauncher = each\nhosts = a\nfleet.login = a:$b\n" NETWORK, GOOD_LAUNCHERS,
         "t.conf:4: fleet.login = a:$b: a launcher may change it"},
        {"servers = 4\nlauncher = each\nhosts = a\n" NETWORK, "# x\neach = \"ssh {hots}\"\n",
         "launchers.conf:2: each: {hots} is unknown"},
        {"servers = 4\nlauncher = each\nhosts = a\n" NETWORK, "each = \"ssh {host\"\n",
         "each: {host is unknown"},
        {"servers = 4\nlauncher = each\nhosts = a\n" NETWORK, "each = \"ssh lab1\"\n",
         "launchers.conf:1: each does not say which hosts"},
        {"servers = 4\nlauncher = each\nhosts = a\n" NETWORK, "each = \"x {host} {n}\"\n",
         "each: {host} is one child"},
        {"servers = 4\nlauncher = each\nhosts = a\n" NETWORK, "each = \" {host}\"\n",
         "each names no program"},
        {"servers = 4\nlauncher = each\nhosts = a\n" NETWORK, "each = a, {host}\n",
         "each takes a command, in quotes"},
        {"servers = 4\nlauncher = each\nhosts = a\n" NETWORK, "[s]\neach = \"ssh {host}\"\n",
         "launchers.conf:1: launchers have no sections"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct plan_fixture made;
        assert_int_equal(plan(fixture, &made, mistakes[i].keys, mistakes[i].launchers), -1);
        assert_contains(made.error.text, mistakes[i].why);
        arena_free(&made.arena);
    }
}

SWEEP_TEST(the_shipped_launchers_make_their_command_lines)
{
    static const struct {
        const char *launcher, *hosts, *line;
    } lines[] = {
        {"ssh", "\"lab1 lab2\"",
         "ssh -T -o BatchMode=yes -o ServerAliveInterval=1 -o ServerAliveCountMax=3 lab1 x"},
        {"slurm", "2", "srun --overlap --no-kill -l --relative=1 -N2 -n2 x"},
        {"clush", "\"lab1 lab2\"", "clush -f 4096 -w lab1,lab2 x"},
        {"mpirun", "\"lab1 lab2\"",
         "mpirun --stdin all --tag-output --map-by ppr:1:node --host lab1,lab2 -np 2 x"},
    };
    char path[4096];
    size_t bytes;
    assert_true(find_upwards(path, sizeof path, "scenarios/launchers.conf"));
    const char *shipped = arena_file(&fixture->arena, path, 1 << 16, &bytes);
    assert_non_null(shipped);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct plan_fixture made;
        struct command servers = {0};
        const char *keys =
            arena_text(&fixture->arena, "servers = 4\nlauncher = %s\nhosts = %s\n" NETWORK,
                       lines[i].launcher, lines[i].hosts);
        if (plan(fixture, &made, keys, shipped) != 0)
            fail_msg("%s", made.error.text);
        const struct cell *cell = made.cells.items[0];
        command_add(&made.arena, &servers, "x");
        const struct command command = launcher_command(
            &made.arena, cell->launcher, cell->launcher->each ? cell->host_names[0] : NULL,
            cell->host_names, cell->host_count, &servers);
        const char *line = "";
        for (unsigned k = 0; k < command.count; k++)
            line = arena_join(&made.arena, line, " ", command.argv[k]);
        assert_string_equal(line, lines[i].line);
        arena_free(&made.arena);
    }
}

/* ---- lines ---- */

#define FACTS "process=00c0ffee00c0ffee pid=7 commit=abc cpu=A_B utc_ns=17"

TEST(a_word_is_found_behind_any_label)
{
    static const struct {
        const char *line;
        enum host_word word;
        const char *rest;
    } lines[] = {
        {"READY lab1 x", HOST_READY, "lab1 x"},
        {"0: PULSE lab1", HOST_PULSE, "lab1"},
        {"12: FAILED lab1 no address", HOST_FAILED, "lab1 no address"},
        {"[1,0]<stdout>:PULSE lab1", HOST_PULSE, "lab1"},
        {"[1,0]<stdout>: PULSE lab1", HOST_PULSE, "lab1"},
        {"lab1: READY lab1 x", HOST_READY, "lab1 x"},
        {" 3: PULSE lab1", HOST_PULSE, "lab1"},
        {"The system is READY for use", HOST_OTHER, NULL},
        {"Logins FAILED today: 3", HOST_OTHER, NULL},
        {"READYMADE x", HOST_OTHER, NULL},
        {"", HOST_OTHER, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *rest = NULL;
        assert_int_equal(host_word_read(lines[i].line, &rest), lines[i].word);
        if (lines[i].rest != NULL)
            assert_string_equal(rest, lines[i].rest);
    }
}

TEST(a_ready_line_counts_only_as_a_whole)
{
    static const char whole[] = "lab1 10.1.0.3 7000 25000 " FACTS;
    struct arena arena = {0};
    struct host host = {.name = ""};
    (void)state;
    for (size_t length = 0; length < sizeof whole - 3; length++)
        assert_false(host_ready_read(&arena, arena_copy(&arena, whole, length), &host));
    assert_true(host_ready_read(&arena, whole, &host));
    assert_string_equal(host.name, "lab1");
    assert_string_equal(host.address, "10.1.0.3");
    assert_true(host.port == 7000 && host.count == 25000);
    assert_string_equal(host.process, "00c0ffee00c0ffee");
    assert_string_equal(host_fact(&arena, &host, "cpu"), "A_B");
    assert_null(host_fact(&arena, &host, "kernel"));
    arena_free(&arena);
}

TEST(a_host_may_call_itself_by_a_longer_name)
{
    (void)state;
    assert_true(host_is_called("lab2", "lab2"));
    assert_true(host_is_called("lab2", "LAB2.example.org"));
    assert_true(host_is_called("root@lab2.example.org", "lab2"));
    assert_false(host_is_called("lab2", "lab21"));
    assert_false(host_is_called("10.1.0.2", "10.1.0.3"));
}
