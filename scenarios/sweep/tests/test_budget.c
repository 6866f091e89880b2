/* Where further repeats go: the interval, the rounds, and whole sweeps with a budget. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include <math.h>

#include "scenarios/sweep/budget.h"

enum { CELLS = 4, DUE = 6 };

/* ---- the interval ---- */

static struct interval spread_of_n(unsigned n)
{
    struct arena arena = {0};
    struct samples samples = {0};
    for (unsigned i = n; i >= 1; i--) /* 1..n */
        samples_add(&arena, &samples, i);
    struct interval interval = interval_of(&samples);
    arena_free(&arena);
    return interval;
}

/* The ranks of the sign test's table for the median at 95 %, as textbooks print it. */
TEST(the_interval_is_the_sign_tests)
{
    static const unsigned ranks[][2] = {{6, 1},   {8, 1},   {9, 2},   {11, 2},  {12, 3},
                                        {14, 3},  {15, 4},  {17, 5},  {20, 6},  {25, 8},
                                        {30, 10}, {40, 14}, {50, 18}, {100, 40}};
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        unsigned n = ranks[i][0];
        struct interval interval = spread_of_n(n);
        assert_true(interval.low == ranks[i][1]);
        assert_true(interval.high == n + 1 - ranks[i][1]);
        assert_true(interval.median == (n + 1) / 2.0);
        assert_true(interval.width == (interval.high - interval.low) / interval.median);
    }
    assert_true(isfinite(spread_of_n(CELL_REPEAT_MAX).width));
}

TEST(few_runs_have_no_interval)
{
    struct arena arena = {0};
    struct samples samples = {0};
    for (unsigned n = 0; n < INTERVAL_RUNS_MIN; n++) {
        assert_true(isinf(spread_of_n(n).width));
        assert_true(isnan(spread_of_n(n).low));
    }
    for (unsigned i = 0; i < INTERVAL_RUNS_MIN; i++)
        samples_add(&arena, &samples, 0);
    assert_true(interval_of(&samples).width == 0);
    samples_add(&arena, &samples, 1);
    assert_true(isinf(interval_of(&samples).width));
    arena_free(&arena);
}

/* ---- rounds ---- */

/* Four cells with a row in each of DUE blocks; cell i's figures are 100, 100, 100 +- spread. */
static struct rounds {
    struct arena arena;
    struct cell cells[CELLS];
    struct cell *items[CELLS];
    struct cells all;
    struct budget budget;
    struct plan plan;
} rounds;

static int free_rounds(void **state)
{
    arena_free(&rounds.arena);
    return 0;
}

static void set_up_rounds(struct rounds *these, const double *spreads)
{
    arena_free(&these->arena);
    *these = (struct rounds){.all = {.items = these->items, .count = CELLS}};
    these->budget.cells = &these->all;
    these->budget.samples = arena_take(&these->arena, CELLS * sizeof(struct samples));
    for (unsigned i = 0; i < CELLS; i++) {
        these->items[i] = &these->cells[i];
        these->cells[i] = (struct cell){
            .metric = "elapsed_ms", .precision = 0.05, .repeat = DUE, .row_seconds = 1};
        for (int k = 0; k < DUE && spreads[i] >= 0; k++)
            samples_add(&these->arena, &these->budget.samples[i], 100 + (k % 3 - 1) * spreads[i]);
    }
    assert_true(plan_make(&these->arena, &these->all, 9, &these->plan));
}

static bool next_round(struct rounds *these, double left_s)
{
    return budget_round(&these->arena, &these->budget, left_s, 9, &these->plan);
}

TEST(a_round_has_the_cells_with_the_widest_intervals, NULL, free_rounds)
{
    unsigned seen = 0, widest;
    set_up_rounds(&rounds, (const double[CELLS]){20, 1, 12, 5});
    assert_true(next_round(&rounds, 10));
    assert_int_equal(rounds.plan.count, CELLS * DUE + 2);
    assert_int_equal(rounds.plan.due, CELLS * DUE);
    for (unsigned i = rounds.plan.due; i < rounds.plan.count; i++) {
        assert_int_equal(rounds.plan.rows[i].repeat, DUE + 1);
        assert_int_equal(rounds.plan.rows[i].order, i + 1);
        seen |= 1u << rounds.plan.rows[i].cell_index;
    }
    assert_int_equal(seen, 1 << 0 | 1 << 2);
    assert_int_equal(budget_within(&rounds.budget, &widest), 1);
    assert_int_equal(widest, 0);
    plan_trim(&rounds.plan);
    assert_int_equal(rounds.plan.count, CELLS * DUE);
}

TEST(cells_without_an_interval_go_first, NULL, free_rounds)
{
    set_up_rounds(&rounds, (const double[CELLS]){20, 1, -1, 5});
    samples_add(&rounds.arena, &rounds.budget.samples[2], 7);
    assert_true(next_round(&rounds, 10));
    assert_int_equal(rounds.plan.count, CELLS * DUE + 1);
    assert_int_equal(rounds.plan.rows[rounds.plan.due].cell_index, 2);
}

TEST(cells_that_are_not_run_here_get_no_round, NULL, free_rounds)
{
    set_up_rounds(&rounds, (const double[CELLS]){20, 1, 1, 1});
    rounds.cells[0].skip_reason = "equals another";
    assert_false(next_round(&rounds, 10));
    assert_string_equal(rounds.budget.stopped, BUDGET_STOP_NO_FIGURE);
}

TEST(only_rows_that_count_are_noted, NULL, free_rounds)
{
    static const char good[] = "{\"status\":\"ok\",\"elapsed_ms\":3}";
    static const char bad[] = "{\"status\":\"failed\",\"audit\":\"pass\",\"elapsed_ms\":4}";
    static const char blank[] = "{\"status\":\"ok\",\"elapsed_ms\":null}";
    set_up_rounds(&rounds, (const double[CELLS]){-1, -1, -1, -1});
    rounds.cells[1].failures_expected = true;
    for (unsigned i = 0; i < 2; i++) {
        budget_note(&rounds.arena, &rounds.budget, i, good);
        budget_note(&rounds.arena, &rounds.budget, i, bad);
        budget_note(&rounds.arena, &rounds.budget, i, blank);
    }
    assert_int_equal(rounds.budget.samples[0].count, 1);
    assert_int_equal(rounds.budget.samples[1].count, 2);
    assert_true(rounds.budget.samples[0].items[0] == 3);
}

TEST(a_round_is_shuffled_by_the_seed, NULL, free_rounds)
{
    struct rounds again = {0};
    bool moved = false;
    set_up_rounds(&rounds, (const double[CELLS]){9, 9, 9, 9});
    set_up_rounds(&again, (const double[CELLS]){9, 9, 9, 9});
    for (unsigned round = 0; round < 8; round++) {
        unsigned first = rounds.plan.count;
        assert_true(next_round(&rounds, 10));
        assert_true(next_round(&again, 10));
        for (unsigned i = first; i < rounds.plan.count; i++) {
            assert_int_equal(rounds.plan.rows[i].cell_index, again.plan.rows[i].cell_index);
            moved = moved || rounds.plan.rows[i].cell_index != i - first;
        }
    }
    assert_true(moved);
    arena_free(&again.arena);
}

static void assert_stopped(const double *spreads, double left_s, const char *why)
{
    set_up_rounds(&rounds, spreads);
    assert_false(next_round(&rounds, left_s));
    assert_string_equal(rounds.budget.stopped, why);
}

TEST(it_stops_for_one_of_four_reasons, NULL, free_rounds)
{
    assert_stopped((const double[CELLS]){1, 2, 0, 2.5}, 10, BUDGET_STOP_PRECISE);
    assert_stopped((const double[CELLS]){1, 2, 0, 9}, 0.5, BUDGET_STOP_TIME);
    assert_stopped((const double[CELLS]){1, 2, 0, -1}, 10, BUDGET_STOP_NO_FIGURE);
    set_up_rounds(&rounds, (const double[CELLS]){1, 2, 0, 9});
    for (unsigned i = DUE; i < CELL_REPEAT_MAX; i++)
        samples_add(&rounds.arena, &rounds.budget.samples[3], 50 + i % 100);
    assert_false(next_round(&rounds, 10));
    assert_string_equal(rounds.budget.stopped, BUDGET_STOP_MOST);
}

/* ---- sweeps ---- */

static const char *budget_of(struct fixture *fixture)
{
    const char *record = read_file(fixture, "out/run.json");
    assert_true(json_is_object(record));
    return json_find_copy(&fixture->arena, record, "budget");
}

static unsigned count_rows(struct fixture *fixture, const char *cell)
{
    struct rows rows = rows_of(fixture);
    unsigned count = 0;
    assert_rows(fixture, rows.count);
    for (unsigned i = 0; i < rows.count; i++)
        count += strcmp(text_of(fixture, rows.lines[i], "cell"), cell) == 0;
    return count;
}

static void interrupt_budget(struct fixture *fixture, const char *keys, unsigned rows)
{
    write_scenario(fixture, keys);
    start_sweep(fixture, "--budget=10");
    await_rows(fixture, rows);
    assert_int_equal(interrupt(fixture, SIGTERM), EXIT_MEASURED_FAILURE);
}

/* Interrupted after more rows than two cells of known spread need. */
SWEEP_TEST(time_goes_where_the_spread_is)
{
    interrupt_budget(fixture, "mode = ok, vary\nrepeat = 9\n", 2 * INTERVAL_RUNS_MIN + 3);
    assert_int_equal(count_rows(fixture, "mode=ok"), INTERVAL_RUNS_MIN);
    assert_true(count_rows(fixture, "mode=vary") > INTERVAL_RUNS_MIN);
    assert_true(number_of(budget_of(fixture), "blocks") == BUDGET_BLOCKS_MIN);
    const char *cells = json_find(budget_of(fixture), "cells");
    assert_true(number_of(json_find(cells, "t mode=ok"), "width") == 0);
    assert_true(number_of(json_find(cells, "t mode=vary"), "width") > 0.05);
    assert_printed(fixture, "1 of 2 cells within their precision");
    assert_nothing_left(fixture);
}

SWEEP_TEST(it_ends_when_all_is_precise)
{
    run_scenario(fixture,
                 "[a]\nmode = ok, fail\nexpect = failures\nrepeat = 2\n"
                 "[b]\nmode = vary\nprecision = 900%\nrepeat = 2\n",
                 "--budget=20", EXIT_DONE);
    assert_int_equal(count_rows(fixture, "mode=ok"), INTERVAL_RUNS_MIN);
    assert_int_equal(count_rows(fixture, "mode=fail"), 2);
    assert_text(fixture, budget_of(fixture), "stopped", BUDGET_STOP_NO_FIGURE);
    write_scenario(fixture, "mode = ok, vary\nrepeat = 2\n");
    fixture->out = path_of(fixture, "out/again");
    assert_int_equal(sweep(fixture, "--precision=900"), EXIT_DONE);
    assert_int_equal(resume(fixture, "--budget=20", NULL), EXIT_DONE);
    assert_printed(fixture, "budget: within precision; 8 further rows; 2 of 2 cells");
}

/* Goes on until there are more rows than before, whatever a row takes here. */
static void assert_goes_on(struct fixture *fixture, const char *more)
{
    unsigned rows = rows_of(fixture).count;
    start_resume(fixture, more, NULL);
    await_rows(fixture, rows + 1);
    assert_int_equal(interrupt(fixture, SIGTERM), EXIT_MEASURED_FAILURE);
    assert_true(rows_of(fixture).count > rows);
    assert_rows(fixture, rows_of(fixture).count);
    assert_text(fixture, budget_of(fixture), "stopped", "interrupted");
}

/* A resume expects a minute for its first row, which is more than what can be left. */
SWEEP_TEST(a_finished_budget_can_be_gone_on_with)
{
    run_scenario(fixture, "mode = vary\nrow-seconds = 60\n", "--budget=0.02", EXIT_DONE);
    unsigned rows = rows_of(fixture).count;
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_rows(fixture, rows);
    assert_text(fixture, budget_of(fixture), "stopped", BUDGET_STOP_TIME);
    assert_goes_on(fixture, "--budget=10");
    assert_true(number_of(budget_of(fixture), "minutes") == 0.02);
}

/* Interrupted in a further round, it continues there, with what is left of the time. */
SWEEP_TEST(an_interrupted_budget_goes_on)
{
    interrupt_budget(fixture, "mode = vary\nrow-seconds = 0.01\n", 9);
    assert_text(fixture, budget_of(fixture), "stopped", "interrupted");
    assert_said(fixture, "interrupted; continue with --resume=");
    assert_goes_on(fixture, NULL);
}

/* A round of four rows of half a second, begun with time for some of them. */
SWEEP_TEST(a_round_is_cut_where_the_time_ends)
{
    run_scenario(fixture, "mode = slow\nx = 1, 2, 3, 4\nrepeat = 1\n", "--budget=0.06", EXIT_DONE);
    assert_true(rows_of(fixture).count < 8);
    assert_rows(fixture, rows_of(fixture).count);
    assert_text(fixture, budget_of(fixture), "stopped", BUDGET_STOP_TIME);
    assert_true(number_of(read_file(fixture, "out/run.json"), "rows_planned") ==
                rows_of(fixture).count);
}

static void assert_refused(struct fixture *fixture, const char *rows, const char *order_and_repeat)
{
    write_file(fixture, "out/rows.jsonl",
               arena_text(&fixture->arena,
                          "%s{%s,\"scenario\":\"t\",\"section\":\"\",\"cell\":\"\"}\n", rows,
                          order_and_repeat));
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_WRONG_USE);
    assert_said(fixture, "is not a row of this sweep");
}

SWEEP_TEST(a_further_row_has_to_be_of_a_further_block)
{
    run_scenario(fixture, "mode = ok\nrepeat = 2\n", NULL, EXIT_DONE);
    const char *rows = read_file(fixture, "out/rows.jsonl");
    assert_refused(fixture, rows, "\"order\":3,\"repeat\":2");
    assert_refused(fixture, rows, "\"order\":4,\"repeat\":3");
    assert_refused(fixture, rows, "\"order\":3,\"repeat\":3.5");
    assert_refused(fixture, rows, "\"order\":3");
    rows = arena_text(&fixture->arena,
                      "%s{\"order\":3,\"repeat\":4,\"scenario\":\"t\",\"section\":\"\","
                      "\"cell\":\"\"}\n",
                      rows);
    assert_refused(fixture, rows, "\"order\":4,\"repeat\":3");
}

SWEEP_TEST(a_dry_run_says_what_the_budget_does)
{
    const char *const words[] = {fixture->sweep, path_of(fixture, "t.conf"), "--dry-run",
                                 "--budget=10", NULL};
    write_scenario(fixture, "mode = ok, vary\nrepeat = 9\nrow-seconds = 2\n");
    start(fixture, words);
    assert_int_equal(finish(fixture), EXIT_DONE);
    assert_printed(fixture, "2 cells, 10 rows to run, about 20.0 s, then more of the cells with "
                            "wide intervals, for 10 min 0 s in all");
}

SWEEP_TEST(bad_values_are_named)
{
    static const struct sweep_case cases[] = {
        {"mode = ok\n", "--precision=x", EXIT_WRONG_USE,
         "command line: precision = x: takes a percentage, such as 5%"},
        {"mode = ok\n", "--precision=5%%", EXIT_WRONG_USE, "precision = 5%%: takes"},
        {"mode = ok\n", "--precision=0", EXIT_WRONG_USE, "precision = 0: takes"},
        {"mode = ok\n", "--metric=beauty", EXIT_WRONG_USE,
         "command line: metric = beauty: takes a figure of a row, such as"},
        {"mode = ok\n", "--budget=-1", EXIT_WRONG_USE, "--budget"},
    };
    ASSERT_CASES(fixture, cases);
    assert_false(exists(fixture, "out"));
}
