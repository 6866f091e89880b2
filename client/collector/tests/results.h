/* The results of a program: its exit code, its row, its error output. A test program has one. */
#ifndef FANIN_TESTS_RESULTS_H
#define FANIN_TESTS_RESULTS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tests/test.h"

enum { RESULTS_BYTES_MAX = 32 << 10 };

extern struct results {
    int exit_code;
    char row[RESULTS_BYTES_MAX], errors[RESULTS_BYTES_MAX];
} results;

void file_slurp(FILE *file, char *text);

/* results_take: runs a program's main with these options, which NULL ends, and with --quiet and
 * --json; catches its standard error. */
void results_take(int (*program)(int, char **), ...) __attribute__((sentinel));

/* A key of the row, or "errors.reset": of the object under that key. results_text: escapes and all;
 * good until the next call. */
bool results_is_null(const char *key);
double results_number(const char *key);
uint64_t results_count(const char *key);
const char *results_text(const char *key);

/* assert_results: the exit code, and "status=ok, connected=4, errors.reset=1, audit=fail*" in
 * printf's format: values as the row has them, or with a '*' how they begin. Shows the row and the
 * error output if one differs. */
void assert_results(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
