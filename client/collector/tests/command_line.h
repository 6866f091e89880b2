/* A command line of up to three options, as a collector reads it. */
#ifndef FANIN_TESTS_COMMAND_LINE_H
#define FANIN_TESTS_COMMAND_LINE_H

#include "base/tests/test.h"
#include "client/collector/options.h"

/* read_options: NULL ends them. */
static inline void read_options(struct collector_options *options, const char *first,
                                const char *second, const char *third)
{
    static const struct program_text program = {"test", "", ""};
    char *arguments[] = {(char *)"test", (char *)first, (char *)second, (char *)third, NULL};
    int count = 1;
    while (count < 4 && arguments[count] != NULL)
        count++;
    assert_int_equal(collector_options_read(&program, count, arguments, options), OPTIONS_OK);
}

#endif
