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

/* Parses with `stream`, stdout or stderr, going to the page. */
static int parse_onto_page(const struct option_set *options, FILE *stream, int argc, char **argv)
{
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

static int parse_words(const struct option_set *options, FILE *stream, const char *word,
                       va_list words)
{
    char *argv[WORDS_MAX] = {"fanin-test"};
    int argc = 1;
    for (; word; word = va_arg(words, const char *)) {
        assert_true(argc < WORDS_MAX - 1);
        argv[argc++] = (char *)word;
    }
    memset(&fields, 0, sizeof(fields));
    operand = -1;
    return parse_onto_page(options, stream, argc, argv);
}

/* The words end with NULL. */
static void accept(const char *word, ...)
{
    va_list words;
    va_start(words, word);
    int result = parse_words(&set, stderr, word, words);
    va_end(words);
    assert_string_equal(page, "");
    assert_int_equal(result, OPTIONS_OK);
}

static void refuse(const char *message, const char *word, ...)
{
    va_list words;
    va_start(words, word);
    int result = parse_words(&set, stderr, word, words);
    va_end(words);
    assert_string_equal(page, message);
    assert_int_equal(result, OPTIONS_WRONG);
}

static void print_page(const char *word, ...)
{
    va_list words;
    va_start(words, word);
    int result = parse_words(&set, stdout, word, words);
    va_end(words);
    assert_int_equal(result, OPTIONS_DONE);
}

/* ---- what is right ----------------------------------------------------------------------- */

TEST(defaults_are_set)
{
    accept(NULL);
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
    accept("--workers=8", "--eng", "epoll", "--json", "-", "--qui", NULL);
    assert_int_equal(fields.workers, 8);
    assert_int_equal(fields.engine, 2);
    assert_string_equal(fields.json, "-");
    assert_true(fields.quiet);
}

TEST(the_last_of_one_option_counts)
{
    accept("--workers=8", "--workers=9", NULL);
    assert_int_equal(fields.workers, 9);
}

TEST(counts_take_decimal_units)
{
    accept("--workers", "1k", NULL);
    assert_int_equal(fields.workers, 1000);
    accept("--workers", "0.5k", NULL);
    assert_int_equal(fields.workers, 500);
}

static uint64_t cap_of(const char *text)
{
    accept("--pool-cap", text, NULL);
    return fields.cap;
}

TEST(sizes_take_binary_and_decimal_units)
{
    assert_int_equal(cap_of("1"), 1);
    assert_int_equal(cap_of("3B"), 3);
    assert_int_equal(cap_of("64k"), 65536);
    assert_int_equal(cap_of("64KiB"), 65536);
    assert_int_equal(cap_of("2M"), 2097152);
    assert_int_equal(cap_of("100kB"), 100000);
    assert_int_equal(cap_of("1.25MB"), 1250000);
    assert_int_equal(cap_of("0.5GiB"), 536870912);
    assert_int_equal(cap_of("1GB"), 1000000000);
    assert_int_equal(cap_of("18446744073709551615"), UINT64_MAX);
}

TEST(times_are_milliseconds)
{
    accept("--connect-timeout", "500", NULL);
    assert_int_equal(fields.timeout_ms, 500);
    accept("--connect-timeout", "500ms", NULL);
    assert_int_equal(fields.timeout_ms, 500);
    accept("--connect-timeout", "2.5s", NULL);
    assert_int_equal(fields.timeout_ms, 2500);
}

TEST(rates_may_be_fractions)
{
    accept("--rate", "0.5", NULL);
    assert_true(fields.rate == 0.5);
    accept("--rate", "10k", NULL);
    assert_true(fields.rate == 10000);
}

TEST(one_size_is_a_range)
{
    accept("--size", "1.25MB", NULL);
    assert_int_equal(fields.size.min, 1250000);
    assert_int_equal(fields.size.max, 1250000);
    accept("--size", "64KiB..100kB", NULL);
    assert_int_equal(fields.size.min, 65536);
    assert_int_equal(fields.size.max, 100000);
}

TEST(texts_take_escapes)
{
    static const char wanted[] = "a\r\n\t\0\\\x01\xfF";
    accept("--end-marker", "a\\r\\n\\t\\0\\\\\\x01\\xfF", NULL);
    assert_int_equal(fields.marker.bytes, sizeof(wanted) - 1);
    assert_memory_equal(fields.marker.data, wanted, sizeof(wanted));
}

TEST(operands_are_found_where_they_are_taken)
{
    char *argv[] = {"fanin-test", "one", "--workers=2", "--", "--two", NULL};
    int result = parse_onto_page(&set_with_operands, stderr, 5, argv);
    assert_int_equal(result, OPTIONS_OK);
    assert_int_equal(operand, 3);
    assert_string_equal(argv[3], "one");
    assert_string_equal(argv[4], "--two");
    assert_int_equal(fields.workers, 2);
}

/* ---- what is wrong ----------------------------------------------------------------------- */

/* Each of the values (NULL-terminated) is refused with `why`. */
static void refuse_values(const char *name, const char *why, const char *const *values)
{
    for (; *values; values++) {
        char option[64], message[512];
        snprintf(option, sizeof(option), "--%s", name);
        snprintf(message, sizeof(message), "fanin-test: --%s %s, not \"%s\"\n", name, why, *values);
        refuse(message, option, *values, NULL);
    }
}

#define REFUSE_VALUES(name, why, ...)                                                              \
    refuse_values(name, why, (const char *const[]){__VA_ARGS__, NULL})

TEST(values_that_are_not_numbers_in_range_are_refused)
{
    const char why[] = "takes a whole number from 1 to 1024";
    REFUSE_VALUES("workers", why, "abc", "1025", "-1", " 5", "5x", "1.5", "1.", "0x10",
                  "18446744073709551617", "18446744073709551615k", "0.00000000000000000000001");
    refuse("fanin-test: --workers takes a whole number from 1 to 1024, not \"0\"\n", "--workers=0",
           NULL);
    refuse("fanin-test: --workers takes a whole number from 1 to 1024, not \"\"\n",
           "--workers=", NULL);
    refuse("fanin-test: --workers takes a whole number from 1 to 1024, not \"1\\x0a2\"\n",
           "--workers", "1\n2", NULL);
}

TEST(sizes_times_and_rates_say_what_they_take)
{
    REFUSE_VALUES("block", "takes a size from 256 to 64MiB (such as 4096, 64KiB or 100kB)", "12q");
    REFUSE_VALUES("pool-cap", "takes a size at least 1 (such as 4096, 64KiB or 100kB)", "0");
    REFUSE_VALUES("connect-timeout", "takes a time from 1ms to 10min (such as 500, 500ms or 2s)",
                  "1h");
    REFUSE_VALUES("rate", "takes a number from 0 to 1000000 (such as 500, 0.5 or 10k)", "nan",
                  "1.2.3", "2M");
}

TEST(ranges_have_two_ends_in_order)
{
    REFUSE_VALUES("size",
                  "takes one size or two, the smaller first, from 64 to 64MiB (such as 4096 or "
                  "256..100kB)",
                  "5k..1k", "1..5k", "5k..1G", "5k..", "..5k", "..");
}

TEST(choices_are_listed)
{
    REFUSE_VALUES("engine", "takes one of auto, uring, epoll", "iocp");
}

TEST(texts_have_known_escapes_and_a_length)
{
    REFUSE_VALUES("end-marker", "takes text with the escapes \\r \\n \\t \\0 \\\\ \\xHH", "\\q",
                  "a\\", "\\x4", "\\xg0");
    REFUSE_VALUES("end-marker", "takes a text of 1 to 16 bytes", "", "12345678901234567");
}

TEST(flags_and_values_are_told_apart)
{
    refuse("fanin-test: --quiet takes yes or no, not \"maybe\"\n", "--quiet=maybe", NULL);
    refuse("fanin-test: takes options only, not \"yes\"; --help lists them all\n", "--quiet", "yes",
           NULL);
    refuse("fanin-test: --help takes no value\n", "--help=me", NULL);
    refuse("fanin-test: --version takes no value\n", "--version=1", NULL);
    refuse("fanin-test: --workers needs a value: --workers N\n", "--workers", NULL);
}

TEST(a_flag_may_say_yes_or_no)
{
    accept("--quiet=yes", NULL);
    assert_true(fields.quiet);
    accept("--quiet", "--quiet=no", NULL);
    assert_false(fields.quiet);
}

TEST(unknown_options_are_named_with_the_nearest)
{
    refuse("fanin-test: there is no option \"--worker5\"; did you mean --workers?\n", "--worker5=3",
           NULL);
    refuse("fanin-test: there is no option \"--zzz\"; --help lists them all\n", "--zzz", NULL);
    refuse("fanin-test: there is no option \"-w\", options are long; --help lists them all\n", "-w",
           NULL);
    refuse("fanin-test: there is no option \"--\"; --help lists them all\n", "--=3", NULL);
    refuse("fanin-test: --e could be any of --engine --end-marker; write more of it\n", "--e",
           NULL);
    refuse("fanin-test: takes options only, not \"file\"; --help lists them all\n", "file", NULL);
}

TEST(a_very_long_unknown_option_is_one_line)
{
    char word[2000] = "--";
    memset(word + 2, 'w', sizeof(word) - 3);
    refuse(
        "fanin-test: there is no option \"--wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\"; --help lists them "
        "all\n",
        word, NULL);
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
    print_page("--version", NULL);
    assert_string_equal(page, "fanin-test " FANIN_VERSION "\n");
}

TEST(help_lists_every_option_within_the_columns)
{
    print_page("--help", NULL);
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
