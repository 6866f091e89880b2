/* Rows stay valid JSON whatever is measured. */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/tests/test.h"

static struct json writer, *const json = &writer;
static char *line;
static size_t line_bytes;

static int line_setup(void **state)
{
    FILE *out = open_memstream(&line, &line_bytes);
    if (!out)
        return -1;
    json_open(json, out);
    return 0;
}

static int line_teardown(void **state)
{
    int failed = fclose(json->out);
    free(line);
    return failed;
}

static void check_line(const char *wanted)
{
    assert_int_equal(json_close(json), 0);
    assert_string_equal(line, wanted);
}

TEST(nothing_is_an_empty_object, line_setup, line_teardown)
{
    check_line("{}\n");
}

TEST(every_kind_stands_with_its_key, line_setup, line_teardown)
{
    json_text(json, "text", "a b");
    json_text(json, "none", NULL);
    json_count(json, "count", UINT64_MAX);
    json_integer(json, "integer", INT64_MIN);
    json_flag(json, "yes", true);
    json_flag(json, "no", false);
    json_null(json, "null");
    check_line("{\"text\":\"a b\",\"none\":null,\"count\":18446744073709551615,"
               "\"integer\":-9223372036854775808,\"yes\":true,\"no\":false,\"null\":null}\n");
}

TEST(numbers_read_back_as_they_were, line_setup, line_teardown)
{
    json_number(json, "zero", 0);
    json_number(json, "short", 0.1);
    json_number(json, "long", 1.0 / 3);
    json_number(json, "big", 1e300);
    check_line("{\"zero\":0,\"short\":0.1,\"long\":0.33333333333333331,\"big\":1e+300}\n");
}

TEST(numbers_that_are_not_finite_are_null, line_setup, line_teardown)
{
    json_number(json, "nan", NAN);
    json_number(json, "infinite", INFINITY);
    json_number(json, "negative", -INFINITY);
    check_line("{\"nan\":null,\"infinite\":null,\"negative\":null}\n");
}

TEST(text_is_escaped, line_setup, line_teardown)
{
    json_text(json, "a\"b", "quote \" slash \\ line \n bell \a del \x7f");
    check_line("{\"a\\\"b\":\"quote \\\" slash \\\\ line \\u000a bell \\u0007 del \\u007f\"}\n");
}

TEST(utf8_stays_and_invalid_bytes_are_replaced, line_setup, line_teardown)
{
    json_text(json, "good", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d");
    json_text(json, "cut", "\xe2\x82");
    json_text(json, "lone", "\xff\x80z");
    json_text(json, "overlong", "\xc0\xaf");
    json_text(json, "surrogate", "\xed\xa0\x80");
    json_text(json, "beyond", "\xf4\x90\x80\x80");
    check_line("{\"good\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d\","
               "\"cut\":\"\\ufffd\\ufffd\",\"lone\":\"\\ufffd\\ufffdz\","
               "\"overlong\":\"\\ufffd\\ufffd\","
               "\"surrogate\":\"\\ufffd\\ufffd\\ufffd\","
               "\"beyond\":\"\\ufffd\\ufffd\\ufffd\\ufffd\"}\n");
}

TEST(bytes_are_escaped_one_by_one, line_setup, line_teardown)
{
    json_bytes(json, "bytes", "\r\n\0\xff A\"", 7);
    json_bytes(json, "none", NULL, 0);
    check_line("{\"bytes\":\"\\u000d\\u000a\\u0000\\u00ff A\\\"\",\"none\":\"\"}\n");
}

TEST(objects_lie_in_objects, line_setup, line_teardown)
{
    json_object_open(json, "empty");
    json_object_close(json);
    json_object_open(json, "outer");
    json_object_open(json, "inner");
    json_count(json, "a", 1);
    json_count(json, "b", 2);
    json_object_close(json);
    json_object_close(json);
    json_count(json, "after", 3);
    check_line("{\"empty\":{},\"outer\":{\"inner\":{\"a\":1,\"b\":2}},\"after\":3}\n");
}

TEST(arrays_hold_values_without_keys, line_setup, line_teardown)
{
    json_array_open(json, "empty");
    json_array_close(json);
    json_array_open(json, "outer");
    json_object_open(json, NULL);
    json_count(json, "a", 1);
    json_object_close(json);
    json_object_open(json, NULL);
    json_object_close(json);
    json_count(json, NULL, 2);
    json_array_close(json);
    json_count(json, "after", 3);
    check_line("{\"empty\":[],\"outer\":[{\"a\":1},{},2],\"after\":3}\n");
}

TEST(an_object_is_copied_unchanged, line_setup, line_teardown)
{
    json_object(json, "taken", "{\"a\":[1]}");
    json_object(json, "none", NULL);
    check_line("{\"taken\":{\"a\":[1]},\"none\":null}\n");
}

static FILE *full_open(void)
{
    FILE *full = fopen("/dev/full", "w");
    if (!full) {
        print_message("skip: this system has no /dev/full\n");
        skip();
    }
    return full;
}

TEST(a_row_that_cannot_be_written_is_an_error)
{
    FILE *full = full_open();
    json_open(json, full);
    assert_int_equal(json_close(json), -ENOSPC);
    fclose(full);
}

TEST(an_earlier_failure_is_still_an_error)
{
    FILE *full = full_open();
    json_open(json, full);
    assert_int_equal(fflush(full), EOF);
    assert_true(json_close(json) < 0);
    fclose(full);
}
