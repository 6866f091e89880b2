/* Runs a program's main inside a test and looks keys up in its row. */
#include "client/collector/tests/outcome.h"

void file_slurp(FILE *file, char *text)
{
    rewind(file);
    size_t bytes = fread(text, 1, OUTCOME_BYTES_MAX - 1, file);
    text[bytes] = '\0';
    fclose(file);
}

void outcome_take(struct outcome *outcome, int (*program)(int, char **), int count,
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
static const char *outcome_member(const char *from, const char *key)
{
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(from, quoted);
    if (found == NULL)
        fail_msg("no %s in %s", key, from);
    return found + strlen(quoted);
}

bool outcome_is_null(const struct outcome *outcome, const char *key)
{
    return strncmp(outcome_member(outcome->row, key), "null", 4) == 0;
}

double outcome_number(const struct outcome *outcome, const char *key)
{
    assert_false(outcome_is_null(outcome, key));
    return strtod(outcome_member(outcome->row, key), NULL);
}

uint64_t outcome_count(const struct outcome *outcome, const char *key)
{
    assert_false(outcome_is_null(outcome, key));
    return strtoull(outcome_member(outcome->row, key), NULL, 10);
}

uint64_t outcome_member_count(const struct outcome *outcome, const char *object, const char *key)
{
    return strtoull(outcome_member(outcome_member(outcome->row, object), key), NULL, 10);
}

const char *outcome_text(struct outcome *outcome, const char *key)
{
    const char *text = outcome_member(outcome->row, key);
    if (*text != '"')
        fail_msg("%s is no text in %s", key, outcome->row);
    size_t bytes = 0;
    while (text[1 + bytes] != '"')
        bytes += text[1 + bytes] == '\\' ? 2 : 1;
    memcpy(outcome->value, text + 1, bytes);
    outcome->value[bytes] = '\0';
    return outcome->value;
}
