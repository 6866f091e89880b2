/* The row: valid JSON whatever was measured, and exactly the keys of base/row_keys.h. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/tests/find.h"
#include "base/tests/limit.h"
#include "client/collector/program.h"
#include "client/collector/tests/results.h"

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct collector_options options = {
    .engine = "auto",
    .scheme = "chain",
    .workers = 6,
    .concurrency = 2,
    .batch = 16,
    .size_min = 256,
    .size_max = 100000,
    .pool_cap_bytes = UINT64_MAX,
    .end_marker = {2, "\r\n"},
};

/* Takes the row as a program would write it. */
static void take_row(const struct row *row)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(row_write(row, file), 0);
    file_slurp(file, results.row);
}

static void assert_same_keys(void)
{
    static const char *const keys[] = {
#define ROW_OPTION(kind, key, unit, null, meaning) #key,
#define ROW_RESULT(kind, key, unit, null, meaning) #key,
#include "base/row_keys.h"
    };
    enum { KEYS = sizeof keys / sizeof keys[0] };
    struct arena arena = {0};
    char *key;
    assert_true(json_is_object(results.row));
    assert_string_equal(strchr(results.row, '\n'), "\n");
    for (unsigned i = 0; i < KEYS; i++) {
        assert_non_null(json_member(&arena, results.row, i, &key));
        assert_string_equal(key, keys[i]);
    }
    assert_null(json_member(&arena, results.row, KEYS, &key));
    arena_free(&arena);
}

TEST(a_row_has_the_keys_that_are_described)
{
    struct row row;
    row_init(&row, &options);
    row.request = (struct row_bytes){"GO \x01\r\n", 6};
    row.engine = "epoll";
    row.gate = "user";
    row.connected = 200;
    row.bytes = 1000;
    row.elapsed_ms = 12.5;
    row_tally_add(row.errors, "reset");
    row_tally_add(row.errors, "reset");
    take_row(&row);
    assert_same_keys();
    assert_non_null(strstr(results.row, "\"errors\":{\"reset\":2}"));
    assert_results(0, "elapsed_ms=12.5, end_marker=\\u000d\\u000a, "
                      "pool_cap_bytes=null, engine=epoll");
}

TEST(a_skipped_row_has_the_same_keys_and_no_numbers)
{
    struct row row;
    row_init(&row, &options);
    row_skip(&row, "no \"engine\"\n\\here");
    take_row(&row);
    assert_same_keys();
    assert_results(0, "status=skipped, engine=null, connect_ms=null, elapsed_ms=null, bytes=null, "
                      "cpu_s=null, frames=null, server_bytes=null, peak_rss_kb=null, "
                      "connected=null, latency_us_p50=null, request=null, blocks_lost=null");
}

TEST(numbers_that_are_not_finite_are_null)
{
    struct row row;
    row_init(&row, &options);
    row.elapsed_ms = INFINITY;
    row.copies_per_byte = NAN;
    take_row(&row);
    assert_results(0, "elapsed_ms=null, copies_per_byte=null");
}

/* ---- where rows go --------------------------------------------------------------------------- */

static const struct program_text text = {.name = "test", .about = "", .examples = ""};

/* Opens a program whose row goes to `json`. */
static int open_program(struct program *program, char *json)
{
    char *arguments[] = {(char *)"test", (char *)"--servers=1", (char *)"--quiet", json};
    *program = (struct program){.text = NULL};
    return program_open(program, &text, json != NULL ? 4 : 3, arguments);
}

TEST(a_full_disk_is_reported)
{
    struct program program;
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL)
        skip();
    fclose(full);
    assert_int_equal(open_program(&program, (char *)"--json=/dev/full"), PROGRAM_OPEN);
    assert_int_equal(program_close(&program), EXIT_MACHINE_CANNOT);
}

TEST(a_row_that_cannot_be_written_leaves_the_one_before)
{
    struct program program;
    char directory[512], path[600], option[640], held[16];
    assert_true(temporary_directory(directory, sizeof directory));
    snprintf(path, sizeof path, "%s/row.json", directory);
    snprintf(option, sizeof option, "--json=%s", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("before", file);
    fclose(file);
    assert_int_equal(open_program(&program, option), PROGRAM_OPEN);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = limit_lower(RLIMIT_FSIZE, 1000); /* less than a row */
    int exit_code = program_close(&program);
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, handler);
    assert_int_equal(exit_code, EXIT_MACHINE_CANNOT);
    file_read(path, held, sizeof held);
    assert_string_equal(held, "before");
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
}

TEST(a_path_that_cannot_be_written_is_reported_at_once)
{
    struct program program;
    assert_int_equal(open_program(&program, (char *)"--json=/proc/no/such/file"),
                     EXIT_MACHINE_CANNOT);
}

TEST(the_exit_code_is_the_status)
{
    static const enum row_status statuses[] = {ROW_OK, ROW_FAILED, ROW_SKIPPED};
    static const int codes[] = {EXIT_DONE, EXIT_MEASURED_FAILURE, EXIT_MACHINE_CANNOT};
    for (unsigned i = 0; i < 3; i++) {
        struct program program;
        assert_int_equal(open_program(&program, NULL), PROGRAM_OPEN);
        program.row.status = statuses[i];
        assert_int_equal(program_close(&program), codes[i]);
    }
}
