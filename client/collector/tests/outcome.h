/* What a program leaves behind: its exit code, its row, what it said. */
#ifndef FANIN_TESTS_OUTCOME_H
#define FANIN_TESTS_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { OUTCOME_BYTES_MAX = 32 << 10 };

struct outcome {
    int exit_code;
    char row[OUTCOME_BYTES_MAX], errors[OUTCOME_BYTES_MAX];
    char value[OUTCOME_BYTES_MAX];
};

static inline void file_slurp(FILE *file, char *text)
{
    rewind(file);
    size_t bytes = fread(text, 1, OUTCOME_BYTES_MAX - 1, file);
    text[bytes] = '\0';
    fclose(file);
}

/* Runs a program's main with --quiet and --json added, standard error caught. Its argv has room for
 * three. */
static inline void outcome_take(struct outcome *outcome, int (*program)(int, char **), int count,
                                char **arguments)
{
    char path[64];
    FILE *row = tmpfile(), *errors = tmpfile();
    assert_non_null(row);
    assert_non_null(errors);
    snprintf(path, sizeof path, "--json=/proc/self/fd/%d", fileno(row));
    arguments[count++] = path;
    arguments[count++] = (char *)"--quiet";
    arguments[count] = NULL;
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(errors), STDERR_FILENO);
    outcome->exit_code = program(count, arguments);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    file_slurp(row, outcome->row);
    file_slurp(errors, outcome->errors);
}

/* The member `key` of the row, or of the object that starts at `from`. */
static inline const char *row_member(const char *from, const char *key)
{
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(from, quoted);
    if (found == NULL)
        fail_msg("no %s in %s", key, from);
    return found + strlen(quoted);
}

static inline bool row_is_null(const struct outcome *outcome, const char *key)
{
    return strncmp(row_member(outcome->row, key), "null", 4) == 0;
}

static inline double row_number(const struct outcome *outcome, const char *key)
{
    assert_false(row_is_null(outcome, key));
    return strtod(row_member(outcome->row, key), NULL);
}

static inline uint64_t row_count(const struct outcome *outcome, const char *key)
{
    assert_false(row_is_null(outcome, key));
    return strtoull(row_member(outcome->row, key), NULL, 10);
}

static inline uint64_t row_member_count(const struct outcome *outcome, const char *object,
                                        const char *key)
{
    return strtoull(row_member(row_member(outcome->row, object), key), NULL, 10);
}

/* As written, escapes and all; good until the next call. */
static inline const char *row_text(struct outcome *outcome, const char *key)
{
    const char *text = row_member(outcome->row, key);
    if (*text != '"')
        fail_msg("%s is no text in %s", key, outcome->row);
    size_t bytes = 0;
    while (text[1 + bytes] != '"')
        bytes += text[1 + bytes] == '\\' ? 2 : 1;
    memcpy(outcome->value, text + 1, bytes);
    outcome->value[bytes] = '\0';
    return outcome->value;
}

#endif
