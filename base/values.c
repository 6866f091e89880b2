/* The parsers of options.h. Numbers are read as decimal digits times a unit, never through floating
 * point, so that "1.25MB" is exactly 1250000 and what does not come out whole is refused. */
#include "base/options.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"

enum { RANGE_TEXT_BYTES = 64, DOMAIN_TEXT_BYTES = 512 };

#define BLANKS " \t"

static const struct unit count_units[] = {
    {"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};

/* Of units of one size the last is the one that messages use. */
static const struct unit byte_units[] = {
    {"B", 1},         {"", 1},        {"k", 1 << 10},   {"K", 1 << 10},     {"kiB", 1 << 10},
    {"KiB", 1 << 10}, {"M", 1 << 20}, {"MiB", 1 << 20}, {"G", 1 << 30},     {"GiB", 1 << 30},
    {"KB", 1000},     {"kB", 1000},   {"MB", 1000000},  {"GB", 1000000000}, {NULL, 0}};

const struct unit values_durations[] = {
    {"ns", 1}, {"us", 1000}, {"ms", OS_NS_PER_MS}, {"s", OS_NS_PER_S}, {NULL, 0}};
const struct unit values_bit_rates[] = {
    {"bit", 1},           {"kbit", 1000},       {"mbit", 1000000}, {"Mbit", 1000000},
    {"gbit", 1000000000}, {"Gbit", 1000000000}, {NULL, 0}};

static const struct unit milli_units[] = {
    {"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {NULL, 0}};

/* ---- what is right, in words -------------------------------------------------------------- */

/* The biggest unit that leaves a whole number reads best: 64MiB, 100kB, 2s. */
static void number_text(const struct option_spec *spec, uint64_t value, char text[RANGE_TEXT_BYTES])
{
    const struct unit *best = &count_units[0], *unit = &(struct unit){NULL, 0};
    if (spec->parse == options_bytes || spec->parse == options_range)
        unit = byte_units;
    else if (spec->parse == options_millis)
        unit = milli_units;
    for (; unit->suffix; unit++)
        if (value >= unit->factor && value % unit->factor == 0 && unit->factor >= best->factor)
            best = unit;
    snprintf(text, RANGE_TEXT_BYTES, "%llu%s", (unsigned long long)(value / best->factor),
             best->suffix);
}

void values_domain_text(const struct option_spec *spec, char *text, size_t text_bytes)
{
    assert(text_bytes > 0);
    text[0] = '\0';
    for (size_t i = 0, used = 0; spec->names && spec->names[i]; i++, used = strlen(text))
        snprintf(text + used, text_bytes - used, "%s%s", i ? ", " : "", spec->names[i]);
    if (spec->names || (spec->min == 0 && spec->max == 0))
        return;
    char min[RANGE_TEXT_BYTES], max[RANGE_TEXT_BYTES];
    number_text(spec, spec->min, min);
    number_text(spec, spec->max, max);
    if (spec->max > 0)
        snprintf(text, text_bytes, "from %s to %s", min, max);
    else
        snprintf(text, text_bytes, "at least %s", min);
}

int why_write(char *why, size_t why_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, why_bytes, format, arguments);
    va_end(arguments);
    return -1;
}

/* Whether `text` is the word, but for blanks around it. */
static bool is_word(const char *text, const char *word)
{
    size_t bytes = strlen(text);
    text = text_trim(text, &bytes);
    return strlen(word) == bytes && memcmp(text, word, bytes) == 0;
}

/* ---- numbers ----------------------------------------------------------------------------- */

/* Blanks behind the suffix, as before the number, mean nothing. */
static const struct unit *unit_find(const struct unit *units, const char *suffix)
{
    for (; units->suffix; units++)
        if (is_word(suffix, units->suffix))
            return units;
    return NULL;
}

bool values_quantity_parse(const char *text, const struct unit *units, uint64_t *value)
{
    uint64_t digits = 0, scale = 1;
    bool point = false;
    text += strspn(text, BLANKS);
    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        if (__builtin_mul_overflow(digits, 10, &digits) ||
            __builtin_add_overflow(digits, (uint64_t)(*text - '0'), &digits) ||
            (point && __builtin_mul_overflow(scale, 10, &scale)))
            return false;
    }
    if (text[-1] == '.')
        return false;
    const struct unit *unit = unit_find(units, text);
    /* Of ones there are no fractions: 1.000 is how some write 1000. */
    if (!unit || (point && unit->factor == 1) ||
        __builtin_mul_overflow(digits, unit->factor, &digits) || digits % scale != 0)
        return false;
    *value = digits / scale;
    return true;
}

static bool in_range(const struct option_spec *spec, uint64_t value)
{
    return value >= spec->min && (spec->max == 0 || value <= spec->max);
}

/* "takes <what> from 1 to 9<hint>" */
static int refuse_number(const struct option_spec *spec, const char *what, const char *hint,
                         char *why, size_t why_bytes)
{
    char range[DOMAIN_TEXT_BYTES];
    values_domain_text(spec, range, sizeof(range));
    return why_write(why, why_bytes, "takes %s%s%s%s", what, range[0] ? " " : "", range, hint);
}

/* A whole number of some unit into a uint64_t. */
static int quantity_option(const struct option_spec *spec, const char *text, void *field,
                           const struct unit *units, const char *what, const char *hint, char *why,
                           size_t why_bytes)
{
    uint64_t value;
    if (!values_quantity_parse(text, units, &value) || !in_range(spec, value))
        return refuse_number(spec, what, hint, why, why_bytes);
    *(uint64_t *)field = value;
    return 0;
}

int options_count(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    return quantity_option(spec, text, field, count_units, "a whole number", "", why, why_bytes);
}

int options_bytes(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    return quantity_option(spec, text, field, byte_units, "a size",
                           " (such as 4096, 64KiB or 100kB)", why, why_bytes);
}

int options_millis(const struct option_spec *spec, const char *text, void *field, char *why,
                   size_t why_bytes)
{
    return quantity_option(spec, text, field, milli_units, "a time", " (such as 500, 500ms or 2s)",
                           why, why_bytes);
}

/* Digits first, so that strtod's signs, blanks, hexadecimals, "inf" and "nan" are out. */
static bool rate_parse(const char *text, double *value)
{
    text += strspn(text, BLANKS);
    size_t digits = strspn(text, "0123456789.");
    if (!isdigit((unsigned char)text[0]))
        return false;
    const struct unit *unit = unit_find(count_units, text + digits);
    if (!unit)
        return false;
    char *end;
    *value = strtod(text, &end) * (double)unit->factor;
    return end == text + digits;
}

int options_rate(const struct option_spec *spec, const char *text, void *field, char *why,
                 size_t why_bytes)
{
    double value;
    if (!rate_parse(text, &value) || value < (double)spec->min ||
        (spec->max > 0 && value > (double)spec->max))
        return refuse_number(spec, "a number", " (such as 500, 0.5 or 10k)", why, why_bytes);
    *(double *)field = value;
    return 0;
}

static bool range_parse(const char *text, struct byte_range *range)
{
    char low[RANGE_TEXT_BYTES];
    const char *dots = strstr(text, "..");
    if (!dots) {
        bool whole = values_quantity_parse(text, byte_units, &range->min);
        range->max = range->min;
        return whole;
    }
    size_t low_bytes = (size_t)(dots - text);
    if (low_bytes >= sizeof(low))
        return false;
    memcpy(low, text, low_bytes);
    low[low_bytes] = '\0';
    return values_quantity_parse(low, byte_units, &range->min) &&
           values_quantity_parse(dots + 2, byte_units, &range->max) && range->min <= range->max;
}

int options_range(const struct option_spec *spec, const char *text, void *field, char *why,
                  size_t why_bytes)
{
    struct byte_range range = {0, 0};
    if (!range_parse(text, &range) || !in_range(spec, range.min) || !in_range(spec, range.max))
        return refuse_number(spec, "one size or two, the smaller first,",
                             " (such as 4096 or 256..100kB)", why, why_bytes);
    *(struct byte_range *)field = range;
    return 0;
}

/* ---- flags, texts, choices --------------------------------------------------------------- */

int options_flag(const struct option_spec *spec, const char *text, void *field, char *why,
                 size_t why_bytes)
{
    bool yes = !text || is_word(text, "yes");
    if (!yes && !is_word(text, "no"))
        return why_write(why, why_bytes, "takes yes or no");
    *(bool *)field = yes;
    return 0;
}

int options_string(const struct option_spec *spec, const char *text, void *field, char *why,
                   size_t why_bytes)
{
    *(const char **)field = text;
    return 0;
}

int values_name_parse(const char *text, name_list *names, const char **name, char *why,
                      size_t why_bytes)
{
    const char *summary;
    for (unsigned i = 0; (*name = names(i, &summary)) != NULL; i++)
        if (is_word(text, *name))
            return 0;
    why_write(why, why_bytes, "takes one of");
    for (unsigned i = 0; (*name = names(i, &summary)) != NULL; i++) {
        const size_t used = strlen(why);
        why_write(why + used, why_bytes - used, "%s %s", i > 0 ? "," : "", *name);
    }
    return -1;
}

int options_choice(const struct option_spec *spec, const char *text, void *field, char *why,
                   size_t why_bytes)
{
    for (int i = 0; spec->names[i]; i++) {
        if (is_word(text, spec->names[i])) {
            *(int *)field = i;
            return 0;
        }
    }
    char names[DOMAIN_TEXT_BYTES];
    values_domain_text(spec, names, sizeof(names));
    return why_write(why, why_bytes, "takes one of %s", names);
}

/* Reads what follows a backslash. Returns the number of characters; 0: not an escape. */
static size_t escape_parse(const char *text, char *byte)
{
    static const char names[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
    if (text[0] == 'x') {
        if (!isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2]))
            return 0;
        *byte = (char)strtoul((char[]){text[1], text[2], '\0'}, NULL, 16);
        return 3;
    }
    const char *found = text[0] ? strchr(names, text[0]) : NULL;
    if (!found)
        return 0;
    *byte = bytes[found - names];
    return 1;
}

int options_text(const struct option_spec *spec, const char *text, void *field, char *why,
                 size_t why_bytes)
{
    struct text_value value = {0};
    size_t max = spec->max > 0 && spec->max < TEXT_BYTES_MAX ? (size_t)spec->max : TEXT_BYTES_MAX;
    while (*text) {
        char byte = *text++;
        size_t escaped = byte == '\\' ? escape_parse(text, &byte) : 0;
        if (text[-1] == '\\' && escaped == 0)
            return why_write(why, why_bytes, "takes text with the escapes %s",
                             "\\r \\n \\t \\0 \\\\ \\xHH");
        text += escaped;
        if (value.bytes < max)
            value.data[value.bytes] = byte;
        value.bytes++;
    }
    if (value.bytes < spec->min || value.bytes > max)
        return why_write(why, why_bytes, "takes a text of %llu to %llu bytes",
                         (unsigned long long)spec->min, (unsigned long long)max);
    *(struct text_value *)field = value;
    return 0;
}
