/* Searches from end to end. The client is best with scheme slices and 4 workers. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include "scenarios/sweep/ranking.h"

/* p99 in tenths of a microsecond: by the scheme, a tenth less for 4 workers, and --noise. */
static const char advised_client[] =
    "#!/bin/sh\n"
    "here=${0%/*}\n"
    "scheme=chain workers=0 wait=0 noise=0 memory=20000 mode=ok\n"
    "for a; do case $a in --scheme=*) scheme=${a#*=};; --workers=*) workers=${a#*=};;\n"
    " --noise=*) noise=${a#*=};; --wait=*) wait=${a#*=};; --mode=*) mode=${a#*=};;\n"
    " --json=*) json=${a#*=};; --dry-run) exit 0;; esac; done\n"
    "echo \"$*\" >>\"$here/args\"\n"
    "n=$(wc -l <\"$here/args\")\n"
    "[ \"$mode\" = late ] && [ $n -gt 9 ] && [ ! -e \"$here/go\" ] && {\n"
    "  echo $$ >>\"$here/pids\"; exec sleep 600; }\n"
    "[ \"$mode\" = fail ] || [ \"$mode/$scheme\" = no-slices/slices ] && {\n"
    "  echo '{\"status\":\"failed\",\"reason\":\"3 frames lost\"}' >\"$json\"; exit 1; }\n"
    "case $scheme in slices) p99=5000;; mirror) p99=7000;; *) p99=10000;; esac\n"
    "[ \"$workers\" = 4 ] && p99=$((p99 * 9 / 10))\n"
    "[ \"$mode\" = same ] && { p99=8000; [ \"$scheme\" = mirror ] && memory=9000; }\n"
    "p99=$((p99 + p99 * (n * 37 % 11 - 5) * noise / 500))\n"
    "[ \"$wait\" = 0 ] || sleep \"$wait\"\n"
    "echo \"{\\\"status\\\":\\\"ok\\\",\\\"scheme\\\":\\\"$scheme\\\",\\\"workers\\\":$workers,"
    "\\\"latency_us_p99\\\":$((p99 / 10)).$((p99 % 10)),\\\"cpu_s\\\":0.5,"
    "\\\"peak_rss_kb\\\":$memory}\" >\"$json\"\n";

static int set_up_client(void **state)
{
    if (set_up(state) != 0)
        return -1;
    write_file(*state, "client", advised_client);
    return 0;
}

#define SEARCH                                                                                     \
    "advise = auto\nrepeat = 6\nrate = 100\nframes = auto\nrow-seconds = 0.06\n"                   \
    "scheme = chain, slices, mirror, ring\nworkers = 0, 1, 4\n"

static const char *advised(struct fixture *fixture)
{
    return text_of(fixture, read_file(fixture, "out/advice.json"), "command");
}

/* Rows of the search stand before those of the finals, and nothing else is there. */
static unsigned assert_labels(struct fixture *fixture)
{
    struct rows rows = rows_of(fixture);
    unsigned searched = 0;
    assert_rows(fixture, rows.count);
    for (unsigned i = 0; i < rows.count; i++) {
        const char *label = text_of(fixture, rows.lines[i], "label");
        if (strcmp(label, "search") == 0) {
            assert_int_equal(searched, i);
            searched++;
        } else if (strcmp(label, "final") != 0) {
            assert_string_equal(label, "defaults");
        }
    }
    return searched;
}

FIXTURE_TEST(the_best_is_found, set_up_client)
{
    run_scenario(fixture, SEARCH, NULL, EXIT_DONE);
    assert_string_equal(advised(fixture), "fanin-client --scheme=slices --workers=4");
    unsigned searched = assert_labels(fixture);
    assert_int_equal(searched, 4 + 9 + 5); /* of 12 candidates: 4 to 3; 9 to 5 to 3 */
    assert_int_equal(rows_of(fixture).count, searched + 4 * 6);
    assert_non_null(strstr(read_file(fixture, "args"), "--frames=2 ")); /* 100/s * 0.06 s / 3 */
    assert_null(strstr(read_file(fixture, "args"), "auto"));
    assert_printed(fixture, "Against the client's defaults, D: p99");
    assert_nothing_left(fixture);
}

FIXTURE_TEST(noise_hides_no_large_difference, set_up_client)
{
    run_scenario(fixture, SEARCH "noise = 15\n", "--seed=5", EXIT_DONE);
    assert_non_null(strstr(advised(fixture), "--scheme=slices"));
}

FIXTURE_TEST(of_equals_the_one_with_less_memory_is_taken, set_up_client)
{
    run_scenario(fixture,
                 "mode = same\nadvise = latency\nrepeat = 6\nrate = 100\n"
                 "scheme = chain, slices, mirror\n",
                 NULL, EXIT_DONE);
    assert_string_equal(advised(fixture), "fanin-client --scheme=mirror");
    assert_printed(fixture, "equal within the margin");
    assert_printed(fixture, "best in peak memory");
}

FIXTURE_TEST(nothing_works, set_up_client)
{
    run_scenario(fixture, SEARCH "mode = fail\n", NULL, EXIT_MEASURED_FAILURE);
    assert_said(fixture, "nothing to recommend: every candidate failed, the first with: failed: "
                         "3 frames lost");
    assert_rows(fixture, 4);
    assert_false(exists(fixture, "out/advice.json"));
    assert_nothing_left(fixture);
}

FIXTURE_TEST(what_fails_is_passed_over_and_said, set_up_client)
{
    write_scenario(fixture, SEARCH "mode = no-slices\n");
    assert_int_equal(sweep(fixture, NULL), EXIT_MEASURED_FAILURE); /* a row failed, after all */
    assert_string_equal(advised(fixture), "fanin-client --scheme=mirror --workers=4");
    assert_printed(fixture, "No result: scheme=slices workers=0");
}

/* Rows take several times what was expected, so the time is up in the middle of the search. What
 * the budget decided is taken over from the rows by a resume. */
FIXTURE_TEST(a_budget_ends_the_search_but_not_the_finals, set_up_client)
{
    unsigned searched, count;
    run_scenario(fixture, SEARCH "wait = 0.3\n", "--budget=0.2", EXIT_DONE);
    searched = assert_labels(fixture);
    assert_true(searched < 2 * (4 + 9 + 5 + 9));
    assert_true(exists(fixture, "out/advice.json"));
    count = rows_of(fixture).count;
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_int_equal(assert_labels(fixture), searched);
    assert_true(rows_of(fixture).count >= count);
}

/* The first round takes more than the budget: there is no time for the finals. */
FIXTURE_TEST(a_budget_that_is_used_up_says_so, set_up_client)
{
    run_scenario(fixture, SEARCH "wait = 1\n", "--budget=0.05", EXIT_MEASURED_FAILURE);
    assert_said(fixture, "nothing to recommend: the budget was used up before the finals");
    assert_rows(fixture, 4);
}

FIXTURE_TEST(a_larger_budget_is_spent, set_up_client)
{
    /* It ends long before, at its most rows. */
    run_scenario(fixture, SEARCH, "--budget=10", EXIT_DONE);
    assert_true(assert_labels(fixture) > 4 + 9 + 5);                      /* a second pass */
    assert_true(rows_of(fixture).count - assert_labels(fixture) > 6 * 4); /* more blocks */
    assert_non_null(strstr(advised(fixture), "--scheme=slices --workers=4"));
}

FIXTURE_TEST(an_interrupted_search_goes_on, set_up_client)
{
    write_scenario(fixture, SEARCH "mode = late\n");
    start_sweep(fixture, NULL);
    await_started(fixture, 2);
    assert_int_equal(interrupt(fixture, SIGTERM), EXIT_MEASURED_FAILURE);
    assert_rows(fixture, 9);
    assert_false(exists(fixture, "out/advice.json"));
    write_file(fixture, "go", "");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_int_equal(assert_labels(fixture), 4 + 9 + 5);
    assert_int_equal(rows_of(fixture).count, 4 + 9 + 5 + 4 * 6);
    assert_string_equal(advised(fixture), "fanin-client --scheme=slices --workers=4");
    assert_nothing_left(fixture);
}

FIXTURE_TEST(foreign_rows_are_refused, set_up_client)
{
    run_scenario(fixture, SEARCH, NULL, EXIT_DONE);
    write_file(fixture, "out/rows.jsonl",
               "{\"status\":\"ok\",\"scenario\":\"t\",\"section\":\"\",\"cell\":\"scheme=no "
               "workers=0\",\"label\":\"search\",\"repeat\":1,\"order\":1}\n");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_WRONG_USE);
    assert_said(fixture, "rows.jsonl:1: is not a row of this sweep");
}

FIXTURE_TEST(wrong_use_is_refused_with_its_line, set_up_client)
{
    static const struct sweep_case wrong[] = {
        {"advise = auto\nscheme = chain\n", NULL, EXIT_WRONG_USE,
         "nothing to search: no key has several values"},
        {"advise = best\nscheme = chain, ring\n", NULL, EXIT_WRONG_USE,
         "t.conf:7: advise = best: takes auto, latency, cpu, throughput, memory"},
        {"advise = auto\nsize = 1kB, 2kB\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: size describes the traffic"},
        {"advise = auto\nlink = loopback, lan100\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: link describes the traffic"},
        {"advise = auto\nfleet.fault = a, b\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: fleet.fault describes the traffic"},
        {"advise = auto\nworkers = 1, 2\nconcurrency = =workers\n", NULL, EXIT_WRONG_USE,
         "t.conf:9: concurrency copies workers: a search needs plain values"},
        {"advise = auto\nmargin = 0\nscheme = chain, ring\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: margin = 0: takes a percentage"},
        {"advise = auto\n[a]\nscheme = chain, ring\n[b]\nscheme = chain, ring\n", NULL,
         EXIT_WRONG_USE, "advise searches one section at a time; choose it with --only=SECTION"},
        {"[a]\nadvise = auto\nscheme = chain, ring\n[b]\nscheme = chain, ring\n", NULL,
         EXIT_WRONG_USE, "advise searches one scenario at a time"},
        {SEARCH, "--budget=0.005", EXIT_WRONG_USE,
         "--budget=0.005 is too small: a first round of 4 rows (scheme)"},
    };
    ASSERT_CASES(fixture, wrong);
    assert_false(exists(fixture, "out"));
    assert_false(exists(fixture, "args"));
}

FIXTURE_TEST(a_dry_run_shows_the_space, set_up_client)
{
    run_scenario(fixture, SEARCH, "--dry-run", EXIT_DONE);
    assert_printed(fixture, "searches scheme = chain, slices, mirror");
    assert_printed(fixture, "12 candidates; at most 18 rows");
    assert_false(exists(fixture, "args"));
}

/* ---- the order ---- */

enum { RANKED = 4 };

/* Row i is of cell i. */
static const struct {
    const char *criterion, *lines[RANKED];
    unsigned sound, order[RANKED];
} rankings[] = {
    /* Equal but for chance: the second figure decides. */
    {"auto",
     {"{\"status\":\"ok\",\"latency_us_p99\":100,\"cpu_s\":3}",
      "{\"status\":\"ok\",\"latency_us_p99\":90,\"cpu_s\":9}",
      "{\"status\":\"ok\",\"latency_us_p99\":130,\"cpu_s\":2}",
      "{\"status\":\"ok\",\"latency_us_p99\":200,\"cpu_s\":1}"},
     4,
     {2, 0, 1, 3}},
    /* A criterion without chance goes by the margin. */
    {"cpu",
     {"{\"status\":\"ok\",\"gb_per_cpu_s\":1,\"peak_rss_kb\":1}",
      "{\"status\":\"ok\",\"gb_per_cpu_s\":1.97,\"peak_rss_kb\":5}",
      "{\"status\":\"ok\",\"gb_per_cpu_s\":2,\"peak_rss_kb\":9}",
      "{\"status\":\"ok\",\"gb_per_cpu_s\":1.8,\"peak_rss_kb\":2}"},
     4,
     {1, 2, 3, 0}},
    /* What is not a result comes last. */
    {"cpu",
     {"{\"status\":\"failed\",\"reason\":\"audit\",\"gb_per_cpu_s\":9}",
      "{\"status\":\"ok\",\"gb_per_cpu_s\":1,\"peak_rss_kb\":5}",
      "{\"status\":\"ok\",\"gb_per_cpu_s\":null}", "{\"status\":\"ok\",\"gb_per_cpu_s\":2}"},
     2,
     {3, 1, 0, 2}},
};

TEST(a_cell_without_latencies_says_why)
{
    const char *lines[] = {"{\"status\":\"ok\",\"latency_us_p99\":null,"
                           "\"latency_reason\":\"the clocks differ\"}",
                           "{\"status\":\"ok\",\"latency_us_p99\":null}"};
    const char *said[] = {"its rows have no latency_us_p99: the clocks differ",
                          "its rows have no latency_us_p99"};
    struct arena arena = {0};
    struct plan_row planned[] = {{.cell_index = 0}, {.cell_index = 1}};
    struct plan plan = {.rows = planned, .count = 2};
    struct rows rows = {.lines = lines, .count = 2};
    const struct comparison comparison = {
        .criterion = criterion_find("latency", true), .plan = &plan, .rows = &rows};
    for (unsigned i = 0; i < 2; i++) {
        const struct cell_rows found = cell_rows_read(&arena, &comparison, i);
        assert_int_equal(found.bad, 1);
        assert_string_equal(found.failure, said[i]);
    }
    arena_free(&arena);
}

TEST(candidates_are_ordered_by_the_criterion)
{
    for (size_t i = 0; i < sizeof rankings / sizeof *rankings; i++) {
        struct arena arena = {0};
        struct plan_row planned[RANKED];
        struct plan plan = {.rows = planned, .count = RANKED};
        const char *lines[RANKED], *reason;
        struct rows rows = {.lines = lines, .count = RANKED};
        struct comparison comparison = {.criterion = criterion_find(rankings[i].criterion, true),
                                        .margin = 0.05,
                                        .plan = &plan,
                                        .rows = &rows};
        unsigned field[RANKED];
        for (unsigned k = 0; k < RANKED; k++) {
            planned[k] = (struct plan_row){.cell_index = k};
            lines[k] = rankings[i].lines[k];
            field[k] = k;
        }
        assert_int_equal(ranking_make(&arena, &comparison, field, RANKED, &reason),
                         rankings[i].sound);
        assert_memory_equal(field, rankings[i].order, rankings[i].sound * sizeof *field);
        assert_int_equal(reason == NULL, rankings[i].sound == RANKED);
        arena_free(&arena);
    }
}
