/* The parsers of --work and --look. */
#include "client/collector/processing.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"

#define BYTE_NS_MAX   1e6  /* 1 ms */
#define RECORD_NS_MAX 1e9  /* 1 s */
#define LOOK_NS_MIN   1e5  /* 100 us */
#define LOOK_NS_MAX   10e9 /* 10 s */

#define WORK_EXAMPLES "such as touch:5ns/byte, spin:20us/record or touch:5ns/byte+20us/record"
#define LOOK_EXAMPLES "such as every:15.6ms:one or every:10ms:all"

/* Digits first, so that strtod's signs, hexadecimals, "inf" and "nan" are out. False, with *at
 * where it was: not a number; *unit: the one that follows, NULL: none. */
static bool read_time(const char **at, double *ns, const struct unit **unit)
{
    const size_t digits = strspn(*at, "0123456789.");
    char *end;
    *unit = NULL;
    if (!isdigit((unsigned char)**at))
        return false;
    *ns = strtod(*at, &end);
    if (end != *at + digits)
        return false;
    for (const struct unit *one = values_durations; one->suffix != NULL; one++)
        if (strncmp(end, one->suffix, strlen(one->suffix)) == 0) {
            *unit = one;
            *ns *= (double)one->factor;
            end += strlen(one->suffix);
            break;
        }
    *at = end;
    return true;
}

/* In the biggest unit that leaves 1 or more. */
static size_t time_text(double ns, char *text, size_t text_bytes)
{
    const struct unit *unit = values_durations;
    while (unit[1].suffix != NULL && ns >= (double)unit[1].factor)
        unit++;
    return (size_t)snprintf(text, text_bytes, "%.9g%s", ns / (double)unit->factor, unit->suffix);
}

/* Takes the word off the text. */
static bool take_word(const char **at, const char *word)
{
    const size_t bytes = strlen(word);
    if (strncmp(*at, word, bytes) != 0)
        return false;
    *at += bytes;
    return true;
}

static bool is_end(const char *at)
{
    return at[strspn(at, " \t")] == '\0';
}

/* Puts an option's text into its field, unless something is `wrong` with it. */
static int keep_text(const char *wrong, const char *examples, const char *text, void *field,
                     char *why, size_t why_bytes)
{
    if (wrong != NULL)
        return why_write(why, why_bytes, "%s%s", wrong, examples);
    *(const char **)field = text;
    return 0;
}

/* ---- work ------------------------------------------------------------------------------------ */

/* One cost, from *at on. NULL, or what is wrong with it. */
static const char *read_cost(const char **at, struct work_config *work, bool *bytes, bool *records)
{
    const struct unit *unit;
    double ns;
    if (!read_time(at, &ns, &unit))
        return "takes a number of 0 or more as a cost, ";
    if (unit == NULL)
        return "takes a cost with its unit, ns, us, ms or s, ";
    const bool is_byte = take_word(at, "/byte");
    if (!is_byte && !take_word(at, "/record"))
        return "takes a cost per byte or per record, ";
    if (*(is_byte ? bytes : records))
        return "takes one cost per byte and one per record, ";
    if (ns > (is_byte ? BYTE_NS_MAX : RECORD_NS_MAX))
        return "takes at most 1ms/byte and 1s/record, ";
    *(is_byte ? bytes : records) = true;
    *(is_byte ? &work->byte_ns : &work->record_ns) = ns;
    return NULL;
}

/* NULL, or what is wrong with the text. */
static const char *read_work(const char *at, struct work_config *work)
{
    bool bytes = false, records = false;
    *work = (struct work_config){.kind = WORK_NONE};
    at += strspn(at, " \t");
    if (take_word(&at, WORK_NONE_TEXT) && is_end(at))
        return NULL;
    if (take_word(&at, "touch"))
        work->kind = WORK_TOUCH;
    else if (take_word(&at, "spin"))
        work->kind = WORK_SPIN;
    else
        return "takes none, touch:COST or spin:COST, ";
    if (!take_word(&at, ":"))
        return "takes a cost behind touch and spin, ";
    const char *wrong;
    do {
        wrong = read_cost(&at, work, &bytes, &records);
    } while (wrong == NULL && take_word(&at, "+"));
    return wrong != NULL || is_end(at) ? wrong : "takes up to two costs with a + between them, ";
}

int options_work(const struct option_spec *spec, const char *text, void *field, char *why,
                 size_t why_bytes)
{
    struct work_config work;
    return keep_text(read_work(text, &work), WORK_EXAMPLES, text, field, why, why_bytes);
}

static void work_text(const struct work_config *work, char text[PROCESSING_TEXT_BYTES])
{
    if (work->kind == WORK_NONE) {
        snprintf(text, PROCESSING_TEXT_BYTES, WORK_NONE_TEXT);
        return;
    }
    const struct {
        double ns;
        const char *per;
    } costs[] = {{work->byte_ns, "/byte"}, {work->record_ns, "/record"}};
    const bool is_free = work->byte_ns == 0 && work->record_ns == 0;
    const char *between = work->kind == WORK_TOUCH ? "touch:" : "spin:";
    size_t used = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (costs[i].ns == 0 && !(is_free && i == 0))
            continue;
        used += (size_t)snprintf(text + used, PROCESSING_TEXT_BYTES - used, "%s", between);
        used += time_text(costs[i].ns, text + used, PROCESSING_TEXT_BYTES - used);
        used += (size_t)snprintf(text + used, PROCESSING_TEXT_BYTES - used, "%s", costs[i].per);
        between = "+";
    }
}

/* ---- look ------------------------------------------------------------------------------------ */

/* NULL, or what is wrong with the text. */
static const char *read_look(const char *at, struct look_config *look)
{
    const struct unit *unit = NULL;
    double ns = 0;
    *look = (struct look_config){.every_ns = 0};
    at += strspn(at, " \t");
    if (take_word(&at, LOOK_WAKE_TEXT) && is_end(at))
        return NULL;
    if (!take_word(&at, "every:"))
        return "takes wake, or every:TIME with :one or :all behind it, ";
    if (!read_time(&at, &ns, &unit) || unit == NULL)
        return "takes a time with its unit, us, ms or s, ";
    if (ns < LOOK_NS_MIN || ns > LOOK_NS_MAX)
        return "takes a time from 100us to 10s, ";
    look->every_ns = (uint64_t)(ns + 0.5);
    look->one = take_word(&at, ":one");
    if (!look->one)
        take_word(&at, ":all");
    return is_end(at) ? NULL : "takes :one or :all behind the time, ";
}

int options_look(const struct option_spec *spec, const char *text, void *field, char *why,
                 size_t why_bytes)
{
    struct look_config look;
    return keep_text(read_look(text, &look), LOOK_EXAMPLES, text, field, why, why_bytes);
}

static void look_text(const struct look_config *look, char text[PROCESSING_TEXT_BYTES])
{
    char every[PROCESSING_TEXT_BYTES / 2];
    time_text((double)look->every_ns, every, sizeof every);
    if (look->every_ns == 0)
        snprintf(text, PROCESSING_TEXT_BYTES, LOOK_WAKE_TEXT);
    else
        snprintf(text, PROCESSING_TEXT_BYTES, "every:%s:%s", every, look->one ? "one" : "all");
}

void processing_read(struct processing *processing, const char *work, const char *look)
{
    const char *wrong = read_work(work, &processing->work);
    assert(wrong == NULL);
    wrong = read_look(look, &processing->look);
    assert(wrong == NULL);
    (void)wrong;
    if (processing->work.kind == WORK_TOUCH)
        work_measure_read(&processing->work);
    work_text(&processing->work, processing->work_text);
    look_text(&processing->look, processing->look_text);
}
