/* The tests of a program, in the order in which they register. */
#include "base/tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { TESTS_MAX = 256, NAME_BYTES_MAX = 128 };

static struct CMUnitTest tests[TESTS_MAX];
static char names[TESTS_MAX][NAME_BYTES_MAX];
static size_t count;

void test_add_variant(struct CMUnitTest test, const char *variant)
{
    if (count == TESTS_MAX) {
        fprintf(stderr, "more than %d tests in a program\n", TESTS_MAX);
        abort();
    }
    snprintf(names[count], NAME_BYTES_MAX, variant ? "%s [%s]" : "%s", test.name, variant);
    test.name = names[count];
    tests[count++] = test;
}

void test_add(struct CMUnitTest test)
{
    test_add_variant(test, NULL);
}

int tests_run(CMFixtureFunction setup, CMFixtureFunction teardown)
{
    if (count == 0)
        return 1;
    return _cmocka_run_group_tests("tests", tests, count, setup, teardown);
}
