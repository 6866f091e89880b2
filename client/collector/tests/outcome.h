/* The results of a program: its exit code, its row, its error output. */
#ifndef FANIN_TESTS_OUTCOME_H
#define FANIN_TESTS_OUTCOME_H

/* cmocka.h wants the first four before it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tests/test.h"

enum { OUTCOME_BYTES_MAX = 32 << 10 };

struct outcome {
    int exit_code;
    char row[OUTCOME_BYTES_MAX], errors[OUTCOME_BYTES_MAX];
    char value[OUTCOME_BYTES_MAX];
};

void file_slurp(FILE *file, char *text);

/* outcome_take: runs a program's main with --quiet and --json added, standard error caught. Its
 * argv has room for three more. */
void outcome_take(struct outcome *outcome, int (*program)(int, char **), int count,
                  char **arguments);

/* Keys of the row; of a key's object. outcome_text: escapes and all; good until the next call. */
bool outcome_is_null(const struct outcome *outcome, const char *key);
double outcome_number(const struct outcome *outcome, const char *key);
uint64_t outcome_count(const struct outcome *outcome, const char *key);
uint64_t outcome_member_count(const struct outcome *outcome, const char *object, const char *key);
const char *outcome_text(struct outcome *outcome, const char *key);

#endif
