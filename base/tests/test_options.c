/* Every option, right and wrong; what is wrong is one line that says what would be right. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "base/tests/test.h"

enum { WORDS_MAX = 16, PAGE_BYTES = 8192 };

struct fields {
    uint64_t workers, block, timeout_ms, cap;
    double rate;
    int engine;
    struct byte_range size;
    struct text_value marker;
    const char *json;
    bool quiet;
};

static const char *const engines[] = {"auto", "uring", "epoll", NULL};

#define at(field) .offset = offsetof(struct fields, field)
static const struct option_spec table[] = {
    {.name = "What runs"},
    {"engine", "NAME", "auto", "what performs the operations", options_choice, at(engine),
     .names = engines},
    {"workers", "N", "6", "threads that wait on the port", options_count, at(workers), 1, 1024},
    {"connect-timeout", "MS", "10s", "time for one connect", options_millis, at(timeout_ms), 1,
     600000},
    {.name = "What is sent"},
    {"size", "MIN..MAX", "256..100kB",
     "frame sizes, drawn from this range by the seed, so that a run can be repeated and compared",
     options_range, at(size), 64, 64 << 20},
    {"rate", "R", "0", "frames per second of all servers\n  0: unlimited", options_rate, at(rate),
     0, 1000000},
    {"end-marker", "TEXT", "\\r\\n", "ends every frame", options_text, at(marker), 1, 16},
    {"block", "BYTES", "64k", "size of a block", options_bytes, at(block), 256, 64 << 20},
    {"pool-cap", "BYTES", NULL, "memory of the pool", options_bytes, at(cap), 1, 0},
    {"json", "FILE", NULL, "where the row goes", options_string, at(json)},
    {"quiet", NULL, "no", "says nothing", options_flag, at(quiet)},
    {.name = NULL},
};

static const struct option_set set = {
    .program = "fanin-test",
    .synopsis = "[options]",
    .about = "Tests options.",
    .epilogue = "Examples:\n  fanin-test --workers 3",
    .options = table,
};

static const struct option_set set_with_operands = {
    .program = "fanin-test",
    .synopsis = "[options] FILE...",
    .about = "Tests operands.",
    .options = table,
    .operands = "FILE",
};

/* ---- helpers ----------------------------------------------------------------------------- */

static struct fields fields;
static int operand;
static char page[PAGE_BYTES];

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Parses the words with `stream`, stdout or stderr, going to the page. */
static int parse(const struct option_set *options, FILE *stream, const char *const *words)
{
    char *argv[WORDS_MAX] = {"fanin-test"};
    int argc = 1;
    for (; *words; words++) {
        assert_true(argc < WORDS_MAX - 1);
        argv[argc++] = (char *)*words;
    }
    memset(&fields, 0, sizeof(fields));
    operand = -1;
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stream);
    int kept = dup(fileno(stream));
    dup2(fileno(file), fileno(stream));
    int result = options_parse(options, argc, argv, &fields, &operand);
    fflush(stream);
    dup2(kept, fileno(stream));
    close(kept);
    rewind(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    fclose(file);
    return result;
}

static void accept(const char *const *words)
{
    int result = parse(&set, stderr, words);
    assert_string_equal(page, "");
    assert_int_equal(result, OPTIONS_OK);
}

/* The message is the whole line without the program's name. */
static void refuse(const char *message, const char *const *words)
{
    char line[PAGE_BYTES];
    snprintf(line, sizeof(line), "fanin-test: %s\n", message);
    int result = parse(&set, stderr, words);
    assert_string_equal(page, line);
    assert_int_equal(result, OPTIONS_WRONG);
}

/* ---- what is right ----------------------------------------------------------------------- */

TEST(defaults_are_set)
{
    accept(WORDS(NULL));
    assert_int_equal(fields.engine, 0);
    assert_int_equal(fields.workers, 6);
    assert_int_equal(fields.timeout_ms, 10000);
    assert_int_equal(fields.size.min, 256);
    assert_int_equal(fields.size.max, 100000);
    assert_true(fields.rate == 0);
    assert_int_equal(fields.marker.bytes, 2);
    assert_string_equal(fields.marker.data, "\r\n");
    assert_int_equal(fields.block, 65536);
    assert_null(fields.json);
    assert_false(fields.quiet);
    assert_int_equal(operand, 1);
}

TEST(values_come_either_way_and_names_may_be_short)
{
    accept(WORDS("--workers=8", "--eng", "epoll", "--json", "-", "--qui"));
    assert_int_equal(fields.workers, 8);
    assert_int_equal(fields.engine, 2);
    assert_string_equal(fields.json, "-");
    assert_true(fields.quiet);
}

/* A program that records the names of what it passes on takes no short ones. */
TEST(names_are_whole_where_they_are_recorded)
{
    setenv(OPTIONS_WHOLE_NAMES, "1", 1);
    accept(WORDS("--workers=8", "--engine", "epoll ", "--json", "--eng", "--quiet"));
    assert_int_equal(fields.engine, 2);
    assert_string_equal(fields.json, "--eng");
    refuse("--worker is only the beginning of a name; write --workers", WORDS("--worker=8"));
    refuse("--eng is only the beginning of a name; write --engine", WORDS("--eng", "epoll"));
    refuse("--qui is only the beginning of a name; write --quiet", WORDS("--qui"));
    unsetenv(OPTIONS_WHOLE_NAMES);
}

TEST(the_last_of_one_option_counts)
{
    accept(WORDS("--workers=8", "--workers=9"));
    assert_int_equal(fields.workers, 9);
}

TEST(numbers_take_units)
{
    static const struct {
        const char *option, *text;
        const uint64_t *field;
        uint64_t value;
    } cases[] = {
        /* counts: decimal */
        {"--workers", "1k", &fields.workers, 1000},
        {"--workers", "0.5k", &fields.workers, 500},
        /* sizes: binary and decimal */
        {"--pool-cap", "1", &fields.cap, 1},
        {"--pool-cap", "3B", &fields.cap, 3},
        {"--pool-cap", "64k", &fields.cap, 65536},
        {"--pool-cap", "64KiB", &fields.cap, 65536},
        {"--pool-cap", "2M", &fields.cap, 2097152},
        {"--pool-cap", "100kB", &fields.cap, 100000},
        {"--pool-cap", "1.25MB", &fields.cap, 1250000},
        {"--pool-cap", "0.5GiB", &fields.cap, 536870912},
        {"--pool-cap", "1GB", &fields.cap, 1000000000},
        {"--pool-cap", "18446744073709551615", &fields.cap, UINT64_MAX},
        /* times: milliseconds */
        {"--connect-timeout", "500", &fields.timeout_ms, 500},
        {"--connect-timeout", "500ms", &fields.timeout_ms, 500},
        {"--connect-timeout", "2.5s", &fields.timeout_ms, 2500},
        /* blanks around them */
        {"--workers", "3 ", &fields.workers, 3},
        {"--workers", " 3", &fields.workers, 3},
        {"--pool-cap", "\t64KiB ", &fields.cap, 65536},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        accept(WORDS(cases[i].option, cases[i].text));
        assert_int_equal(*cases[i].field, cases[i].value);
    }
}

TEST(rates_may_be_fractions)
{
    accept(WORDS("--rate", "0.5"));
    assert_true(fields.rate == 0.5);
    accept(WORDS("--rate", " 10k "));
    assert_true(fields.rate == 10000);
}

TEST(one_size_is_a_range)
{
    accept(WORDS("--size", "1.25MB"));
    assert_int_equal(fields.size.min, 1250000);
    assert_int_equal(fields.size.max, 1250000);
    accept(WORDS("--size", " 64KiB .. 100kB "));
    assert_int_equal(fields.size.min, 65536);
    assert_int_equal(fields.size.max, 100000);
}

TEST(texts_take_escapes)
{
    static const char wanted[] = "a\r\n\t\0\\\x01\xfF";
    accept(WORDS("--end-marker", "a\\r\\n\\t\\0\\\\\\x01\\xfF"));
    assert_int_equal(fields.marker.bytes, sizeof(wanted) - 1);
    assert_memory_equal(fields.marker.data, wanted, sizeof(wanted));
}

TEST(operands_are_found_where_they_are_taken)
{
    char *argv[] = {"fanin-test", "one", "--workers=2", "--", "--two", NULL};
    assert_int_equal(options_parse(&set_with_operands, 5, argv, &fields, &operand), OPTIONS_OK);
    assert_int_equal(operand, 3);
    assert_string_equal(argv[3], "one");
    assert_string_equal(argv[4], "--two");
    assert_int_equal(fields.workers, 2);
}

/* ---- what is wrong ----------------------------------------------------------------------- */

TEST(values_are_refused_with_what_is_right)
{
    static const struct {
        const char *name, *why, *values[12];
    } cases[] = {
        {"workers",
         "takes a whole number from 1 to 1024",
         {"abc", "1025", "0", "-1", "5 x", "5x", "1.5", "1.000", "0x10", "18446744073709551617",
          "18446744073709551615k", "0.00000000000000000000001"}},
        {"block", "takes a size from 256 to 64MiB (such as 4096, 64KiB or 100kB)", {"12q"}},
        {"pool-cap", "takes a size at least 1 (such as 4096, 64KiB or 100kB)", {"0"}},
        {"connect-timeout", "takes a time from 1ms to 10min (such as 500, 500ms or 2s)", {"1h"}},
        {"rate",
         "takes a number from 0 to 1000000 (such as 500, 0.5 or 10k)",
         {"nan", "1.2.3", "2M", "1,5", "10 000"}},
        {"size",
         "takes one size or two, the smaller first, from 64 to 64MiB (such as 4096 or 256..100kB)",
         {"5k..1k", "1..5k", "5k..1G", "5k..", "..5k", ".."}},
        {"engine", "takes one of auto, uring, epoll", {"iocp"}},
        {"end-marker",
         "takes text with the escapes \\r \\n \\t \\0 \\\\ \\xHH",
         {"\\q", "a\\", "\\x4", "\\xg0"}},
        {"end-marker", "takes a text of 1 to 16 bytes", {"", "12345678901234567"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t k = 0; k < 12 && cases[i].values[k]; k++) {
            char option[64], message[512];
            const char *value = cases[i].values[k];
            snprintf(option, sizeof(option), "--%s", cases[i].name);
            snprintf(message, sizeof(message), "%s %s, not \"%s\"", option, cases[i].why, value);
            refuse(message, WORDS(option, value));
        }
}

TEST(words_are_refused_in_one_line)
{
    refuse("--workers takes a whole number from 1 to 1024, not \"\"", WORDS("--workers="));
    refuse("--workers takes a whole number from 1 to 1024, not \"0\"", WORDS("--workers=0"));
    refuse("--workers takes a whole number from 1 to 1024, not \"1\\x0a2\"",
           WORDS("--workers", "1\n2"));
    /* flags and values are told apart */
    refuse("--quiet takes yes or no, not \"maybe\"", WORDS("--quiet=maybe"));
    refuse("takes options only, not \"yes\"; --help lists them all", WORDS("--quiet", "yes"));
    refuse("--help takes no value", WORDS("--help=me"));
    refuse("--version takes no value", WORDS("--version=1"));
    refuse("--workers needs a value: --workers N", WORDS("--workers"));
    /* unknown options are named with the nearest */
    refuse("there is no option \"--worker5\"; did you mean --workers?", WORDS("--worker5=3"));
    refuse("there is no option \"--zzz\"; --help lists them all", WORDS("--zzz"));
    refuse("there is no option \"-w\", options are long; --help lists them all", WORDS("-w"));
    refuse("there is no option \"--\"; --help lists them all", WORDS("--=3"));
    refuse("--e could be any of --engine --end-marker; write more of it", WORDS("--e"));
    refuse("takes options only, not \"file\"; --help lists them all", WORDS("file"));
    /* also where it is very long */
    char word[2000] = "--";
    memset(word + 2, 'w', sizeof(word) - 3);
    refuse("there is no option \"--wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\"; --help lists them all",
           WORDS(word));
}

TEST(a_flag_may_say_yes_or_no)
{
    accept(WORDS("--quiet=yes"));
    assert_true(fields.quiet);
    accept(WORDS("--quiet", "--quiet=no"));
    assert_false(fields.quiet);
}

/* ---- parsers on their own, as a scenario file uses them ---------------------------------- */

TEST(a_flag_in_a_file_takes_yes_or_no)
{
    static const struct option_spec spec = {.name = "quiet", .parse = options_flag};
    bool flag = false;
    char why[64] = "";
    assert_int_equal(spec.parse(&spec, "yes", &flag, why, sizeof(why)), 0);
    assert_true(flag);
    assert_int_equal(spec.parse(&spec, "no", &flag, why, sizeof(why)), 0);
    assert_false(flag);
    assert_int_equal(spec.parse(&spec, "maybe", &flag, why, sizeof(why)), -1);
    assert_string_equal(why, "takes yes or no");
}

TEST(why_is_cut_to_its_room)
{
    char why[12] = "";
    uint64_t value = 7;
    assert_int_equal(table[2].parse(&table[2], "x", &value, why, sizeof(why)), -1);
    assert_string_equal(why, "takes a who");
    assert_int_equal(value, 7);
}

TEST(a_text_without_a_range_is_bounded_by_its_room)
{
    static const struct option_spec spec = {.name = "request", .parse = options_text};
    struct text_value value;
    char text[TEXT_BYTES_MAX + 2], why[64] = "";
    memset(text, 'x', sizeof(text));
    text[TEXT_BYTES_MAX] = '\0';
    assert_int_equal(spec.parse(&spec, text, &value, why, sizeof(why)), 0);
    assert_int_equal(value.bytes, TEXT_BYTES_MAX);
    text[TEXT_BYTES_MAX] = 'x';
    text[TEXT_BYTES_MAX + 1] = '\0';
    assert_int_equal(spec.parse(&spec, text, &value, why, sizeof(why)), -1);
    assert_string_equal(why, "takes a text of 0 to 1024 bytes");
}

/* ---- --help and --version ---------------------------------------------------------------- */

TEST(version_names_the_program)
{
    assert_int_equal(parse(&set, stdout, WORDS("--version")), OPTIONS_DONE);
    assert_string_equal(page, "fanin-test " FANIN_VERSION "\n");
}

TEST(help_lists_every_option_within_the_columns)
{
    assert_int_equal(parse(&set, stdout, WORDS("--help")), OPTIONS_DONE);
    assert_non_null(strstr(page, "Usage: fanin-test [options]\n\nTests options.\n\nWhat runs:\n"));
    for (const struct option_spec *spec = table; spec->name; spec++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), spec->help ? "\n  --%s " : "\n%s:\n", spec->name);
        assert_non_null(strstr(page, wanted));
    }
    assert_non_null(strstr(page, "(auto, uring, epoll; default auto)\n"));
    assert_non_null(strstr(page, "(from 1 to 1024; default 6)\n"));
    assert_non_null(strstr(page, "(at least 1)\n"));
    assert_non_null(strstr(page, "\n  --version "));
    assert_non_null(strstr(page, "\nExamples:\n  fanin-test --workers 3\n"));
    for (const char *row = page; *row; row += strcspn(row, "\n") + 1)
        assert_in_range(strcspn(row, "\n"), 0, 100);
}
