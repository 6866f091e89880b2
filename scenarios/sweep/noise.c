#include "scenarios/sweep/noise.h"

#include <assert.h>
#include <string.h>

enum { OTHER_DESCRIPTORS = 64, COLUMNS_MAX = 100, INDENT = 26 };

/* A fleet has a connection of each server, and a listener unless they share some; a client has a
 * connection of each. */
static uint64_t count_descriptors(const struct fleet *fleet)
{
    bool shared = strstr(fleet->cell->fleet_options, "listeners=shared") != NULL;

    return fleet->count * (shared ? 1 : 2) + OTHER_DESCRIPTORS;
}

struct noise_question noise_ask(struct arena *arena, const struct fleets *fleets, unsigned watch_ms)
{
    struct noise_question question = {
        .root = "", .root_later = "", .watch_ns = (uint64_t)watch_ms * OS_NS_PER_MS};

    question.ports = arena_take(arena, (fleets->count + 1) * sizeof *question.ports);
    for (unsigned i = 0; i < fleets->count; i++) {
        const struct fleet *fleet = fleets->items[i];

        if (fleet->count > question.servers)
            question.servers = fleet->count;
        if (count_descriptors(fleet) > question.descriptors)
            question.descriptors = count_descriptors(fleet);
        if (fleet->link == NULL) /* ports on a link are its namespace's own */
            question.ports[question.port_count++] =
                (struct noise_ports){fleet->base, fleet_ports(fleet)};
    }
    if (fleets->count == 0) {
        question.servers = NOISE_SERVERS;
        question.descriptors = NOISE_SERVERS * 2 + OTHER_DESCRIPTORS;
        question.ports[question.port_count++] = (struct noise_ports){NOISE_PORT, NOISE_SERVERS};
    }
    return question;
}

void noise_add(struct noise *noise, const char *name, enum noise_level level, const char *found,
               const char *why, const char *advice)
{
    struct noise_finding finding = {.name = name, .level = level, .found = found};

    assert(noise->count < NOISE_FINDINGS_MAX);
    assert((level == NOISE_UNKNOWN) == (found == NULL));
    if (found == NULL)
        finding.found = "the system does not say";
    if (level == NOISE_NOISY) {
        finding.why = why;
        finding.advice = advice;
    }
    noise->items[noise->count++] = finding;
}

unsigned noise_count(const struct noise *noise, enum noise_level level)
{
    unsigned count = 0;

    for (unsigned i = 0; i < noise->count; i++)
        count += noise->items[i].level == level;
    return count;
}

static const char *level_name(enum noise_level level)
{
    static const char *const names[] = {
        [NOISE_CALM] = "calm", [NOISE_NOISY] = "noisy", [NOISE_UNKNOWN] = "unknown"};

    return names[level];
}

/* Goes on behind `column` columns, breaking lines at blanks. */
static void print_wrapped(FILE *out, int column, const char *text)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");

        if (column > INDENT && column + 1 + length > COLUMNS_MAX) {
            fprintf(out, "\n%*s", INDENT, "");
            column = INDENT;
        }
        column += fprintf(out, "%s%.*s", column > INDENT ? " " : "", length, text);
        text += length + (text[length] == ' ');
    }
    fputc('\n', out);
}

static void print_more(FILE *out, const char *heading, const char *text)
{
    if (text == NULL)
        return;
    fprintf(out, "%*s%s", INDENT, "", heading);
    print_wrapped(out, INDENT + (int)strlen(heading), text);
}

void noise_print(FILE *out, const struct noise *noise)
{
    unsigned noisy = noise_count(noise, NOISE_NOISY);

    fprintf(out, "%-15s  %-9s%s\n", "what", "", "found");
    for (unsigned i = 0; i < noise->count; i++) {
        const struct noise_finding *finding = &noise->items[i];
        const char *level = finding->level == NOISE_NOISY ? "NOISY" : level_name(finding->level);

        fprintf(out, "%-15s  %-9s", finding->name, level);
        print_wrapped(out, INDENT, finding->found);
        print_more(out, "why:", finding->why);
        print_more(out, "do:", finding->advice);
    }
    if (noisy == 0)
        fprintf(out, "\nNothing found that would make results noisy.\n");
    else
        fprintf(out,
                "\n%u of %u will make results noisy: intervals get wider, and more repeats "
                "are needed.\n",
                noisy, noise->count);
}

const char *noise_words(struct arena *arena, const struct noise *noise)
{
    const char *words = "";

    for (unsigned i = 0; i < noise->count; i++) {
        if (noise->items[i].level == NOISE_NOISY)
            words = arena_text(arena, "%s%s%s", words, *words == '\0' ? "" : ", ",
                               noise->items[i].name);
    }
    return words;
}

void noise_write(struct json *json, const struct noise *noise)
{
    json_text(json, "time_utc", noise->time_utc);
    json_number(json, "watched_ms", (double)noise->watch_ns / OS_NS_PER_MS);
    json_count(json, "noisy", noise_count(noise, NOISE_NOISY));
    json_count(json, "unknown", noise_count(noise, NOISE_UNKNOWN));
    json_object_open(json, "findings");
    for (unsigned i = 0; i < noise->count; i++) {
        const struct noise_finding *finding = &noise->items[i];

        json_object_open(json, finding->name);
        json_text(json, "level", level_name(finding->level));
        json_text(json, "found", finding->found);
        json_text(json, "why", finding->why);
        json_text(json, "advice", finding->advice);
        json_object_close(json);
    }
    json_object_close(json);
}
