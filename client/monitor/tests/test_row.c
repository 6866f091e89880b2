/* The row of screens: exactly the keys of row_keys.h; delays of stamps and what they come to. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/tests/find.h"
#include "base/tests/test.h"
#include "client/monitor/row.h"

static struct monitor_options options;

static void read_none(void)
{
    const struct program_help program = {"test", "", "", false};
    char *arguments[] = {(char *)"test", (char *)"--engine=epoll", NULL};
    options.viewer = VIEWER_MONITOR;
    assert_int_equal(monitor_options_read(&program, 2, arguments, &options), OPTIONS_OK);
}

TEST(a_row_has_the_keys_that_are_described)
{
    static const char *const keys[] = {
#define ROW_OPTION(kind, key, unit, null, meaning) #key,
#define ROW_RESULT                                 ROW_OPTION
#define ROW_EYE                                    ROW_OPTION
#include "client/monitor/row_keys.h"
    };
    enum { KEYS = sizeof keys / sizeof keys[0] };
    char path[] = "/tmp/fanin-row-XXXXXX", text[16384], *key;
    struct monitor_row row;
    struct arena arena = {0};
    close(mkstemp(path));
    read_none();
    options.json = path;
    options.quiet = true;
    monitor_row_init(&row, &options);
    monitor_row_fail(&row, "first");
    monitor_row_fail(&row, "second");
    row.updates = 5;
    assert_int_equal(monitor_row_finish(&row), EXIT_MEASURED_FAILURE);
    FILE *file = fopen(path, "r");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    assert_true(json_is_object(text));
    for (unsigned i = 0; i < KEYS; i++) {
        assert_non_null(json_member(&arena, text, i, &key));
        assert_string_equal(key, keys[i]);
    }
    assert_null(json_member(&arena, text, KEYS, &key));
    arena_free(&arena);
    assert_non_null(strstr(text, "\"reason\":\"first\""));
    assert_non_null(strstr(text, "\"accepts\":\"thread\""));
    assert_non_null(strstr(text, "\"decoded_ms_p95\":null"));
    assert_non_null(strstr(text, "\"updates\":5"));
}

TEST(delays_are_of_each_stamp_once)
{
    struct delays screens[2] = {{.count = 0}};
    for (uint64_t i = 1; i <= 100; i++) {
        assert_true(delays_add(&screens[0], 1000 * i, 1000 * i + 1000 * i));
        assert_true(delays_add(&screens[0], 1000 * i, 1000 * i + 9000000)); /* seen before */
    }
    assert_false(delays_add(&screens[1], 2000, 1999)); /* of the future */
    assert_true(delays_add(&screens[1], 5, 500005));
    const struct delay_figures figures = delays_figures(screens, 2);
    assert_int_equal(figures.count, 101);
    assert_float_equal(figures.p50_ms, 51, 0);
    assert_float_equal(figures.p95_ms, 96, 0);
    assert_float_equal(figures.max_ms, 500, 0);
    assert_float_equal(figures.worst_p95_ms, 500, 0);
    delays_free(&screens[0]);
    delays_free(&screens[1]);
}

TEST(without_a_stamp_there_is_no_delay)
{
    struct delays none = {.count = 0};
    const struct delay_figures figures = delays_figures(&none, 1);
    assert_int_equal(figures.count, 0);
    assert_true(isnan(figures.p50_ms) && isnan(figures.max_ms) && isnan(figures.worst_p95_ms));
}

TEST(delays_of_days_stay_small)
{
    enum { MANY = 1000000 };
    struct delays delays = {.count = 0};
    for (uint64_t i = 1; i <= MANY; i++)
        assert_true(delays_add(&delays, i, i + i % 1000));
    assert_true(delays.capacity <= 1 << 17);
    delays_add(&delays, MANY + 1, MANY + 1 + 77000);
    const struct delay_figures figures = delays_figures(&delays, 1);
    assert_int_equal(figures.count, MANY + 1);
    assert_float_equal(figures.max_ms, 77, 0);
    assert_true(figures.p50_ms > 0.49 && figures.p50_ms < 0.51);
    delays_free(&delays);
}
