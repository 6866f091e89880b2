/* Reading JSON objects: which texts are one, and looking keys up. */
#include <string.h>

#include "base/json_read.h"
#include "base/tests/test.h"

TEST(only_whole_objects_are_accepted)
{
    static const char *const good[] = {
        "{}", " {\"a\":1} \n", "{\"a\":[1,-2.5e+3,{\"b\":null}],\"c\":true,\"d\":\"\\u00e9\\\"\"}",
        "{\"\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x98\x80\"}"};
    static const char *const bad[] = {"",
                                      "[]",
                                      "1",
                                      "{",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\":01}",
                                      "{\"a\":1.}",
                                      "{\"a\":nan}",
                                      "{\"a\":\"\n\"}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\\u12\"}",
                                      "{a:1}",
                                      "{\"a\":1} x",
                                      "{\"a\":1}{}",
                                      "{\"a\":\"b",
                                      "{\"a\":[1}",
                                      "{\"a\":\"\xff\"}",
                                      "{\"a\":\"\xc0\x80\"}",
                                      "{\"a\":\"\xed\xa0\x80\"}",
                                      "{\"a\":tru}",
                                      "{\"a\":-}"};
    char deep[4 * JSON_DEPTH_MAX] = "{\"a\":";
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(json_is_object(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (json_is_object(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    }
    for (unsigned i = 0; i <= JSON_DEPTH_MAX; i++)
        strcat(deep, "[");
    assert_false(json_is_object(deep));
}

TEST(keys_are_found_at_their_own_level)
{
    static const char object[] = "{ \"a\" : {\"x\":1}, \"b\":\"\\u0041\\n\\ud83d\\ude00\\/\","
                                 "\"x\":-2.5,\"n\":null}";
    struct arena arena = {0};
    double number;
    char *key;
    assert_true(json_is_object(object));
    assert_true(json_find_number(object, "x", &number));
    assert_true(number == -2.5);
    assert_false(json_find_number(object, "n", &number));
    assert_false(json_find_number(object, "b", &number));
    assert_string_equal(json_find_text(&arena, object, "b"), "A\n\xf0\x9f\x98\x80/");
    assert_null(json_find_text(&arena, object, "x"));
    assert_null(json_find(object, "nothing"));
    assert_null(json_find("{}", "a"));
    assert_non_null(json_member(&arena, object, 3, &key));
    assert_string_equal(key, "n");
    assert_null(json_member(&arena, object, 4, &key));
    arena_free(&arena);
}
