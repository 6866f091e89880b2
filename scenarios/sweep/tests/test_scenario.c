/* Scenario files: what they mean, and that every mistake is named with its line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tests/test.h"
#include "scenarios/sweep/fleet.h"
#include "scenarios/sweep/plan.h"

/* ---- reading one into cells ---- */

struct fixture {
    struct arena arena;
    struct cells cells;
    struct fleets fleets;
    struct error error;
};

static void run_in_fixture(void **state)
{
    void (*test)(struct fixture *) = *state;
    struct fixture fixture = {0};
    test(&fixture);
    arena_free(&fixture.arena);
}

#define SCENARIO_TEST(name)                                                                        \
    TEST_ADDED_BY(test_add((struct CMUnitTest){#name, run_in_fixture, NULL, NULL, (void *)name}),  \
                  name, struct fixture *fixture)

/* The overrides end with NULL. Returns what the first step that fails returns. */
static int expand(struct fixture *fixture, const char *text, const char *const *arguments,
                  const char *only)
{
    struct overrides overrides = {0};
    struct scenario *scenario =
        scenario_parse(&fixture->arena, "some/t.conf", text, &fixture->error);
    if (scenario == NULL)
        return -1;
    for (; arguments != NULL && *arguments != NULL; arguments++) {
        if (override_parse(&fixture->arena, *arguments, &overrides, &fixture->error) != 0)
            return -1;
    }
    if (overrides_check(&overrides, &scenario, 1, &fixture->error) != 0)
        return -1;
    return cells_expand(&fixture->arena, scenario, &overrides, only, &fixture->cells,
                        &fixture->error);
}

static void expand_well(struct fixture *fixture, const char *text, const char *const *arguments)
{
    arena_free(&fixture->arena);
    *fixture = (struct fixture){0};
    if (expand(fixture, text, arguments, NULL) != 0)
        fail_msg("%s", fixture->error.text);
}

enum { NAMES_MAX = 9, VALUES_MAX = 8 };

static const struct {
    const char *text, *arguments[6], *names[NAMES_MAX];
    struct {
        unsigned cell;
        const char *key, *value; /* NULL: none */
    } values[VALUES_MAX];
} readings[] = {
    /* Axes are crossed in the scenario's order. */
    {"# why\nservers = 3\nworkers=4,6 # two\n scheme = a , b\t\r\nsize = 9\n",
     {NULL},
     {"workers=4 scheme=a", "workers=4 scheme=b", "workers=6 scheme=a", "workers=6 scheme=b"},
     {{0, "[]", ""}, {3, "size", "9"}}},
    /* Copies of other keys, and duplicates. */
    {"servers=1\nworkers = 4, 6\nconcurrency = 2, 4, =workers\n",
     {NULL},
     {"workers=4 concurrency=2", "workers=4 concurrency=4", "workers=6 concurrency=2",
      "workers=6 concurrency=4", "workers=6 concurrency=6"},
     {{4, "concurrency", "6"}}},
    {"servers = =a\na = =b\nb = 7\n", {NULL}, {""}, {{0, "servers", "7"}}},
    /* A section's keys replace the common ones; [+] adds a grid. */
    {"servers = 2\ny = 0\n[one]\nx = 1, 2\n[+]\nx = 2\ny = 6\n[two]\nservers = 9\n",
     {NULL},
     {"x=1", "x=2", "y=6 x=2", ""},
     {{2, "[]", "one"}, {3, "[]", "two"}, {3, "servers", "9"}, {3, "y", "0"}, {3, "x", NULL}}},
    {"servers = 2\n[one]\nx = 1, 2\nz = 3\n[+]\nx = 2\n", {NULL}, {"x=1", "x=2"}, {{0}}},
    /* Quotes keep what would mean something. */
    {"servers = \"a:1,b:2\"\nr = \" x, \"\"y\"\" # z\"\ne = \"=servers\", \"\"\n"
     "m = \\r\\n, a#b # c\n",
     {NULL},
     {"e==servers m=\\r\\n", "e==servers m=a#b", "e= m=\\r\\n", "e= m=a#b"},
     {{0, "servers", "a:1,b:2"},
      {0, "r", " x, \"y\" # z"},
      {0, "e", "=servers"},
      {2, "e", ""},
      {0, "m", "\\r\\n"},
      {1, "m", "a#b"}}},
    /* Overrides replace in place, and the narrower one wins. */
    {"servers = 1\na = 1, 2\nb = 3, 4\n[one]\n[two]\n",
     {"t.two.repeat=4", "t.repeat=3", "repeat=2", "b=7,8", "t.one.fleet.fault=refuse:1"},
     {"a=1 b=7", "a=1 b=8", "a=2 b=7", "a=2 b=8", "a=1 b=7", "a=1 b=8", "a=2 b=7", "a=2 b=8"},
     {{0, "repeat", "3"},
      {4, "repeat", "4"},
      {0, "fleet.fault", "refuse:1"},
      {4, "fleet.fault", NULL}}},
};

SCENARIO_TEST(cells_are_what_the_text_says)
{
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        unsigned count = 0;
        expand_well(fixture, readings[i].text, readings[i].arguments);
        for (; readings[i].names[count] != NULL; count++) {
            assert_true(count < fixture->cells.count);
            assert_string_equal(fixture->cells.items[count]->name, readings[i].names[count]);
        }
        assert_int_equal(fixture->cells.count, count);
        for (unsigned k = 0; k < VALUES_MAX && readings[i].values[k].key != NULL; k++) {
            const struct cell *cell = fixture->cells.items[readings[i].values[k].cell];
            const char *key = readings[i].values[k].key, *value = readings[i].values[k].value;
            const struct pair *pair = cell_find(cell, key);
            if (strcmp(key, "[]") == 0)
                assert_string_equal(cell->section, value);
            else if (value == NULL)
                assert_null(pair);
            else
                assert_string_equal(pair->value, value);
        }
    }
}

SCENARIO_TEST(the_sweeps_own_keys_are_read)
{
    expand_well(fixture,
                "servers = 3\n[a]\nfleet.fault = refuse:1\n[b]\nservers = h:1\nrepeat = 7\n", NULL);
    assert_string_equal(fixture->cells.items[0]->scenario, "t");
    assert_int_equal(fixture->cells.items[0]->servers, 3);
    assert_int_equal(fixture->cells.items[0]->repeat, 5);
    assert_string_equal(fixture->cells.items[0]->fleet_options, "fault=refuse:1");
    assert_int_equal(fixture->cells.items[1]->servers, 0);
    assert_int_equal(fixture->cells.items[1]->repeat, 7);
    assert_string_equal(fixture->cells.items[1]->fleet_options, "");
}

SCENARIO_TEST(only_picks_a_section)
{
    static const char *const text = "servers = 1\n[one]\n[two]\n";
    assert_int_equal(expand(fixture, text, NULL, "two"), 0);
    assert_int_equal(expand(fixture, text, NULL, "t.one"), 0);
    assert_int_equal(expand(fixture, text, NULL, "u.one"), 0);
    assert_int_equal(expand(fixture, text, NULL, "three"), 0);
    assert_int_equal(fixture->cells.count, 2);
    assert_string_equal(fixture->cells.items[0]->section, "two");
    assert_string_equal(fixture->cells.items[1]->section, "one");
}

/* ---- mistakes ---- */

struct mistake {
    const char *text, *override, *says;
};

static const struct mistake mistakes[] = {
    {"", NULL, "some/t.conf: nothing to run"},
    {"# only a comment\n", NULL, "nothing to run"},
    {"servers = 1\nworkers\n", NULL, "some/t.conf:2: \"workers\" is neither"},
    {"servers = 1\n = 2\n", NULL, "some/t.conf:2: \"\" is not a key"},
    {"servers = 1\nwork ers = 2\n", NULL, "some/t.conf:2: \"work ers\" is not a key"},
    {"servers = 1\nworkers =\n", NULL, "some/t.conf:2: workers: a value is empty"},
    {"servers = 1\nworkers = 1,,2\n", NULL, "some/t.conf:2: workers: a value is empty"},
    {"servers = 1\nworkers = 1,\n", NULL, "some/t.conf:2: workers: a value is empty"},
    {"servers = 1\nworkers = 4, 4\n", NULL, "some/t.conf:2: workers: 4 is given twice"},
    {"servers = 1\na = =b, =b\n", NULL, "some/t.conf:2: a: =b is given twice"},
    {"servers = 1\n\nservers = 2\n", NULL, "some/t.conf:3: servers is already given on line 1"},
    {"[a]\nservers = 1\n[a]\n", NULL, "some/t.conf:3: section [a] is already on line 1"},
    {"[+]\nservers = 1\n", NULL, "some/t.conf:1: [+] adds to the section above"},
    {"[a\nservers = 1\n", NULL, "some/t.conf:1: the heading is not closed"},
    {"[a b]\nservers = 1\n", NULL, "some/t.conf:1: \"a b\" is not a section name"},
    {"[]\n", NULL, "some/t.conf:1: \"\" is not a section name"},
    {"a = \"b\n", NULL, "some/t.conf:1: a: a quote is not closed"},
    {"a = \"b\" c\n", NULL, "some/t.conf:1: a: expected a comma after the closing quote"},
    {"a = =\n", NULL, "some/t.conf:1: a: \"=\" names neither a key nor a section"},
    {"servers = 1\na = =b\n", NULL, "some/t.conf:2: a = =b: there is no key b"},
    {"servers = 1\na = =b\nb = =a\n", NULL, "some/t.conf:2: a = =b: the copies form a cycle"},
    {"servers = 1\na = =a\n", NULL, "some/t.conf:2: a = =a: the copies form a cycle"},
    {"workers = 1\n", NULL, "some/t.conf:1: the key servers is missing"},
    {"[a]\nservers = 1\n[b]\nx = 1\n", NULL, "some/t.conf:3: the key servers is missing"},
    {"[a]\n", NULL, "some/t.conf:1: section [a] has no key"},
    {"servers = 1\nscreens = 7\n", NULL, "some/t.conf:2: screens is of a viewer, and servers of"},
    {"screens = 4097\n", NULL, "some/t.conf:1: screens = 4097: takes a whole number from 1"},
    {"screens = \"h:1\"\n", NULL, "some/t.conf:1: screens = h:1: takes a whole number from 1"},
    {"servers = 0\n", NULL, "some/t.conf:1: servers = 0: takes a whole number from 1"},
    {"servers = 1\nrepeat = 1001\n", NULL, "some/t.conf:2: repeat = 1001: takes a whole number"},
    {"servers = 1\nrepeat = 2x\n", NULL, "some/t.conf:2: repeat = 2x: takes"},
    {"servers = 1\nrepeat = -1\n", NULL, "some/t.conf:2: repeat = -1: takes"},
    {"servers = 1\nrepeat = 2, 3\n", NULL, "some/t.conf:2: repeat takes one value"},
    {"servers = 1\nprecision = 1,5\n", NULL, "not a list; a fraction has a point, as 1.5"},
    {"servers = 1\npause = 99999999999999999999\n", NULL, "some/t.conf:2: pause ="},
    {"servers = 1\ntimeout = 0\n", NULL, "some/t.conf:2: timeout = 0: takes"},
    {"servers = 1\nport = 70000\n", NULL, "some/t.conf:2: port = 70000: takes"},
    {"servers = 1\nseed = 0\n", NULL, "some/t.conf:2: seed = 0: takes"},
    {"servers = 1\nrow-seconds = nan\n", NULL, "some/t.conf:2: row-seconds = nan: takes"},
    {"servers = 1\nexpect = fun\n", NULL, "some/t.conf:2: expect = fun: takes failures"},
    {"servers = 1\nrtt = 9.9\n", NULL, "some/t.conf:2: rtt = 9.9: takes a duration from 0 to 10s"},
    {"servers = 1\nrtt = 11s\n", NULL, "some/t.conf:2: rtt = 11s: takes a duration"},
    {"servers = 1\nx = =[a b]\n", NULL, "some/t.conf:2: x: \"=[a b]\" names neither a key nor"},
    {"servers = 1\nx = =[a], =[a]\n", NULL, "some/t.conf:2: x: =[a] is given twice"},
    {"servers = 1\nfleet.port = 1\n", NULL, "some/t.conf:2: fleet.port is set by the sweep"},
    {"servers = 1\nfeet.fault = 1\n", NULL, "some/t.conf:2: feet.fault: only \"fleet.\""},
    {"servers = 1\njson = x\n", NULL, "some/t.conf:2: json is set by the sweep"},
    {"servers = 1\n", "repeat=1x", "command line: repeat = 1x: takes"},
    {"servers = 1\n", "u.repeat=1", "command line: --u.repeat: no such scenario"},
    {"servers = 1\n", "t.x.repeat=1", "command line: --t.x.repeat: no such scenario"},
    {"servers = 1\n", "a=", "command line: a: a value is empty"},
    {"servers = 1\n", "=1", "command line: \"\" is not a key"},
};

SCENARIO_TEST(mistakes_are_named_with_their_line)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const struct mistake *mistake = &mistakes[i];
        const char *const arguments[] = {mistake->override, NULL};
        fixture->cells = (struct cells){0};
        fixture->error.text[0] = '\0';
        if (expand(fixture, mistake->text, arguments, NULL) == 0)
            fail_msg("taken: %s %s", mistake->text, mistake->override);
        if (strstr(fixture->error.text, mistake->says) == NULL)
            fail_msg("said \"%s\", not \"%s\"", fixture->error.text, mistake->says);
        if (strchr(fixture->error.text, '\n') != NULL)
            fail_msg("more than a line: %s", fixture->error.text);
    }
}

static void assert_unreadable(struct fixture *fixture, const char *path, const char *said)
{
    assert_null(scenario_read(&fixture->arena, path, &fixture->error));
    assert_non_null(strstr(fixture->error.text, said));
}

SCENARIO_TEST(files_that_cannot_be_read_are_named)
{
    char path[] = "/tmp/fanin-test-XXXXXX";
    int descriptor = mkstemp(path);
    FILE *file = fdopen(descriptor, "wb");
    assert_non_null(file);
    assert_unreadable(fixture, "/nonexistent/a.conf", "/nonexistent/a.conf: cannot read");
    assert_unreadable(fixture, "/tmp", "/tmp: cannot read");
    for (unsigned i = 0; i <= SCENARIO_BYTES_MAX; i++)
        fputc('#', file);
    fflush(file);
    assert_unreadable(fixture, path, "cannot read");
    fclose(file);
    remove(path);
}

/* As in a list of servers: a line is a line whatever ends it, or the file is refused. */
SCENARIO_TEST(no_line_of_a_file_vanishes)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *said; /* NULL: all three lines are read */
    } files[] = {
#define FILE_OF(text) text, sizeof(text) - 1
        {FILE_OF("servers = 1\rworkers = 4, 6\rsize = 9\r"), NULL},
        {FILE_OF("# why\rservers = 1\rworkers = 4, 6\r\nsize = 9"), NULL},
        {FILE_OF("\xef\xbb\xbfservers = 1\r\nworkers = 4, 6\r\nsize = 9\r\n"), NULL},
        {FILE_OF("\xef\xbb\xbf# why\nservers = 1\nworkers = 4, 6\n\nsize = 9\n"), NULL},
        {FILE_OF("servers = 1\n\0x = 1\n"), ":2: holds a NUL byte"},
        {FILE_OF("servers = 1\n# a page\fsize = 9\n"), ":2: holds the control character 0x0c"},
        {FILE_OF("servers = 1\r\rsize = 9\x1b\r"), ":3: holds the control character 0x1b"},
        {FILE_OF("servers = 1 # one\xe2\x80\xa8size = 9\n"), ":1: holds the line separator"},
        {FILE_OF("\xff\xfes\0e\0"), ":1: is in UTF-16"},
#undef FILE_OF
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[] = "/tmp/fanin-test-XXXXXX";
        int descriptor = mkstemp(path);
        assert_int_equal(write(descriptor, files[i].bytes, files[i].count), files[i].count);
        close(descriptor);
        struct scenario *scenario = scenario_read(&fixture->arena, path, &fixture->error);
        remove(path);
        if (files[i].said != NULL) {
            assert_null(scenario);
            assert_non_null(strstr(fixture->error.text, files[i].said));
            continue;
        }
        assert_non_null(scenario);
        assert_int_equal(scenario->common.count, 3);
        assert_string_equal(settings_find(&scenario->common, "size")->values[0].text, "9");
        assert_string_equal(settings_find(&scenario->common, "workers")->values[1].text, "6");
    }
}

SCENARIO_TEST(too_much_is_refused)
{
    char *text = arena_text(&fixture->arena, "servers = 1\n");
    unsigned axes = 0;
    for (uint64_t cells = 1; cells <= CELLS_MAX; cells *= 10, axes++)
        text = arena_text(&fixture->arena, "%sa%u = 0,1,2,3,4,5,6,7,8,9\n", text, axes);
    /* With repeat = 0, too: none is left, but all would be looked at. */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(expand(fixture, text, NULL, NULL), -1);
        assert_non_null(strstr(fixture->error.text, "more than 20000 cells"));
        text = arena_text(&fixture->arena, "%srepeat = 0\n", text);
    }
    text = arena_text(&fixture->arena, "a = 0");
    for (unsigned i = 1; i <= SCENARIO_VALUES_MAX; i++)
        text = arena_text(&fixture->arena, "%s,%u", text, i);
    assert_int_equal(expand(fixture, text, NULL, NULL), -1);
    assert_non_null(strstr(fixture->error.text, "more than 256 values"));
}

SCENARIO_TEST(a_scenario_has_a_name_of_any_language)
{
    static const struct {
        const char *path, *name; /* NULL: it is refused */
    } files[] = {
        {"a/Gr\xc3\xb6\xc3\x9f"
         "e und Rate.conf",
         "Gr\xc3\xb6\xc3\x9f"
         "e und Rate"},
        {"\xe6\xb5\x8b\xe8\xaf\x95.conf", "\xe6\xb5\x8b\xe8\xaf\x95"},
        {"t (copy), 2.conf", "t (copy), 2"},
        {"v1.2.conf", NULL},
        {" t.conf", NULL},
        {"a|b.conf", NULL},
        {"a\nb.conf", NULL},
        {"Gr\xf6\xdf"
         "e.conf",
         NULL}, /* Latin-1 */
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct scenario *scenario =
            scenario_parse(&fixture->arena, files[i].path, "servers = 1\n", &fixture->error);
        if (files[i].name != NULL && scenario == NULL)
            fail_msg("%s", fixture->error.text);
        if (files[i].name != NULL)
            assert_string_equal(scenario->name, files[i].name);
        else if (scenario != NULL || strstr(fixture->error.text, "cannot name") == NULL)
            fail_msg("%s: %s", files[i].path, fixture->error.text);
    }
}

/* What a number or a list of another country looks like is told of; it is right, and runs. */
SCENARIO_TEST(a_list_that_may_be_one_value_is_told_of)
{
    static const struct {
        const char *line, *hint; /* NULL: nothing is told */
    } lines[] = {
        {"rate = 1,5", "rate = 1,5 is two values, 1 and 5; in one number a fraction has a point"},
        {"rate=100,500", "rate = 100,500 is two values"},
        {"frames = 10,000", "frames = 10,000 is two values, 10 and 000"},
        {"connect-timeout = 1,5s", "connect-timeout = 1,5s is two values"},
        {"size = 1,25MB", "size = 1,25MB is two values"},
        {"servers = a:1, b:2", "servers has 2 values, each for cells of its own; one list of"},
        {"rate = 1, 5", NULL},
        {"rate = 1,5,10", NULL},
        {"workers = 4,6", NULL},
        {"workers = 2,=rate", NULL},
        {"scheme = chain,ring", NULL},
        {"servers = 100,200", NULL},
        {"servers = \"a:1,b:2\"", NULL},
    };
    const struct place place = {.file = "t.conf", .line = 1};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct setting setting;
        const char *equals = strchr(lines[i].line, '='), *key = lines[i].line;
        key = arena_copy(&fixture->arena, key, (size_t)(equals - key));
        assert_int_equal(
            setting_parse(&fixture->arena, &place, key, equals + 1, &setting, &fixture->error), 0);
        const char *hint = key_hint(&fixture->arena, &setting);
        if (lines[i].hint == NULL)
            assert_null(hint);
        else if (hint == NULL || strstr(hint, lines[i].hint) == NULL)
            fail_msg("%s: %s", lines[i].line, hint);
    }
}

/* ---- order ---- */

static void assert_blocks(const struct plan *plan, unsigned cells, unsigned repeats)
{
    for (unsigned block = 0; block < repeats; block++) {
        bool seen[64] = {false};
        for (unsigned i = 0; i < cells; i++) {
            const struct plan_row *row = &plan->rows[block * cells + i];
            assert_int_equal(row->order, block * cells + i + 1);
            assert_int_equal(row->repeat, block + 1);
            assert_false(seen[row->cell_index]);
            seen[row->cell_index] = true;
        }
    }
}

SCENARIO_TEST(order_is_blocks_shuffled_by_the_seed)
{
    /* Written down so that another machine, compiler or release is held to the same order. */
    static const unsigned expected[8] = {3, 1, 6, 2, 4, 0, 7, 5};
    struct plan plan, again, other;
    unsigned moved = 0;
    expand_well(fixture, "servers = 1\nrepeat = 3\na = 0,1,2,3,4,5,6,7\n", NULL);
    assert_true(plan_make(&fixture->arena, &fixture->cells, 42, &plan));
    assert_true(plan_make(&fixture->arena, &fixture->cells, 42, &again));
    assert_true(plan_make(&fixture->arena, &fixture->cells, 43, &other));
    assert_int_equal(plan.count, 24);
    assert_blocks(&plan, 8, 3);
    for (unsigned i = 0; i < 24; i++) {
        assert_int_equal(plan.rows[i].cell_index, again.rows[i].cell_index);
        moved += plan.rows[i].cell_index != other.rows[i].cell_index;
    }
    assert_true(moved > 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(plan.rows[i].cell_index, expected[i]);
}

SCENARIO_TEST(cells_with_fewer_repeats_leave_the_later_blocks)
{
    struct plan plan;
    expand_well(fixture, "servers = 1\n[a]\nrepeat = 1\n[b]\nrepeat = 3\nx = 1, 2\n", NULL);
    assert_true(plan_make(&fixture->arena, &fixture->cells, 1, &plan));
    assert_int_equal(plan.count, 7);
    for (unsigned i = 3; i < 7; i++)
        assert_string_equal(plan.rows[i].cell->section, "b");
}

/* ---- fleets ---- */

static int plan_fleets(struct fixture *fixture)
{
    return fleets_plan(&fixture->arena, &fixture->cells, &fixture->fleets, &fixture->error);
}

SCENARIO_TEST(a_section_that_repeats_0_times_is_left_out)
{
    const char *const none_of_a[] = {"t.a.repeat=0", NULL};
    expand_well(fixture, "servers = 1\n[a]\nx = 1, 2\n[b]\ny = 3\n", none_of_a);
    assert_int_equal(fixture->cells.count, 1);
    assert_string_equal(fixture->cells.items[0]->section, "b");
}

/* What a calibration needs for its interval stays. */
SCENARIO_TEST(a_repeat_for_all_sections_is_not_for_calibrations)
{
    static const char text[] = "servers = 1\n[a]\ncalibrate = rate 1..100\nmetric = elapsed_ms\n"
                               "target = 5\nrepeat = 9\n[b]\nrate = =[a]\n";
    expand_well(fixture, text, (const char *const[]){"repeat=1", NULL});
    assert_int_equal(fixture->cells.items[0]->repeat, 9);
    assert_int_equal(fixture->cells.items[1]->repeat, 1);
    expand_well(fixture, text, (const char *const[]){"t.a.repeat=7", NULL});
    assert_int_equal(fixture->cells.items[0]->repeat, 7);
}

SCENARIO_TEST(fleets_are_shared_and_ports_do_not_overlap)
{
    expand_well(fixture,
                "servers = 10, 30\n[a]\n[b]\nfleet.fault = x, y\n[c]\nport = 20005\n"
                "[d]\nservers = \"h:1,h:2\"\n",
                NULL);
    assert_int_equal(plan_fleets(fixture), 0);
    assert_int_equal(fixture->fleets.count, 4);
    assert_ptr_equal(fixture->cells.items[0]->fleet, fixture->cells.items[1]->fleet);
    assert_null(fixture->cells.items[fixture->cells.count - 1]->fleet);
    for (unsigned i = 0; i < fixture->fleets.count; i++) {
        assert_int_equal(fixture->fleets.items[i]->count, 30);
        assert_int_equal(fixture->fleets.items[i]->base, 20000 + 30 * i);
    }
}

/* A screen that nobody asked for would connect, too. */
SCENARIO_TEST(a_fleet_of_screens_has_as_many_as_its_cells_ask_for)
{
    expand_well(fixture, "screens = 7, 30\nclient = a, b\n", NULL);
    assert_int_equal(plan_fleets(fixture), 0);
    assert_int_equal(fixture->fleets.count, 2);
    for (unsigned i = 0; i < fixture->cells.count; i++) {
        const struct cell *cell = fixture->cells.items[i];
        const uint64_t asked = strcmp(cell_find(cell, "screens")->value, "7") == 0 ? 7 : 30;
        assert_int_equal(cell->servers, asked);
        assert_int_equal(cell->fleet->count, asked);
    }
    assert_true(key_passes_on("screens"));
}

SCENARIO_TEST(too_many_ports_are_refused)
{
    expand_well(fixture, "servers = 200\nport = 65400\n", NULL);
    assert_int_equal(plan_fleets(fixture), -1);
    assert_non_null(strstr(fixture->error.text, "some/t.conf:1: 200 servers from port 65400"));

    expand_well(fixture, "servers = 100000\nfleet.ports-per-address = 1000\n", NULL);
    assert_int_equal(plan_fleets(fixture), 0);
}
