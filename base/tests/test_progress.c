/* Progress by a hand-stepped clock: one line redrawn on a terminal, plain lines elsewhere. */

#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "base/tests/test.h"

static const uint64_t ms = 1000000, s = 1000000000;

static struct progress progress;
static char *text;
static size_t text_bytes;

/* A memory stream is no terminal; the drawing is the same, so a test says that it is one. */
static void start(bool terminal, bool quiet, uint64_t now_ns)
{
    FILE *out = open_memstream(&text, &text_bytes);
    assert_non_null(out);
    fflush(out); /* only now `text` is there */
    progress_start(&progress, out, quiet, now_ns);
    assert_false(progress.terminal);
    progress.terminal = terminal;
}

static int text_close(void **state)
{
    fclose(progress.out);
    free(text);
    return 0;
}

TEST(plain_lines_come_every_few_seconds, NULL, text_close)
{
    start(false, false, 100 * s);
    progress_show(&progress, 101 * s, "row 1/10", 0.1, UINT64_MAX);
    assert_string_equal(text, "");
    progress_show(&progress, 106 * s, "row 2/10", 0.2, UINT64_MAX);
    assert_string_equal(text, "row 2/10  20%  24.0 s left\n");
    progress_show(&progress, 107 * s, "row 3/10", 0.3, UINT64_MAX);
    progress_show(&progress, 112 * s, "row 5/10", 0.5, 90 * s);
    progress_say(&progress, "row %d failed", 5);
    progress_end(&progress);
    assert_string_equal(text, "row 2/10  20%  24.0 s left\n"
                              "row 5/10  50%  1 min 30 s left\n"
                              "row 5 failed\n");
}

TEST(quiet_says_nothing, NULL, text_close)
{
    start(false, true, 0);
    progress_show(&progress, 60 * s, "row 1/10", 0.1, UINT64_MAX);
    progress_say(&progress, "row 1 failed");
    progress_end(&progress);
    assert_int_equal(text_bytes, 0);
}

TEST(a_terminal_is_redrawn_in_place, NULL, text_close)
{
    start(true, false, 0);
    progress_show(&progress, 0, "a", 0, UINT64_MAX);
    assert_string_equal(text, "a  0%");
    progress_show(&progress, 50 * ms, "too soon", 0, UINT64_MAX);
    assert_string_equal(text, "a  0%");
    progress_show(&progress, 150 * ms, "b", 0.5, UINT64_MAX);
    assert_string_equal(text, "a  0%\r     \rb  50%  0.2 s left");
    progress_end(&progress);
    assert_string_equal(text + text_bytes - 2, " \r");
}

TEST(what_is_said_stays_above_the_redrawn_line, NULL, text_close)
{
    start(true, false, 0);
    progress_show(&progress, 0, "a", 0, UINT64_MAX);
    progress_say(&progress, "said");
    progress_show(&progress, 1, "b", 0, UINT64_MAX);
    assert_string_equal(text, "a  0%\r     \rsaid\nb  0%");
}

TEST(a_long_line_is_cut_so_that_it_can_be_redrawn, NULL, text_close)
{
    char what[1000];
    memset(what, 'x', sizeof(what) - 1);
    what[sizeof(what) - 1] = '\0';
    start(true, false, 0);
    progress_show(&progress, 0, what, 0.5, 10 * s);
    assert_true(text_bytes < 80);
    assert_string_equal(text + text_bytes - 19, "x  50%  10.0 s left");
}

TEST(shares_out_of_bounds_are_held_in_them, NULL, text_close)
{
    start(false, false, 0);
    progress_show(&progress, 10 * s, "a", -1, UINT64_MAX);
    progress_show(&progress, 20 * s, "b", 7, UINT64_MAX);
    progress_show(&progress, 30 * s, "c", 1e-300, UINT64_MAX);
    progress_show(&progress, 40 * s, "d", 0.0 / 0.0, UINT64_MAX);
    assert_string_equal(text, "a  0%\nb  100%  0.0 s left\nc  0%\nd  0%\n");
}

TEST(durations_read_well)
{
    char words[32];
    assert_string_equal(progress_duration(0, words), "0.0 s");
    assert_string_equal(progress_duration(3200 * ms, words), "3.2 s");
    assert_string_equal(progress_duration(59940 * ms, words), "59.9 s");
    assert_string_equal(progress_duration(59960 * ms, words), "1 min 0 s");
    assert_string_equal(progress_duration(250 * s, words), "4 min 10 s");
    assert_string_equal(progress_duration(3599600 * ms, words), "1 h 0 min");
    assert_string_equal(progress_duration(7300 * s, words), "2 h 2 min");
}
