/* Reads and writes the values of a calibration's factor. */
#include "scenarios/sweep/factor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789."

enum { DIGITS_SHOWN = 3 };

/* A number is digits and a point; strtod would take more, such as an exponent's sign. */
static bool take_number(struct arena *arena, const char *text, double *number, const char **after)
{
    char *end;
    const char *digits = arena_copy(arena, text, strspn(text, DIGITS));
    *after = text + strlen(digits);
    *number = strtod(digits, &end);
    return *digits != '\0' && *end == '\0' && isfinite(*number) && *number > 0;
}

/* Finds the number in which the two ends differ. */
static bool split(struct arena *arena, struct factor *factor)
{
    const char *from = factor->from_text, *to = factor->to_text, *to_after;
    size_t same = 0;
    while (from[same] != '\0' && from[same] == to[same])
        same++;
    while (same > 0 && strchr(DIGITS, from[same - 1]) != NULL)
        same--;
    factor->before = arena_copy(arena, from, same);
    return take_number(arena, from + same, &factor->from, &factor->after) &&
           take_number(arena, to + same, &factor->to, &to_after) &&
           strcmp(factor->after, to_after) == 0 && factor->from < factor->to;
}

int factor_parse(struct arena *arena, const struct setting *setting, struct factor *factor,
                 struct error *error)
{
    static const char dots[] = "..";
    const char *text = setting->values[0].text;
    const size_t key_length = strcspn(text, " \t");
    const char *range = text + key_length + strspn(text + key_length, " \t");
    const char *middle = strstr(range, dots);
    *factor = (struct factor){.key = arena_copy(arena, text, key_length)};
    if (middle != NULL) {
        factor->from_text = arena_copy(arena, range, (size_t)(middle - range));
        factor->to_text = middle + strlen(dots);
    }
    if (middle == NULL || *factor->key == '\0' || !split(arena, factor))
        return error_set(error, &setting->place,
                         "calibrate = %s: takes KEY FROM..TO, two values that are alike but for "
                         "one number, the smaller first, such as cpu-share 2%%..25%%",
                         text);
    return 0;
}

const char *factor_text(struct arena *arena, const struct factor *factor, double *number)
{
    const int before_point = (int)floor(log10(*number)) + 1;
    const int places = DIGITS_SHOWN - before_point;
    const double step = pow(10, -places);
    const double rounded = places >= 0 ? *number : round(*number / step) * step;
    char *text = arena_text(arena, "%.*f", places < 0 ? 0 : places, rounded);
    if (strchr(text, '.') != NULL) {
        size_t length = strlen(text);
        while (text[length - 1] == '0')
            text[--length] = '\0';
        if (text[length - 1] == '.')
            text[length - 1] = '\0';
    }
    *number = strtod(text, NULL);
    return arena_text(arena, "%s%s%s", factor->before, text, factor->after);
}
