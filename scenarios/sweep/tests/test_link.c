/* Links: what links.conf may hold, cells whose link is unavailable, and sweeps on links made by a
 * fanin-lan that is a script. */
#include <math.h>

#include "scenarios/sweep/tests/sweep_fixture.h"

#include "scenarios/sweep/link.h"

/* ---- planning ---- */

struct plan_fixture {
    struct arena arena;
    struct cells cells;
    struct links links;
    struct error error;
};

static int plan_links(struct fixture *fixture, struct plan_fixture *plan, const char *keys,
                      const char *profiles)
{
    struct overrides none = {0};
    *plan = (struct plan_fixture){0};
    write_file(fixture, "links.conf", profiles);
    struct scenario *scenario = scenario_parse(&plan->arena, "t.conf", keys, &plan->error);
    assert_non_null(scenario);
    assert_int_equal(cells_expand(&plan->arena, scenario, &none, NULL, &plan->cells, &plan->error),
                     0);
    return links_plan(&plan->arena, &plan->cells, path_of(fixture, "t.conf"), &plan->links,
                      &plan->error);
}

SWEEP_TEST(a_link_is_found_by_its_name)
{
    struct plan_fixture plan;
    assert_int_equal(plan_links(fixture, &plan, "servers = 1\nlink = loopback, b, a\n",
                                "a = --rtt 1ms # near\nb = \"--x 1,2\"\nloopback = \"\"\n"),
                     0);
    assert_int_equal(plan.cells.count, 3);
    assert_int_equal(plan.links.count, 2);
    assert_null(plan.cells.items[0]->link);
    assert_string_equal(plan.cells.items[0]->link_asked, "loopback");
    assert_string_equal(plan.cells.items[1]->link->options, "--x 1,2");
    assert_string_equal(plan.cells.items[2]->link->options, "--rtt 1ms");
    assert_int_equal(plan.cells.items[2]->link->place.line, 1);
    arena_free(&plan.arena);
}

SWEEP_TEST(mistakes_about_links_are_named_with_their_line)
{
    static const struct {
        const char *keys, *profiles, *why;
    } mistakes[] = {
        {"servers = 1\nlink = far\n", "a = --rtt 1ms\nloopback = \"\"\nb = -x\n",
         "t.conf:2: link = far: takes a name of "},
        {"servers = 1\nlink = far\n", "a = --rtt 1ms\nloopback = \"\"\nb = -x\n",
         "links.conf: loopback, a, b"},
        {"servers = h:1\nlink = a\n", "a = -x\n", "t.conf:2: link = a: only fanin's own servers"},
        {"servers = 1\nrtt = 9.9ms\n", "", "t.conf:2: rtt = 9.9ms: on link = loopback"},
        {"servers = 1\nlink = loopback\nrtt = 9.9ms\n", "", "t.conf:3: rtt = 9.9ms: on link"},
        {"servers = 1\nlink = a\nrtt = 9ms\n", "a = -x\na-rtt9 = -y\n",
         "t.conf:3: rtt = 9ms makes the link a-rtt9, and "},
        {"servers = 1\nlink = a\n", "a = --rate 1, --rtt 2\n",
         "links.conf:1: a takes fanin-lan options"},
        {"servers = 1\nlink = a\n", "\na = =b\n", "links.conf:2: a takes"},
        {"servers = 1\nlink = a\n", "a = -x\nloopback = --rtt 9ms\n",
         "links.conf:2: loopback takes no options"},
        {"servers = 1\nlink = a\n", "a = --rtt 1ms --check\n",
         "links.conf:1: a: --check is set by the sweep"},
        {"servers = 1\nlink = a\n", "a = --far=sh\n", "links.conf:1: a: --far is set by the sweep"},
        {"servers = 1\nlink = a\n", "a = -- true\n", "links.conf:1: a: -- is set by the sweep"},
        {"servers = 1\nlink = a\n", "[a]\nrtt = 1ms\n", "links.conf:1: links have no sections"},
        {"servers = 1\nlink = a\n", "what\n", "links.conf:1: \"what\" is neither"},
        {"servers = 1\nlink = a\n", "", "links.conf: nothing to run"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct plan_fixture plan;
        assert_int_equal(plan_links(fixture, &plan, mistakes[i].keys, mistakes[i].profiles), -1);
        assert_contains(plan.error.text, mistakes[i].why);
        arena_free(&plan.arena);
    }
}

SWEEP_TEST(a_round_trip_of_its_own_makes_a_link_of_its_own)
{
    struct plan_fixture plan;
    assert_int_equal(
        plan_links(fixture, &plan,
                   "servers = 1\n[one]\nlink = a, b\nrtt = 9.9ms, 250us\n[far]\nlink = far\n"
                   "rtt = 9.90ms\n",
                   "a = --rate 1mbit --rtt 1ms --loss 1%\nb = --rtt=1ms\nfar = -x\n"
                   "a-rtt9.9 = --rate 1mbit --loss 1% --rtt 9.9ms\n"),
        0);
    static const char *const links[][2] = {{"a-rtt9.9", "--rate 1mbit --loss 1% --rtt 9.9ms"},
                                           {"a-rtt0.25", "--rate 1mbit --loss 1% --rtt 250us"},
                                           {"b-rtt9.9", "--rtt 9.9ms"},
                                           {"b-rtt0.25", "--rtt 250us"},
                                           {"far-rtt9.9", "-x --rtt 9.90ms"}};
    assert_int_equal(plan.links.count, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_string_equal(plan.cells.items[i]->link_asked, links[i][0]);
        assert_string_equal(plan.cells.items[i]->link->name, links[i][0]);
        assert_string_equal(plan.cells.items[i]->link->options, links[i][1]);
    }
    assert_true(plan.links.items[1]->rtt_ms == 0.25);
    assert_true(plan.links.items[1]->rate_bits_per_s == 1e6);
    assert_true(isnan(plan.links.items[2]->rate_bits_per_s));
    links_prune(&plan.links, &(struct cells){plan.cells.items, 1});
    assert_int_equal(plan.links.count, 1);
    arena_free(&plan.arena);
}

SWEEP_TEST(cells_that_fall_together_run_once)
{
    struct plan_fixture plan;
    assert_int_equal(plan_links(fixture, &plan,
                                "servers = 1\n[one]\nx = 1\nlink = a, loopback, b\n[two]\n"
                                "link = a, b\n[three]\nlabel = A, B\nlink = a\n",
                                "a = -a\nb = -b\n"),
                     0);
    struct cell **cells = plan.cells.items;
    plan.links.items[0]->status = LINK_UNAVAILABLE;
    plan.links.items[0]->reason = "none here";
    plan.links.items[1]->status = LINK_OK;
    links_fall_back(&plan.cells);
    cells_skip_twins(&plan.arena, &plan.cells);
    assert_string_equal(
        cells[0]->skip_reason,
        "link a is unavailable; on loopback this cell would duplicate link = loopback: none here");
    assert_null(cells[1]->skip_reason);
    assert_null(cells[1]->link_reason);
    assert_ptr_equal(cells[2]->link, plan.links.items[1]);
    assert_string_equal(cells[3]->link_reason, "none here");
    assert_null(cells[3]->link);
    assert_null(cells[3]->skip_reason);
    assert_null(cells[5]->skip_reason);
    assert_null(cells[6]->skip_reason);

    plan.links.items[1]->status = LINK_UNAVAILABLE;
    plan.links.items[1]->reason = "nor here";
    links_fall_back(&plan.cells);
    cells_skip_twins(&plan.arena, &plan.cells);
    assert_non_null(cells[2]->skip_reason);
    assert_null(cells[3]->skip_reason);
    assert_non_null(strstr(cells[4]->skip_reason, "would duplicate link = a"));
    arena_free(&plan.arena);
}

TEST(a_check_says_what_was_asked_for)
{
    static const char *const unsound[] = {NULL, "{\"rtt_asked_us\":500",
                                          "{\"rtt_asked_us\":500,\"link\":\"tun\"}",
                                          "{\"rtt_asked_us\":500,\"link\":\"tun\",\"down\":{}}"};
    struct arena arena = {0};
    struct link link = {0};
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++)
        assert_false(link_judge(&arena, &link, unsound[i]));
    assert_true(link_judge(&arena, &link,
                           "{\"rtt_asked_us\":500,\"link\":\"tun\","
                           "\"down\":{\"rate_asked_bits_per_s\":8000}}"));
    assert_true(link.rtt_ms == 0.5 && link.rate_bits_per_s == 8000 && link.own_process);
    assert_true(link_judge(&arena, &link,
                           "{\"rtt_asked_us\":0,\"link\":\"kernel\","
                           "\"down\":{\"rate_asked_bits_per_s\":0}}"));
    assert_true(link.rtt_ms == 0 && isnan(link.rate_bits_per_s) && !link.own_process);
    arena_free(&arena);
}

/* ---- sweeps with a fanin-lan that is a script ---- */

static const char lan_script[] =
    "#!/bin/sh\n"
    "here=${0%/*}\n"
    "while [ $# -gt 0 ]; do case $1 in --mode) mode=$2; shift;; --help) help=1;; --check) check=1;;"
    " --json=*) json=${1#*=};; --far=*) far=${1#*=};; --join=*) join=${1#*=};; --) shift; break;;"
    " esac; shift; done\n"
    "if [ \"$help\" ]; then\n"
    "  [ \"$mode\" = bad ] && { echo 'fanin-lan: --mode: takes ok' >&2; exit 2; }\n"
    "  exit 0\n"
    "fi\n"
    "if [ \"$check\" ]; then\n"
    "  echo \"$mode\" >>\"$here/checks\"\n"
    "  [ \"$mode\" = gone ] && { echo 'fanin-lan: no namespaces here' >&2; exit 3; }\n"
    "  [ \"$mode\" = later ] && { echo 'fanin-lan: --mode: is odd' >&2; exit 2; }\n"
    "  [ \"$mode\" = none ] && { echo 'fanin-lan: cannot measure' >&2; exit 1; }\n"
    "  [ \"$mode\" = slow ] && { echo $$ >>\"$here/pids\"; exec sleep 600; }\n"
    "  [ \"$mode\" = off ] && ok=false || ok=true\n"
    "  echo a table; printf '{\"link\":\"tun\",\"rtt_asked_us\":500,\"rtt_ok\":%s,"
    "\"up\":{\"rate_ok\":true,\"loss_ok\":true},\"down\":{\"rate_asked_bits_per_s\":1e8,"
    "\"rate_ok\":%s,\"loss_ok\":true}}\\n' true $ok >\"$json\"\n"
    "  [ $ok = true ]; exit\n"
    "fi\n"
    "export FANIN_FAR=far.test\n"
    "[ \"$join\" ] && { echo \"$join\" >>\"$here/joins\"; exec \"$@\"; }\n"
    "[ \"$mode\" = says ] && { sh -c \"$far\"; code=$?; [ $code -le 128 ] && exit $code\n"
    "  echo \"fanin-lan: the far command was killed by signal $((code - 128)) (Killed)"
    " and the link ends\" >&2; exit 1; }\n"
    "exec sh -c \"$far\"\n";

/* A copy of the sweep with that script beside it. */
static int set_up_script(void **state)
{
    assert_int_equal(set_up(state), 0);
    struct fixture *fixture = *state;
    const char *const words[] = {"cp", fixture->sweep, path_of(fixture, "fanin-sweep"), NULL};
    write_file(fixture, "fanin-lan", lan_script);
    start(fixture, words);
    assert_int_equal(finish(fixture), 0);
    fixture->sweep = path_of(fixture, "fanin-sweep");
    write_file(fixture, "links.conf",
               "good = --mode ok\ngone = --mode gone\nlost = --mode gone\noff = --mode off\n"
               "bad = --mode bad\nlater = --mode later\nnone = --mode none\nslow = --mode slow\n");
    return 0;
}

static const char *link_value(struct fixture *fixture, const char *name, const char *key)
{
    const char *links = json_find(read_file(fixture, "out/run.json"), "links");
    assert_non_null(links);
    links = json_find(links, name);
    assert_non_null(links);
    return json_find_text(&fixture->arena, links, key);
}

FIXTURE_TEST(rows_on_a_link_say_so, set_up_script)
{
    run_scenario(fixture, "mode = ok\nlink = loopback, good\nlabel = it's\nfleet.x = a 'b\n", NULL,
                 EXIT_DONE);
    assert_nothing_left(fixture);
    const char *row = row_of(fixture, "link=good");
    assert_text(fixture, row, "link", "good");
    assert_text(fixture, row, "link_asked", "good");
    assert_text(fixture, row, "link_options", "--mode ok");
    assert_text(fixture, row, "label", "it's");
    assert_true(number_of(row, "link_rate_bits_per_s") == 1e8);
    assert_true(number_of(row, "link_rtt_ms") == 0.5);
    assert_true(number_of(row, "link_cpu_s") >= 0);
    row = row_of(fixture, "link=loopback");
    assert_text(fixture, row, "link", "loopback");
    assert_text(fixture, row, "link_options", "");
    assert_string_equal(json_find_copy(&fixture->arena, row, "link_reason"), "null");
    assert_string_equal(json_find_copy(&fixture->arena, row, "link_rtt_ms"), "null");

    assert_non_null(strstr(read_file(fixture, "args"), "--link-rate=100000000 --address=far.test"));
    assert_null(strstr(read_file(fixture, "args"), "--link=good"));
    assert_null(strstr(read_file(fixture, "args"), "--label"));
    assert_non_null(strstr(read_file(fixture, "servers-args"), "--x=a 'b --count=3 --port=20000"));
    assert_non_null(strstr(read_file(fixture, "servers-args"), "--listen=far.test"));
    assert_string_equal(read_file(fixture, "checks"), "ok\n");
    assert_string_equal(link_value(fixture, "good", "status"), "ok");
    assert_string_equal(read_file(fixture, "out/log/link-good.txt"), "a table\n");
}

FIXTURE_TEST(a_link_that_cannot_be_had_is_loopback, set_up_script)
{
    run_scenario(fixture,
                 "mode = ok\n[a]\nx = 1\nlink = gone\n[b]\nlink = gone, loopback\n"
                 "[c]\nlink = gone, lost, good\n",
                 NULL, EXIT_DONE);
    assert_rows(fixture, 6);
    assert_said(fixture, "link gone is unavailable, its rows run on loopback: "
                         "fanin-lan: no namespaces here");
    assert_nothing_left(fixture);
    const char *row = row_of(fixture, "");
    assert_text(fixture, row, "status", "ok");
    assert_text(fixture, row, "link", "loopback");
    assert_text(fixture, row, "link_asked", "gone");
    assert_text(fixture, row, "link_reason", "fanin-lan: no namespaces here");
    row = row_of(fixture, "link=lost");
    assert_text(fixture, row, "status", "skipped");
    assert_non_null(strstr(text_of(fixture, row, "reason"), "would duplicate link = gone"));
    assert_text(fixture, row_of(fixture, "link=good"), "link", "good");
    assert_string_equal(link_value(fixture, "gone", "status"), "unavailable");
}

FIXTURE_TEST(a_machine_without_fanin_lan_falls_back, set_up_script)
{
    write_scenario(fixture, "mode = ok\nlink = good\n");
    write_file(fixture, "fanin-lan", "#!/nowhere/at/all\n");
    assert_int_equal(sweep(fixture, NULL), EXIT_DONE);
    assert_said(fixture, "link good is unavailable, its rows run on loopback: cannot start");
    assert_text(fixture, row_of(fixture, ""), "link", "loopback");
}

FIXTURE_TEST(a_link_that_is_not_as_asked_for_is_a_warning, set_up_script)
{
    run_scenario(fixture, "mode = ok\nlink = off, none\n", NULL, EXIT_DONE);
    assert_said(fixture, "warning: link off: not as asked for: rate down (see ");
    assert_said(fixture, "warning: link none: fanin-lan: cannot measure; its rows still run");
    assert_text(fixture, row_of(fixture, "link=off"), "link", "off");
    assert_string_equal(link_value(fixture, "off", "status"), "failed");
    assert_string_equal(link_value(fixture, "none", "status"), "failed");
    assert_string_equal(
        json_find_copy(&fixture->arena, row_of(fixture, "link=none"), "link_rtt_ms"), "null");
}

FIXTURE_TEST(what_fanin_lan_refuses_is_named_by_its_line, set_up_script)
{
    static const struct sweep_case cases[] = {
        {"mode = ok\nlink = bad\n", "--dry-run", EXIT_WRONG_USE,
         "links.conf:5: fanin-lan: --mode: takes ok"},
        {"mode = ok\nlink = bad\n", NULL, EXIT_WRONG_USE, "links.conf:5: fanin-lan: --mode"},
        {"mode = ok\nlink = later\n", NULL, EXIT_WRONG_USE,
         "links.conf:6: fanin-lan: --mode: is odd"},
        {"mode = ok\nlink = nowhere\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: link = nowhere: takes a name of "},
    };
    ASSERT_CASES(fixture, cases);
    assert_int_equal(remove(path_of(fixture, "links.conf")), 0);
    assert_int_equal(sweep(fixture, NULL), EXIT_WRONG_USE);
    assert_said(fixture, "t.conf:8: link = nowhere: ");
    assert_said(fixture, "links.conf, which defines it");
    assert_false(exists(fixture, "out"));
    assert_false(exists(fixture, "pids"));
}

FIXTURE_TEST(a_dry_run_measures_nothing, set_up_script)
{
    run_scenario(fixture, "mode = ok\nlink = good\n", "--dry-run", EXIT_DONE);
    assert_false(exists(fixture, "checks"));
    assert_false(exists(fixture, "pids"));
}

FIXTURE_TEST(a_resumed_sweep_takes_the_check_that_was_made, set_up_script)
{
    interrupt_scenario(fixture, "mode = late\nlink = good, gone\n", 2, SIGTERM);
    assert_nothing_left(fixture);
    write_file(fixture, "links.conf", "other = -x\n");
    write_file(fixture, "go", "");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_rows(fixture, 2);
    assert_string_equal(read_file(fixture, "checks"), "ok\ngone\n");
    assert_text(fixture, row_of(fixture, "link=gone"), "link_reason",
                "fanin-lan: no namespaces here");
    assert_true(number_of(row_of(fixture, "link=good"), "link_rate_bits_per_s") == 1e8);
    assert_nothing_left(fixture);
}

FIXTURE_TEST(a_check_can_be_interrupted, set_up_script)
{
    interrupt_scenario(fixture, "mode = ok\nlink = slow\n", 1, SIGINT);
    assert_said(fixture, "interrupted: 1 of 1 rows are missing");
    assert_nothing_left(fixture);
    assert_string_equal(link_value(fixture, "slow", "status"), "unchecked");
}

FIXTURE_TEST(servers_that_fail_behind_a_link_are_explained, set_up_script)
{
    run_scenario(fixture, "mode = slow\nlink = good\nfleet.fault = dies\nrepeat = 1\n", NULL,
                 EXIT_MEASURED_FAILURE);
    assert_text(fixture, row_of(fixture, ""), "reason",
                "the servers ended during the row (exit code 5): no more");
    write_file(fixture, "links.conf", "good = --mode says\n");
    run_scenario(fixture, "mode = slow\nlink = good\nfleet.fault = killed\nrepeat = 1\n", NULL,
                 EXIT_MEASURED_FAILURE);
    assert_text(fixture, row_of(fixture, ""), "reason",
                "the servers ended during the row (killed by signal 9, as the kernel does when "
                "memory runs out: see dmesg): fanin-lan: the far command was killed by signal 9 "
                "(Killed) and the link ends");
    fixture->out = path_of(fixture, "other");
    run_scenario(fixture, "mode = ok\nlink = good\nfleet.fault = taken\n", NULL,
                 EXIT_MACHINE_CANNOT);
    assert_said(fixture, "did not start (exit code 3): servers: 127.0.0.1:20000: in use");
}

FIXTURE_TEST(a_client_that_is_stopped_takes_its_link_along, set_up_script)
{
    run_scenario(fixture, "mode = hang\nlink = good\nrepeat = 2\n", "--timeout=1",
                 EXIT_MEASURED_FAILURE);
    assert_rows(fixture, 2);
    assert_int_equal(count_pids(fixture, false), 4);
    assert_nothing_left(fixture);
}
