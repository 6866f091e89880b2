/* Calibrations: what their keys may hold, what a value is as text, and sweeps whose client computes
 * its figure from the factor. */
#include <math.h>

#include "scenarios/sweep/tests/sweep_fixture.h"

#include "scenarios/sweep/calibration.h"

/* ---- the factor ---- */

static int parse(struct arena *arena, const char *text, struct factor *factor)
{
    const struct place place = {.file = "t.conf", .line = 3};
    struct setting setting;
    struct error error;
    assert_int_equal(setting_parse(arena, &place, "calibrate", text, &setting, &error), 0);
    int result = factor_parse(arena, &setting, factor, &error);
    if (result != 0)
        assert_int_equal(strncmp(error.text, "t.conf:3: calibrate = ", 22), 0);
    return result;
}

TEST(a_factor_is_one_number_in_a_value)
{
    static const struct {
        const char *text, *key;
        double from, to, number;
        const char *value;
    } factors[] = {
        {"cpu-share 2%..25%", "cpu-share", 2, 25, 5.8712, "5.87%"},
        {"rtt 1ms..50ms", "rtt", 1, 50, 9.996, "10ms"},
        {"look every:2ms:one..every:50ms:one", "look", 2, 50, 12.345, "every:12.3ms:one"},
        {"work touch:1ns/byte+20us/record..touch:200ns/byte+20us/record", "work", 1, 200, 0.98765,
         "touch:0.988ns/byte+20us/record"},
        {"work spin:5us/record..spin:50us/record", "work", 5, 50, 7, "spin:7us/record"},
        {"rate 20..400", "rate", 20, 400, 123.4, "123"},
        {"rate 1500..90000", "rate", 1500, 90000, 12345, "12300"},
        {"x 0.25..1.5", "x", 0.25, 1.5, 0.5, "0.5"},
    };
    static const char *const refused[] = {"rtt",
                                          "rtt 1ms",
                                          "rtt 1ms-50ms",
                                          "rtt 1ms..50us",
                                          "rtt 50ms..1ms",
                                          "rtt 1ms..1ms",
                                          "rtt 0ms..1ms",
                                          "rtt ..1ms",
                                          "rtt 1ms..",
                                          "..",
                                          "look every:1ms:one..every:2ms:all",
                                          "x a..b",
                                          "x 1.2.3..4"};
    struct arena arena = {0};
    struct factor factor;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        double number = factors[i].number;
        assert_int_equal(parse(&arena, factors[i].text, &factor), 0);
        assert_string_equal(factor.key, factors[i].key);
        assert_true(factor.from == factors[i].from && factor.to == factors[i].to);
        assert_string_equal(factor_text(&arena, &factor, &number), factors[i].value);
        assert_true(fabs(number / factors[i].number - 1) < 0.005);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(parse(&arena, refused[i], &factor), -1);
    arena_free(&arena);
}

/* ---- sweeps ---- */

/* elapsed_ms = 1000 + 5000 / x, or as --shape says; without --x 99. */
static const char client_script[] =
    "#!/bin/sh\n"
    "here=${0%/*}; x=96.15\n"
    "for a; do case $a in --x=*) x=${a#*=};; --y=*) y=${a#*=};; --json=*) json=${a#*=};;"
    " --shape=*) shape=${a#*=};; --dry-run) dry=1;; esac; done\n"
    "case $x in -*) echo 'client: --x: takes a number' >&2; exit 2;; esac\n"
    "[ \"$shape\" = whole ] && case $x in *.*) echo 'client: --x: takes a whole number' >&2;"
    " exit 2;; esac\n"
    "[ \"$dry\" ] && exit 0\n"
    "echo \"$*\" >>\"$here/args\"\n"
    "n=$(wc -l <\"$here/args\")\n"
    "ms=\"1000 + 5000 / $x\"\n"
    "case $shape in\n"
    "lacks) echo 'no such engine here' >&2; exit 3;;\n"
    "bad) echo '{\"status\":\"failed\",\"reason\":\"audit\",\"elapsed_ms\":1}' >\"$json\"; exit "
    "1;;\n"
    "null) echo '{\"status\":\"ok\",\"elapsed_ms\":null}' >\"$json\"; exit;;\n"
    "wild) ms=\"1000 + 5000 / $x + 4000 * ($n % 3)\";;\n"
    "hang) [ $n -ge 10 ] && [ ! -e \"$here/go\" ] && { echo $$ >>\"$here/pids\"; exec sleep 600; "
    "};;\n"
    "esac\n"
    "awk \"BEGIN { printf "
    "\\\"{\\\\\\\"status\\\\\\\":\\\\\\\"ok\\\\\\\",\\\\\\\"elapsed_ms\\\\\\\":%.4f}\\\\n\\\","
    " $ms }\" >\"$json\"\n";

static int set_up_client(void **state)
{
    assert_int_equal(set_up(state), 0);
    write_file(*state, "client", client_script);
    return 0;
}

#define FIND "[find]\ncalibrate = x 1..50\ntarget = 1500\n"

static const char *calibration_of(struct fixture *fixture, unsigned index)
{
    const char *array = json_find(read_file(fixture, "out/run.json"), "calibrations");
    assert_non_null(array);
    return json_item(array, index);
}

static unsigned count_lines(struct fixture *fixture, const char *name)
{
    unsigned count = 0;
    for (const char *at = read_file(fixture, name); (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

FIXTURE_TEST(a_value_that_was_found_is_used, set_up_client)
{
    run_scenario(fixture, FIND "[rows]\nx = 7, =[find]\nmachine = paper\n", NULL, EXIT_DONE);
    assert_rows(fixture, 2);
    assert_nothing_left(fixture);
    const char *row = row_of(fixture, "x=[find]");
    assert_text(fixture, row, "calibrated", "x=10");
    assert_text(fixture, row, "calibration_reason", "");
    assert_text(fixture, row, "machine", "paper");
    assert_true(number_of(row, "elapsed_ms") == 1500);
    assert_text(fixture, row_of(fixture, "x=7"), "calibrated", "");
    assert_printed(fixture, "calibration [find]: elapsed_ms is 1500 at x = 10 (");

    const char *found = calibration_of(fixture, 0);
    assert_text(fixture, found, "scenario", "t");
    assert_text(fixture, found, "section", "find");
    assert_text(fixture, found, "key", "x");
    assert_text(fixture, found, "metric", "elapsed_ms");
    assert_text(fixture, found, "from", "1");
    assert_text(fixture, found, "to", "50");
    assert_text(fixture, found, "value", "10");
    assert_text(fixture, found, "status", "ok");
    assert_true(number_of(found, "target") == 1500 && number_of(found, "number") == 10);
    /* The curve bends a little. */
    assert_true(number_of(found, "low") <= 10.1 && number_of(found, "high") >= 9.9);
    assert_true(number_of(found, "confidence") >= 0.95);
    assert_null(calibration_of(fixture, 1));

    const unsigned runs = (unsigned)number_of(found, "runs");
    const char *line = read_file(fixture, "out/calibration.jsonl");
    assert_int_equal(count_lines(fixture, "out/calibration.jsonl"), runs);
    for (unsigned i = 1; i <= runs; i++, line = strchr(line, '\n') + 1) {
        assert_true(number_of(line, "order") == i && number_of(line, "repeat") == i);
        assert_text(fixture, line, "label", "calibration");
        assert_text(fixture, line, "section", "find");
        assert_int_equal(strncmp(text_of(fixture, line, "cell"), "x=", 2), 0);
    }
}

FIXTURE_TEST(a_calibration_takes_the_value_of_one_before_it, set_up_client)
{
    run_scenario(fixture,
                 FIND "[second]\ncalibrate = y 1..9\ntarget = 1500\nx = =[find]\nrepeat = 6\n"
                      "[rows]\nx = =[find]\ny = =[second]\n",
                 NULL, EXIT_MEASURED_FAILURE);
    assert_text(fixture, calibration_of(fixture, 0), "value", "10");
    /* Its figure does not depend on y. */
    assert_text(fixture, calibration_of(fixture, 1), "status", "failed");
    assert_non_null(strstr(read_file(fixture, "args"), "--x=10 --y="));
    const char *row = row_of(fixture, "");
    assert_text(fixture, row, "calibrated", "x=10");
    assert_int_equal(
        strncmp(text_of(fixture, row, "calibration_reason"), "y: [second] failed: ", 20), 0);
}

FIXTURE_TEST(a_calibration_that_fails_says_what_it_found, set_up_client)
{
    run_scenario(fixture,
                 "[find]\ncalibrate = x 20..50\ntarget = 1500\n"
                 "[rows]\nx = =[find]\n[twins]\nx = =[find], =[other]\n"
                 "[other]\ncalibrate = x 20..50\ntarget = 1500\nrepeat = 6\n",
                 NULL, EXIT_MEASURED_FAILURE);
    const char *said = "elapsed_ms = 1500 is outside of what x gives: 1250 at 20, 1";
    assert_said(fixture, arena_text(&fixture->arena, "calibration [find] failed: %s", said));
    assert_text(fixture, calibration_of(fixture, 0), "status", "failed");
    assert_contains(text_of(fixture, calibration_of(fixture, 0), "reason"), said);
    assert_string_equal(json_find_copy(&fixture->arena, calibration_of(fixture, 0), "value"),
                        "null");
    const char *row = row_of(fixture, "");
    assert_contains(text_of(fixture, row, "calibration_reason"),
                    arena_text(&fixture->arena, "x: [find] failed: %s", said));
    assert_text(fixture, row, "status", "ok");
    assert_true(number_of(row, "elapsed_ms") < 1100); /* without the key */
    assert_text(fixture, row_of(fixture, "x=[find]"), "status", "ok");
    row = row_of(fixture, "x=[other]");
    assert_text(fixture, row, "status", "skipped");
    assert_contains(text_of(fixture, row, "reason"), "would duplicate t twins x=[find]: ");
}

FIXTURE_TEST(runs_that_fail_or_scatter_give_no_value, set_up_client)
{
    static const struct sweep_case cases[] = {
        {FIND "shape = bad\n", NULL, EXIT_MEASURED_FAILURE,
         "calibration [find] failed: 3 runs gave no elapsed_ms: audit"},
        {FIND "shape = null\n", NULL, EXIT_MEASURED_FAILURE,
         "calibration [find] failed: 3 runs gave no elapsed_ms: the row has none"},
        {FIND "shape = wild\n", NULL, EXIT_MEASURED_FAILURE, "calibration [find] failed: "},
        {FIND "shape = lacks\n", NULL, EXIT_DONE,
         "calibration [find] is unavailable: no such engine here"},
        {FIND "shape = lacks\n[rows]\nx = =[find]\nshape = \"\"\n", NULL, EXIT_DONE,
         "1 rows: 1 ok, 0 failed"},
    };
    ASSERT_CASES(fixture, cases);
    assert_text(fixture, row_of(fixture, ""), "calibration_reason",
                "x: [find] is unavailable: no such engine here");
}

FIXTURE_TEST(what_a_calibration_cannot_be_is_said_before_it_runs, set_up_client)
{
    static const struct sweep_case cases[] = {
        {"[find]\ncalibrate = x 1..50\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: calibrate needs a target"},
        {"target = 5\n", NULL, EXIT_WRONG_USE, "t.conf:7: target is of a calibration"},
        {FIND "target = 0\n", NULL, EXIT_WRONG_USE, "t.conf:10: target is already given"},
        {"[find]\ncalibrate = x 1..50\ntarget = 0\n", NULL, EXIT_WRONG_USE,
         "t.conf:9: target = 0: takes a number above 0"},
        {"[find]\ncalibrate = x 9..1\ntarget = 1\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: calibrate = x 9..1: takes KEY FROM..TO"},
        {FIND "x = 4\n", NULL, EXIT_WRONG_USE, "t.conf:10: x is set by calibrate; remove it"},
        {FIND "y = 4, 5\n", NULL, EXIT_WRONG_USE,
         "t.conf:10: y has 2 values in [find], which is a calibration"},
        {FIND "[+]\ny = 4\n", NULL, EXIT_WRONG_USE, "t.conf:10: [+] adds cells to [find]"},
        {FIND "repeat = 3\n", NULL, EXIT_WRONG_USE, "t.conf:10: repeat = 3: a calibration takes"},
        {"[find]\ncalibrate = repeat 1..50\ntarget = 1\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: calibrate = repeat 1..50: repeat changes nothing"},
        {FIND "[rows]\nx = =[fund]\n", NULL, EXIT_WRONG_USE,
         "t.conf:11: x = =[fund]: this file has no section [fund] with the key calibrate"},
        {FIND "[rows]\nx = =[rows]\n", NULL, EXIT_WRONG_USE, "t.conf:11: x = =[rows]: this file"},
        {FIND "y = =[find]\n", NULL, EXIT_WRONG_USE, "t.conf:10: y = =[find]: calibrations run in"},
        {FIND "y = =[late]\n[late]\ncalibrate = y 1..2\ntarget = 1\n", NULL, EXIT_WRONG_USE,
         "[late] does not run before [find]; move it up"},
        {FIND "shape = whole\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: client: --x: takes a whole number"},
        {"[find]\ncalibrate = rtt 1ms..2ms\ntarget = 1\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: rtt = 1ms: on link = loopback there is none to set"},
        {FIND "[rows]\nadvise = cpu\nx = =[find]\n", NULL, EXIT_WRONG_USE,
         "t.conf:12: x = =[find]: a search takes no value of a calibration"},
    };
    ASSERT_CASES(fixture, cases);
    assert_false(exists(fixture, "args"));
}

FIXTURE_TEST(a_dry_run_shows_what_a_calibration_will_do, set_up_client)
{
    run_scenario(fixture, FIND "row-seconds = 2\n[rows]\nx = =[find], 3\n", "--dry-run", EXIT_DONE);
    assert_printed(fixture,
                   "calibration [find] of t: x from 1 to 50 until elapsed_ms is 1500, about "
                   "16 runs, 32.0 s; =[find] is not known before\n");
    assert_printed(fixture, "2 cells, 2 rows to run, about 34.0 s");
    assert_printed(fixture, "t rows x=[find] ");
    assert_false(exists(fixture, "args"));
    assert_false(exists(fixture, "out"));
    run_scenario(fixture,
                 "[share]\ncalibrate = cpu-share 5%..25%\ntarget = 1\n[rows]\n"
                 "cpu-share = =[share]\n",
                 "--dry-run", EXIT_DONE);
    assert_printed(fixture, "client, held to the share of a processor that [share] finds\n");
}

/* Those that the chosen cells need run, and those that they need. */
FIXTURE_TEST(a_section_alone_runs_with_the_calibrations_that_it_needs, set_up_client)
{
    static const char keys[] =
        FIND "[second]\ncalibrate = x 1..50\ntarget = 2000\ny = =[find]\n"
             "[third]\ncalibrate = x 1..50\ntarget = 2000\n"
             "[rows]\nx = =[second]\n[others]\nx = =[third]\n[plain]\nx = 2\n";
    run_scenario(fixture, keys, "--only=rows", EXIT_DONE);
    assert_text(fixture, calibration_of(fixture, 0), "section", "find");
    assert_text(fixture, calibration_of(fixture, 1), "section", "second");
    assert_null(calibration_of(fixture, 2));
    assert_text(fixture, row_of(fixture, ""), "calibrated", "x=5");
    run_scenario(fixture, keys, "--only=t.plain", EXIT_DONE);
    assert_null(calibration_of(fixture, 0));
    assert_rows(fixture, 1);
    run_scenario(fixture, keys, "--only=third", EXIT_DONE);
    assert_text(fixture, calibration_of(fixture, 0), "section", "third");
    assert_int_equal(rows_of(fixture).count, 0);
    assert_printed(fixture, "elapsed_ms is 2000 at x = 5 (");
    run_scenario(fixture, keys, "--budget=0.001", EXIT_DONE);
    assert_rows(fixture, 3);
}

/* One repeat for all cells is not one for the search. */
FIXTURE_TEST(repeat_of_a_calibration_is_its_own, set_up_client)
{
    run_scenario(fixture, "shape = wild\n" FIND, "--repeat=1", EXIT_MEASURED_FAILURE);
    const double by_default = number_of(calibration_of(fixture, 0), "runs");
    run_scenario(fixture, "shape = wild\n" FIND, "--t.find.repeat=6", EXIT_MEASURED_FAILURE);
    assert_true(number_of(calibration_of(fixture, 0), "runs") < by_default);
}

FIXTURE_TEST(an_interrupted_calibration_is_run_again_from_its_start, set_up_client)
{
    static const char keys[] = "[first]\ncalibrate = x 6..20\ntarget = 1500\nrepeat = 6\n"
                               "[second]\ncalibrate = x 1..50\ntarget = 1500\nshape = hang\n"
                               "[rows]\nx = =[second]\ny = =[first]\n";
    write_scenario(fixture, keys);
    start_sweep(fixture, NULL);
    await_started(fixture, 3); /* two fleets, and the client that hangs */
    assert_int_equal(interrupt(fixture, SIGTERM), EXIT_MEASURED_FAILURE);
    assert_nothing_left(fixture);
    assert_said(fixture, "interrupted: 5 of 5 rows are missing");
    const unsigned first = (unsigned)number_of(calibration_of(fixture, 0), "runs");
    assert_null(calibration_of(fixture, 1));
    /* A torn line, as after SIGKILL. */
    write_file(fixture, "out/calibration.jsonl",
               arena_text(&fixture->arena, "%s{\"schema\":3,\"scen",
                          read_file(fixture, "out/calibration.jsonl")));
    write_file(fixture, "go", "");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    const unsigned second = (unsigned)number_of(calibration_of(fixture, 1), "runs");
    assert_int_equal(first, (unsigned)number_of(calibration_of(fixture, 0), "runs"));
    assert_int_equal(count_lines(fixture, "out/calibration.jsonl"), first + second);
    assert_rows(fixture, 5);
    assert_text(fixture, row_of(fixture, ""), "calibrated", "x=10 y=10");
    const unsigned asked = count_lines(fixture, "args");
    assert_int_equal(remove(path_of(fixture, "out/rows.jsonl")), 0);
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_int_equal(count_lines(fixture, "args"), asked + 5);
    assert_text(fixture, row_of(fixture, ""), "calibrated", "x=10 y=10");
}

FIXTURE_TEST(a_record_whose_calibrations_are_damaged_is_refused, set_up_client)
{
    static const char *const damages[][2] = {
        {"\"section\":\"find\"", "\"section\":\"fund\""},
        {"\"value\":\"10\"", "\"value\":null"},
        {"\"status\":\"ok\",\"reason\":null}]", "\"status\":\"odd\",\"reason\":null}]"},
    };
    run_scenario(fixture, FIND, NULL, EXIT_DONE);
    const char *whole = read_file(fixture, "out/run.json");
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const char *at = strstr(whole, damages[i][0]);
        assert_non_null(at);
        write_file(fixture, "out/run.json",
                   arena_text(&fixture->arena, "%.*s%s%s", (int)(at - whole), whole, damages[i][1],
                              at + strlen(damages[i][0])));
        assert_int_equal(resume(fixture, NULL, NULL), EXIT_WRONG_USE);
        assert_contains(read_file(fixture, "stderr"), "calibration");
    }
}
