/* Values of options: each is taken within its range, or refused in one line that says what is
 * right. */
#include "base/tests/fuzz.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/options.h"

enum { WHY_BYTES = 256 };

static const char *const names[] = {"auto", "epoll", "uring", NULL};

static union {
    bool flag;
    const char *string;
    uint64_t count;
    double rate;
    int choice;
    struct byte_range range;
    struct text_value text;
} field;

static void count_check(const struct option_spec *spec)
{
    assert(spec->max == 0 || (field.count >= spec->min && field.count <= spec->max));
}

static void rate_check(const struct option_spec *spec)
{
    assert(isfinite(field.rate) && field.rate >= 0);
}

static void choice_check(const struct option_spec *spec)
{
    assert(field.choice >= 0 && field.choice < 3);
}

static void range_check(const struct option_spec *spec)
{
    assert(field.range.min <= field.range.max);
    assert(field.range.min >= spec->min && field.range.max <= spec->max);
}

static void text_check(const struct option_spec *spec)
{
    assert(field.text.bytes <= TEXT_BYTES_MAX && field.text.data[field.text.bytes] == '\0');
}

static const struct {
    struct option_spec spec;
    void (*check)(const struct option_spec *spec); /* of a value that was taken */
} values[] = {
    {{.name = "flag", .parse = options_flag}, NULL},
    {{.name = "count", .parse = options_count, .min = 1, .max = 1024}, count_check},
    {{.name = "any", .parse = options_count}, count_check},
    {{.name = "bytes", .parse = options_bytes, .min = 256, .max = 64 << 20}, count_check},
    {{.name = "millis", .parse = options_millis, .min = 1, .max = 86400000}, count_check},
    {{.name = "rate", .parse = options_rate, .max = 1000000}, rate_check},
    {{.name = "choice", .parse = options_choice, .names = names}, choice_check},
    {{.name = "range", .parse = options_range, .min = 65, .max = 64 << 20}, range_check},
    {{.name = "text", .parse = options_text, .min = 1, .max = 16}, text_check},
};

int fuzz_input(const uint8_t *data, size_t bytes)
{
    char *text = fuzz_text(data, bytes), why[WHY_BYTES];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct option_spec *spec = &values[i].spec;
        memset(&field, 0, sizeof field);
        why[0] = '\0';
        if (spec->parse(spec, text, &field, why, sizeof why) != 0)
            assert(why[0] != '\0' && strchr(why, '\n') == NULL);
        else if (values[i].check != NULL)
            values[i].check(spec);
    }
    free(text);
    return 0;
}
