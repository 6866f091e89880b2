/* Sweeps with a launcher, end to end, on one machine: `each` and `all` of launchers.conf run a
 * script in place of fanin-servers --hosted. What a host does stands in the file mode-HOST: it
 * refuses the login, never answers, claims another commit, tears its lines, falls silent, ... */
#include "scenarios/sweep/tests/sweep_fixture.h"

#define HOSTED "mode = ok\nlauncher = each\nhosts = \"lab1 lab2 lab3\"\nnetwork = 127.0.0.0/8\n"

static const char hosted_script[] =
    "#!/bin/sh\n"
    "here=${0%/*}\n"
    "for a; do case $a in --help) exit 0;; --count=*) count=${a#*=};; --port=*) port=${a#*=};;"
    " esac; done\n"
    "names=$(echo $HOST$HOSTS | tr , ' ') host=${HOST:-lab1}\n"
    "mode=$(cat \"$here/mode-$host\" 2>/dev/null)\n"
    "commit=$(cat \"$here/commit\")\n"
    "echo $host $* >>\"$here/servers-args\"\n"
    "case $mode in\n"
    "denied) echo 'Permission denied (publickey).' >&2; exit 255;;\n"
    "missing) echo 'sh: fanin-servers: not found' >&2; exit 127;;\n"
    "failed) echo \"FAILED $host no address of this computer is in 10.9.0.0/16\"; exit 3;;\n"
    "damaged) cat \"$here/line\";;\n"
    "wrong) echo \"FAILED $host --fault: takes refuse, this is $*\"; exit 2;;\n"
    "hang) echo $$ >>\"$here/pids\"; exec sleep 600;;\n"
    "older) commit=0ffbea7;;\n"
    "esac\n"
    "echo $$ >>\"$here/pids\"\n"
    "echo $$ >\"$here/pid-$host\"\n"
    "number=0\n"
    "for name in $names; do\n"
    "  [ \"$mode\" = few ] && [ $name = lab2 ] && continue\n"
    "  number=$((number + 1))\n"
    "  id=$(printf %08x%08x $$ $number)\n"
    "  facts=\"process=$id pid=$$ commit=$commit version=1 kernel=6.1 cpu=Made_up cpus=2"
    " memory_mb=512 interface=lo mtu=1500 speed_mbit=unknown congestion=cubic descriptors=99"
    " clock=free utc_ns=1700000000000000000\"\n"
    "  if [ \"$mode\" = torn ]; then\n"
    "    printf 'motd\\n\\r\\n1: REA'; sleep 0.1; printf \"DY $name 127.0.0.1 $port\"; sleep 0.1\n"
    "    printf \" $count $facts\\r\"; sleep 0.1; printf '\\nREADY or not\\n'\n"
    "  else\n"
    "    echo \"READY $name 127.0.0.1 $port $count $facts\"\n"
    "  fi\n"
    "done\n"
    "[ \"$mode\" = few ] && echo 'all: lab2: exited with exit code 9' >&2\n"
    "[ \"$mode\" = few ] && [ -e \"$here/ends\" ] && exit 9\n"
    "[ \"$mode\" = loses ] && printf 'all: lab2: Killed\\nall: lab20: warning\\n' >&2\n"
    "if [ \"$mode\" = warns ]; then\n"
    "  echo 'all: lab2: warning' >&2\n"
    "  for name in $names $names; do echo \"PULSE $name\"; done\n"
    "  mode=mute\n"
    "fi\n"
    "while read -r line; do\n"
    "  [ \"$mode\" = mute ] && continue\n"
    "  for name in $names; do\n"
    "    [ \"$mode\" = loses ] && [ $name = lab2 ] || echo \"PULSE $name\"\n"
    "  done\n"
    "done\n";

static int set_up_hosts(void **state)
{
    int result = set_up(state);
    struct fixture *fixture = *state;
    char commit[4096];
    assert_true(find_upwards(commit, sizeof commit, "commit"));
    size_t bytes;
    const char *text = arena_file(&fixture->arena, commit, sizeof commit, &bytes);
    assert_non_null(text);
    write_file(fixture, "commit", text);
    write_file(fixture, "servers", hosted_script);
    write_file(fixture, "launchers.conf",
               "# for tests\neach = \"env HOST={host}\"\nall = \"env HOSTS={hosts} COUNT={n}\"\n"
               "count = \"env COUNT={n}\"\n");
    return result;
}

#define HOSTS_TEST(name) FIXTURE_TEST(name, set_up_hosts)

static void set_mode(struct fixture *fixture, const char *host, const char *mode)
{
    write_file(fixture, arena_text(&fixture->arena, "mode-%s", host), mode);
}

static void kill_host(struct fixture *fixture, const char *host)
{
    const char *name = arena_text(&fixture->arena, "pid-%s", host);
    assert_int_equal(kill((pid_t)atoi(read_file(fixture, name)), SIGKILL), 0);
}

static const char *record_of(struct fixture *fixture)
{
    return read_file(fixture, "out/run.json");
}

HOSTS_TEST(servers_are_spread_over_the_hosts_and_listed_for_the_client)
{
    run_scenario(fixture, HOSTED, "--servers=8", EXIT_DONE);
    assert_string_equal(read_file(fixture, "out/fleet-1.servers"),
                        "127.0.0.1:20000+3\n127.0.0.1:20000+3\n127.0.0.1:20000+2\n");
    const char *args = read_file(fixture, "args"), *servers = read_file(fixture, "servers-args");
    assert_contains(args, arena_text(&fixture->arena, "--servers=@%s", path_of(fixture, "out")));
    assert_contains(args, "--start=together");
    assert_null(strstr(args, "--port"));
    assert_contains(servers, "lab2 --count=3 --port=20000 --listen=net:127.0.0.0/8 --hosted");
    const char *row = rows_of(fixture).lines[0];
    assert_text(fixture, row, "launcher", "each");
    assert_text(fixture, row, "host_lost", "");
    assert_true(number_of(row, "hosts") == 3);
    assert_nothing_left(fixture);
}

HOSTS_TEST(one_host_starts_each_alone_and_a_start_that_is_said_stays)
{
    run_scenario(fixture, "mode = ok\nlauncher = each\nhosts = lab1\nnetwork = 127.0.0.0/8\n", NULL,
                 EXIT_DONE);
    assert_null(strstr(read_file(fixture, "args"), "--start"));
    run_scenario(fixture, HOSTED "start = each\n", NULL, EXIT_DONE);
    assert_contains(read_file(fixture, "args"), "--start=each");
    assert_null(strstr(read_file(fixture, "args"), "together"));
}

HOSTS_TEST(the_record_has_what_each_host_said)
{
    run_scenario(fixture, HOSTED, NULL, EXIT_DONE);
    const char *record = record_of(fixture), *hosts = json_find(record, "hosts");
    assert_non_null(hosts);
    for (unsigned i = 0; i < 3; i++) {
        const char *host = json_item(hosts, i);
        assert_text(fixture, host, "host", arena_text(&fixture->arena, "lab%u", i + 1));
        assert_text(fixture, host, "kernel", "6.1");
        assert_true(number_of(host, "fleet") == 1);
        assert_true(number_of(host, "memory_mb") == 512);
        assert_int_equal(strncmp(json_find(host, "speed_mbit"), "null", 4), 0);
    }
    assert_null(json_item(hosts, 3));
}

HOSTS_TEST(an_axis_of_hosts_has_fleets_of_its_own)
{
    run_scenario(fixture,
                 "mode = ok\nlauncher = each\nhosts = lab1, \"lab1 lab2\"\nnetwork = 127.0.0.0/8\n",
                 NULL, EXIT_DONE);
    const char *args = read_file(fixture, "servers-args");
    assert_contains(args, "lab1 --count=3 --port=20000");
    assert_contains(args, "lab1 --count=2 --port=20003");
    assert_true(number_of(row_of(fixture, "hosts=lab1"), "hosts") == 1);
    assert_true(number_of(row_of(fixture, "hosts=lab1 lab2"), "hosts") == 2);
}

HOSTS_TEST(lines_may_be_torn_and_labelled)
{
    set_mode(fixture, "lab1", "torn");
    run_scenario(fixture,
                 "mode = ok\nlauncher = all\nhosts = \"lab1 root@lab2 lab3\"\nnetwork = "
                 "127.0.0.0/8\n",
                 NULL, EXIT_DONE);
    assert_true(number_of(rows_of(fixture).lines[0], "hosts") == 3);
    assert_nothing_left(fixture);
}

/* What a host does in place of getting ready, and what the sweep says. */
HOSTS_TEST(a_host_that_does_not_get_ready_is_named)
{
    static const struct {
        const char *mode, *said;
        int exit_code;
    } cases[] = {
        {"denied",
         "t.conf:9: 1 of 3 hosts is not ready: lab2: Permission denied (publickey). "
         "(exit code 255)\n",
         EXIT_MACHINE_CANNOT},
        {"missing", "lab2: sh: fanin-servers: not found (exit code 127); the key servers-program",
         EXIT_MACHINE_CANNOT},
        {"failed", "lab2: no address of this computer is in 10.9.0.0/16\n", EXIT_MACHINE_CANNOT},
        {"wrong", "lab2: --fault: takes refuse", EXIT_WRONG_USE},
        {"older", "host lab2 runs fanin-servers of commit 0ffbea7, and this is commit ",
         EXIT_MACHINE_CANNOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_mode(fixture, "lab2", cases[i].mode);
        run_scenario(fixture, HOSTED, NULL, cases[i].exit_code);
        assert_said(fixture, cases[i].said);
        assert_int_equal(rows_of(fixture).count, 0);
        assert_nothing_left(fixture);
    }
    set_mode(fixture, "lab1", "denied");
    set_mode(fixture, "lab2", "denied");
    run_scenario(fixture, HOSTED, NULL, EXIT_MACHINE_CANNOT);
    assert_said(fixture, "2 of 3 hosts are not ready: lab1: Permission denied (publickey). "
                         "(exit code 255); lab2: the same\n");
    run_scenario(fixture, "mode = ok\nlauncher = count\nhosts = 3\nnetwork = 127.0.0.0/8\n", NULL,
                 EXIT_MACHINE_CANNOT);
    assert_said(fixture, "3 of 3 hosts are not ready: Permission denied (publickey). (exit code "
                         "255)\n");
}

HOSTS_TEST(a_damaged_line_is_shown_with_its_host)
{
    static const struct {
        const char *launcher, *line, *said;
    } cases[] = {
        {"each", "READY\n", "1 of 3 hosts is not ready: lab2: its line READY is damaged: 'READY'"},
        {"each", "READY lab2 127.0.0.1 20000 3 process=1 comm\n",
         "lab2: its line READY is damaged"},
        {"each", "READY lab2 127.0.0.1 x 3 process=1 commit=1 utc_ns=1\n", "damaged: 'READY lab2"},
        {"each", "READY lab2 127.0.0.1 20000 0 process=1 commit=1 utc_ns=1\n", "lab2: its line"},
        {"each", "READY to serve \x1b[1m\xff\n", "damaged: 'READY to serve ?[1m?'"},
        {"all", "lab2: READY to serve\n", "1 of 3 hosts is not ready: lab2: its line READY is "},
        {"count", "1: READY to serve\n",
         "3 of 3 hosts are not ready: its line READY is damaged: '1: READY to serve'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool each = strcmp(cases[i].launcher, "each") == 0;
        const bool count = strcmp(cases[i].launcher, "count") == 0;
        set_mode(fixture, each ? "lab2" : "lab1", "damaged");
        write_file(fixture, "line", cases[i].line);
        run_scenario(fixture,
                     arena_text(&fixture->arena,
                                "mode = ok\nlauncher = %s\nhosts = %s\n"
                                "network = 127.0.0.0/8\n",
                                cases[i].launcher, count ? "3" : "\"lab1 lab2 lab3\""),
                     NULL, EXIT_MACHINE_CANNOT);
        assert_said(fixture, cases[i].said);
        assert_nothing_left(fixture);
    }
}

HOSTS_TEST(a_host_that_ended_before_it_was_ready_is_named_by_its_launcher)
{
    static const char keys[] = "mode = ok\nlauncher = all\nhosts = \"lab1 lab2 lab3\"\n"
                               "network = 127.0.0.0/8\n";
    set_mode(fixture, "lab1", "few");
    run_scenario(fixture, keys, NULL, EXIT_MACHINE_CANNOT);
    assert_said(fixture, "1 of 3 hosts is not ready: lab2: not ready 5 s after the others: all: "
                         "lab2: exited with exit code 9");
    assert_nothing_left(fixture);
    write_file(fixture, "ends", "");
    run_scenario(fixture, keys, NULL, EXIT_MACHINE_CANNOT);
    assert_said(fixture, "1 of 3 hosts is not ready: lab2: all: lab2: exited with exit code 9 "
                         "(exit code 9)");
    assert_nothing_left(fixture);
}

HOSTS_TEST(a_launcher_that_is_not_there_is_named)
{
    write_file(fixture, "launchers.conf", "# none\neach = \"no-such-launcher {host}\"\n");
    run_scenario(fixture, HOSTED, NULL, EXIT_MACHINE_CANNOT);
    assert_said(fixture, "launchers.conf:2: launcher each: cannot start no-such-launcher: ");
}

HOSTS_TEST(a_sweep_that_waits_for_a_host_can_be_interrupted)
{
    set_mode(fixture, "lab2", "hang");
    write_scenario(fixture, HOSTED);
    start_sweep(fixture, NULL);
    await_started(fixture, 3);
    assert_int_equal(interrupt(fixture, SIGINT), EXIT_MEASURED_FAILURE);
    assert_nothing_left(fixture);
}

/* Runs until the client is in its row, then `host` dies. */
static void lose_in_a_row(struct fixture *fixture, const char *keys, const char *host)
{
    write_scenario(fixture, keys);
    start_sweep(fixture, NULL);
    await_started(fixture, 4);
    kill_host(fixture, host);
}

HOSTS_TEST(a_host_that_dies_ends_the_client_and_the_sweep)
{
    lose_in_a_row(fixture,
                  "repeat = 2\nmode = late\nlauncher = each\nhosts = \"lab1 lab2 lab3\"\n"
                  "network = 127.0.0.0/8\n",
                  "lab2");
    assert_int_equal(finish(fixture), EXIT_MACHINE_CANNOT);
    const struct rows rows = rows_of(fixture);
    assert_int_equal(rows.count, 1);
    assert_text(fixture, rows.lines[0], "status", "failed");
    assert_text(fixture, rows.lines[0], "host_lost", "lab2");
    assert_contains(text_of(fixture, rows.lines[0], "reason"),
                    "host lab2 lost: killed by signal 9");
    assert_said(fixture, "host lab2 lost: killed by signal 9");
    assert_said(fixture, "(on-host-loss = stop): --resume=");
    assert_nothing_left(fixture);
    /* The host is back. */
    write_file(fixture, "go", "");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_MEASURED_FAILURE);
    assert_text(fixture, rows_of(fixture).lines[1], "status", "ok");
    assert_nothing_left(fixture);
}

HOSTS_TEST(a_silent_host_is_lost)
{
    set_mode(fixture, "lab3", "mute");
    run_scenario(fixture,
                 "mode = hang\nlauncher = each\nhosts = \"lab1 lab2 lab3\"\n"
                 "network = 127.0.0.0/8\n",
                 NULL, EXIT_MACHINE_CANNOT);
    assert_text(fixture, rows_of(fixture).lines[0], "reason",
                "host lab3 lost: no sign of life for 5 s");
    assert_nothing_left(fixture);
}

HOSTS_TEST(a_launcher_of_all_says_how_it_lost_one)
{
    set_mode(fixture, "lab1", "loses");
    run_scenario(fixture,
                 "mode = hang\nlauncher = all\nhosts = \"lab1 lab2 lab3\"\n"
                 "network = 127.0.0.0/8\n",
                 NULL, EXIT_MACHINE_CANNOT);
    assert_text(fixture, rows_of(fixture).lines[0], "reason", "host lab2 lost: all: lab2: Killed");
    assert_nothing_left(fixture);
}

HOSTS_TEST(a_warning_before_signs_of_life_is_not_how_a_host_was_lost)
{
    set_mode(fixture, "lab1", "warns");
    run_scenario(fixture,
                 "mode = hang\nlauncher = all\nhosts = \"lab1 lab2 lab3\"\n"
                 "network = 127.0.0.0/8\n",
                 NULL, EXIT_MACHINE_CANNOT);
    assert_contains(text_of(fixture, rows_of(fixture).lines[0], "reason"),
                    "lost: no sign of life for 5 s");
    assert_nothing_left(fixture);
}

HOSTS_TEST(a_sweep_may_go_on_without_a_lost_host)
{
    lose_in_a_row(fixture,
                  "repeat = 2\nmode = late\nlauncher = each\nhosts = \"lab1 lab2 lab3\"\n"
                  "network = 127.0.0.0/8\non-host-loss = continue\n",
                  "lab2");
    write_file(fixture, "go", "");
    assert_int_equal(finish(fixture), EXIT_MEASURED_FAILURE);
    const struct rows rows = rows_of(fixture);
    assert_int_equal(rows.count, 2);
    assert_text(fixture, rows.lines[0], "status", "failed");
    assert_true(number_of(rows.lines[0], "hosts") == 3);
    assert_text(fixture, rows.lines[1], "status", "ok");
    assert_true(number_of(rows.lines[1], "hosts") == 2);
    assert_string_equal(read_file(fixture, "out/fleet-1.servers"),
                        "127.0.0.1:20000+2\n127.0.0.1:20000+1\n");
    assert_nothing_left(fixture);
}

HOSTS_TEST(a_launcher_that_takes_a_number_cannot_leave_a_host_out)
{
    run_scenario(fixture,
                 "mode = ok\nlauncher = count\nhosts = 3\nnetwork = 127.0.0.0/8\n"
                 "on-host-loss = continue\n",
                 NULL, EXIT_WRONG_USE);
    assert_said(fixture, "launcher count takes a number of hosts, and cannot leave out the lost "
                         "one");
}

/* More than one address has ports for; the real client is asked whether it can. What it then does
 * without servers is the machine's matter. */
HOSTS_TEST(a_fleet_may_be_larger_than_one_address_holds)
{
    write_file(fixture, "t.conf",
               arena_text(&fixture->arena,
                          "servers-program = %s/servers\nservers = 75001\nport = 7000\n"
                          "launcher = each\nhosts = \"lab1 lab2 lab3\"\nrepeat = 1\n"
                          "network = 127.0.0.0/8\n",
                          fixture->folder));
    assert_int_not_equal(sweep(fixture, NULL), EXIT_WRONG_USE);
    assert_contains(read_file(fixture, "servers-args"), "lab1 --count=25001 --port=7000");
    assert_int_equal(rows_of(fixture).count, 1);
}

HOSTS_TEST(an_interrupted_sweep_leaves_nothing_and_resumes)
{
    interrupt_scenario(fixture,
                       "repeat = 2\nmode = late\nlauncher = each\nhosts = \"lab1 lab2 lab3\"\n"
                       "network = 127.0.0.0/8\n",
                       4, SIGTERM);
    assert_nothing_left(fixture);
    write_file(fixture, "go", "");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_rows(fixture, 2);
    assert_nothing_left(fixture);
    assert_non_null(json_item(json_find(record_of(fixture), "hosts"), 2));
    assert_null(json_item(json_find(record_of(fixture), "hosts"), 3));
}

HOSTS_TEST(a_killed_sweep_leaves_nothing_on_the_hosts)
{
    write_scenario(fixture, "mode = hang\nlauncher = all\nhosts = \"lab1 lab2\"\n"
                            "network = 127.0.0.0/8\n");
    start_sweep(fixture, NULL);
    await_started(fixture, 2);
    interrupt(fixture, SIGKILL);
    const uint64_t began_ns = os_now_ns();
    while (count_pids(fixture, true) > 0)
        wait_a_little(fixture, began_ns, "the hosts still run", "pids");
}
