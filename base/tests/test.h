/* What every cmocka test program includes: cmocka, and tests that register themselves.
 *
 *     TEST(the_smallest_key_is_first) { ... }
 *     TEST(a_row_is_written, set_up, tear_down) { ... }
 *
 * They run in the order of their lines. Only in a test_*.c: what libtests.a has is linked only
 * where it is used. It has a main() for programs without one. */
#ifndef FANIN_TEST_H
#define FANIN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Whether this program runs under a sanitizer, which needs addresses and memory of its own. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* ... and whether it is the one that watches threads. */
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define THREAD_SANITIZED true
#else
#define THREAD_SANITIZED false
#endif

/* TEST(function, setup, teardown, initial state): the last three may be left out. */
#define TEST(function, ...)                                                                        \
    TEST_ADDED_BY(                                                                                 \
        test_add((struct CMUnitTest){.name = #function, .test_func = function, __VA_ARGS__}),      \
        function, void **state)

/* A function that the statement adds, as one test or as several. */
#define TEST_ADDED_BY(statement, name, ...)                                                        \
    static void name(__VA_ARGS__);                                                                 \
    __attribute__((constructor(1000 + __LINE__))) static void name##_add(void)                     \
    {                                                                                              \
        statement;                                                                                 \
    }                                                                                              \
    static void name(__VA_ARGS__)

void test_add(struct CMUnitTest test);

/* test_add_variant: adds it as "name [variant]". */
void test_add_variant(struct CMUnitTest test, const char *variant);

/* tests_run: runs all of them; setup and teardown of the whole may be NULL. Returns the number of
 * failures; 1 if there are no tests. */
int tests_run(CMFixtureFunction setup, CMFixtureFunction teardown);

#endif
