/* Runs a program's main inside a test and looks keys up in its row. */
#include "client/collector/tests/results.h"

struct results results;

void file_slurp(FILE *file, char *text)
{
    rewind(file);
    size_t bytes = fread(text, 1, RESULTS_BYTES_MAX - 1, file);
    text[bytes] = '\0';
    fclose(file);
}

void results_take(int (*program)(int, char **), ...)
{
    enum { WORDS_MAX = 32 };
    char path[64], *words[WORDS_MAX] = {(char *)"test", path, (char *)"--quiet"};
    int count = 3;
    FILE *row = tmpfile(), *errors = tmpfile();
    va_list options;
    assert_non_null(row);
    assert_non_null(errors);
    snprintf(path, sizeof path, "--json=/proc/self/fd/%d", fileno(row));
    va_start(options, program);
    while ((words[count] = va_arg(options, char *)) != NULL)
        assert_true(++count < WORDS_MAX);
    va_end(options);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(errors), STDERR_FILENO);
    results.exit_code = program(count, words);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    file_slurp(row, results.row);
    file_slurp(errors, results.errors);
}

/* What follows the key, in the row or in the object that the part before a dot names. */
static const char *value_of(const char *key)
{
    const char *at = results.row;
    for (const char *part = key; *part != '\0';) {
        char quoted[80];
        size_t bytes = strcspn(part, ".");
        snprintf(quoted, sizeof quoted, "\"%.*s\":", (int)bytes, part);
        at = strstr(at, quoted);
        if (at == NULL)
            fail_msg("no %s in %s%s", key, results.row, results.errors);
        at += strlen(quoted);
        part += bytes + (part[bytes] == '.');
    }
    return at;
}

bool results_is_null(const char *key)
{
    return strncmp(value_of(key), "null", 4) == 0;
}

double results_number(const char *key)
{
    assert_false(results_is_null(key));
    return strtod(value_of(key), NULL);
}

uint64_t results_count(const char *key)
{
    assert_false(results_is_null(key));
    return strtoull(value_of(key), NULL, 10);
}

const char *results_text(const char *key)
{
    static char text[RESULTS_BYTES_MAX];
    const char *value = value_of(key);
    if (*value != '"')
        fail_msg("%s is no text in %s", key, results.row);
    size_t bytes = 0;
    while (value[1 + bytes] != '"')
        bytes += value[1 + bytes] == '\\' ? 2 : 1;
    memcpy(text, value + 1, bytes);
    text[bytes] = '\0';
    return text;
}

void assert_results(int exit_code, const char *format, ...)
{
    char wanted[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wanted, sizeof wanted, format, arguments);
    va_end(arguments);
    if (results.exit_code != exit_code)
        fail_msg("exit code %d: %s%s", results.exit_code, results.row, results.errors);
    for (char *key = wanted, *next; key != NULL; key = next) {
        next = strstr(key, ", ");
        if (next != NULL) {
            *next = '\0';
            next += 2;
        }
        char *begin = strchr(key, '=');
        *begin++ = '\0';
        const char *value = value_of(key);
        const bool is_text = *value == '"';
        value += is_text;
        size_t bytes = strcspn(value, is_text ? "\"" : ",}"), wanted_bytes = strlen(begin);
        if (wanted_bytes > 0 && begin[wanted_bytes - 1] == '*')
            bytes = --wanted_bytes;
        if (bytes != wanted_bytes || strncmp(value, begin, bytes) != 0)
            fail_msg("%s is not %s: %s%s", key, begin, results.row, results.errors);
    }
}
