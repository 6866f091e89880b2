/* The row: valid JSON whatever was measured, and exactly the keys of base/row_keys.h. */
#include <ctype.h>
#include <math.h>

#include "client/collector/program.h"
#include "client/collector/row.h"
#include "base/os.h"
#include "client/collector/tests/outcome.h"

enum { TEXT_MAX = 64 << 10, KEYS_MAX = 200, KEY_BYTES = 64 };

struct keys {
    unsigned count;
    char names[KEYS_MAX][KEY_BYTES];
};

static void keys_add(struct keys *keys, const char *name, size_t bytes)
{
    assert_true(keys->count < KEYS_MAX);
    assert_true(bytes < KEY_BYTES);
    memcpy(keys->names[keys->count], name, bytes);
    keys->names[keys->count++][bytes] = '\0';
}

/* ---- a strict reader of one JSON value ------------------------------------------------------- */

static const char *skip_text(const char *text)
{
    assert_int_equal(*text, '"');
    for (text++; *text != '"'; text++) {
        assert_true((unsigned char)*text >= 0x20);
        if (*text == '\\') {
            text++;
            assert_non_null(strchr("\"\\/bfnrtu", *text));
            for (int i = 0; *text == 'u' && i < 4; i++)
                assert_true(isxdigit((unsigned char)text[1 + i]));
        }
    }
    return text + 1;
}

static const char *skip_object(const char *text, struct keys *keys);

static const char *skip_value(const char *text)
{
    char *end;
    if (*text == '"')
        return skip_text(text);
    if (*text == '{')
        return skip_object(text, NULL);
    if (strncmp(text, "null", 4) == 0 || strncmp(text, "true", 4) == 0)
        return text + 4;
    if (strncmp(text, "false", 5) == 0)
        return text + 5;
    assert_true(*text == '-' || isdigit((unsigned char)*text));
    strtod(text, &end);
    assert_true(end > text);
    return end;
}

static const char *skip_object(const char *text, struct keys *keys)
{
    assert_int_equal(*text, '{');
    text++;
    while (*text != '}') {
        const char *end = skip_text(text);
        if (keys != NULL)
            keys_add(keys, text + 1, (size_t)(end - text - 2));
        assert_int_equal(*end, ':');
        text = skip_value(end + 1);
        if (*text != ',')
            break;
        text++;
        assert_int_equal(*text, '"');
    }
    assert_int_equal(*text, '}');
    return text + 1;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static struct collector_options some_options(void)
{
    return (struct collector_options){
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
}

static const char *row_text(const struct row *row, char text[TEXT_MAX])
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(row_write(row, file), 0);
    rewind(file);
    text[fread(text, 1, TEXT_MAX - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void assert_same_keys(const struct row *row)
{
    static const char *const keys[] = {
#define ROW_OPTION(kind, key, unit, null, meaning) #key,
#define ROW_RESULT(kind, key, unit, null, meaning) #key,
#include "base/row_keys.h"
    };
    static char text[TEXT_MAX];
    static struct keys written;
    written.count = 0;
    assert_string_equal(skip_object(row_text(row, text), &written), "\n");
    assert_int_equal(written.count, sizeof keys / sizeof keys[0]);
    for (unsigned i = 0; i < written.count; i++)
        assert_string_equal(written.names[i], keys[i]);
}

TEST(a_row_has_the_keys_that_are_described)
{
    const struct collector_options options = some_options();
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
    assert_same_keys(&row);
    static char text[TEXT_MAX];
    row_text(&row, text);
    assert_non_null(strstr(text, "\"errors\":{\"reset\":2}"));
    assert_non_null(strstr(text, "\"elapsed_ms\":12.5"));
    assert_non_null(strstr(text, "\"end_marker\":\"\\u000d\\u000a\""));
    assert_non_null(strstr(text, "\"pool_cap_bytes\":null"));
    assert_non_null(strstr(text, "\"engine\":\"epoll\""));
}

TEST(a_skipped_row_has_the_same_keys_and_no_numbers)
{
    const struct collector_options options = some_options();
    struct row row;
    static char text[TEXT_MAX];
    row_init(&row, &options);
    row_skip(&row, "no \"engine\"\n\\here");
    assert_same_keys(&row);
    row_text(&row, text);
    assert_non_null(strstr(text, "\"status\":\"skipped\""));
    static const char *const nulls[] = {
        "engine",       "connect_ms",  "elapsed_ms", "bytes",          "cpu_s",   "frames",
        "server_bytes", "peak_rss_kb", "connected",  "latency_us_p50", "request", "blocks_lost"};
    for (unsigned i = 0; i < sizeof nulls / sizeof nulls[0]; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"%s\":null", nulls[i]);
        if (strstr(text, wanted) == NULL)
            fail_msg("%s is not null in %s", nulls[i], text);
    }
}

TEST(numbers_that_are_not_finite_are_null)
{
    const struct collector_options options = some_options();
    struct row row;
    static char text[TEXT_MAX];
    row_init(&row, &options);
    row.elapsed_ms = INFINITY;
    row.copies_per_byte = NAN;
    row_text(&row, text);
    assert_non_null(strstr(text, "\"elapsed_ms\":null"));
    assert_non_null(strstr(text, "\"copies_per_byte\":null"));
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
    assert_int_equal(program_close(&program), EXIT_MEASURED_FAILURE);
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
