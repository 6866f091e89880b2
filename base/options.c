/* Command lines, on top of getopt_long, which splits argv and completes prefixes; the messages, the
 * defaults and --help are ours. */
#include "base/options.h"

#include <assert.h>
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTIONS_MAX = 96, /* lines of a table */
    NAME_BYTES_MAX = 32,
    WHY_BYTES = 640,
    HELP_COLUMNS = 100,
    HELP_TEXT_COLUMN = 30, /* where an option's help begins */
    OPTION_CODE = 256,     /* getopt's code of the first line; below are short options */
    HELP_CODE = OPTION_CODE + OPTIONS_MAX,
    VERSION_CODE,
};

static const struct option_spec built_in[] = {
    {.name = "Help"},
    {.name = "help", .help = "prints this page and ends"},
    {.name = "version", .help = "prints the version and ends"},
    {.name = NULL},
};

static bool is_heading(const struct option_spec *spec)
{
    return !spec->help;
}

static void *field_of(const struct option_spec *spec, void *fields)
{
    return (char *)fields + spec->offset;
}

/* ---- messages ---------------------------------------------------------------------------- */

/* Quotes what the user typed so that the message stays one line whatever it holds. */
static void quote(const char *text)
{
    fputc('"', stderr);
    for (; *text; text++) {
        if (iscntrl((unsigned char)*text))
            fprintf(stderr, "\\x%02x", (unsigned)(unsigned char)*text);
        else
            fputc(*text, stderr);
    }
    fputc('"', stderr);
}

/* Edit distance, one row of the usual table at a time. */
static size_t distance(const char *a, size_t a_bytes, const char *b)
{
    size_t row[NAME_BYTES_MAX + 1];
    size_t b_bytes = strlen(b);
    assert(b_bytes <= NAME_BYTES_MAX);
    for (size_t j = 0; j <= b_bytes; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_bytes];
}

/* The option whose name differs from `name` in less than a third of it; NULL if none does. */
static const char *nearest_name(const struct option_spec *options, const char *name, size_t bytes)
{
    const char *nearest = NULL;
    size_t least = bytes / 3 + 1;
    for (const struct option_spec *spec = options; spec->name; spec++) {
        size_t differs = is_heading(spec) ? least : distance(name, bytes, spec->name);
        if (differs < least) {
            least = differs;
            nearest = spec->name;
        }
    }
    return nearest;
}

/* "PROGRAM: BEFORE "WORD"AFTER" */
static int refuse_word(const struct option_set *set, const char *before, const char *word,
                       const char *after)
{
    fprintf(stderr, "%s: %s ", set->program, before);
    quote(word);
    fprintf(stderr, "%s\n", after);
    return OPTIONS_WRONG;
}

/* `word` as typed: --name or --name=value that getopt could not place. */
static int refuse_long(const struct option_set *set, const struct option *longs, const char *word)
{
    const char *name = word + 2;
    size_t bytes = strcspn(name, "=");
    char meant[(OPTIONS_MAX + 2) * (NAME_BYTES_MAX + 3)] = "";
    int count = 0, used = 0;
    for (; longs->name; longs++) {
        if (strncmp(longs->name, name, bytes) != 0)
            continue;
        used += snprintf(meant + used, sizeof(meant) - (size_t)used, " --%s", longs->name);
        count++;
    }
    if (bytes > 0 && count > 1) {
        fprintf(stderr, "%s: --%.*s could be any of%s; write more of it\n", set->program,
                (int)bytes, name, meant);
        return OPTIONS_WRONG;
    }
    const char *nearest = nearest_name(set->options, name, bytes);
    char typed[NAME_BYTES_MAX + 3], after[NAME_BYTES_MAX + 32] = "; --help lists them all";
    snprintf(typed, sizeof(typed), "--%.*s", (int)bytes, name);
    if (nearest)
        snprintf(after, sizeof(after), "; did you mean --%s?", nearest);
    return refuse_word(set, "there is no option", typed, after);
}

/* ---- --help ------------------------------------------------------------------------------ */

/* Prints text from `column` on, wrapped at HELP_COLUMNS; its own newlines are kept, and the blanks
 * at the start of a line of it indent that line whole. */
static void print_wrapped(const char *text, int indent, int column)
{
    while (*text) {
        int own = (int)strspn(text, " ");
        size_t line_bytes = strcspn(text, "\n");
        const char *end = text + line_bytes;
        bool fresh = true;
        text += own;
        while (text < end) {
            int word = (int)strcspn(text, " \n");
            if (!fresh && column + 1 + word > HELP_COLUMNS) {
                putchar('\n');
                column = 0;
                fresh = true;
            }
            int gap = fresh ? indent + own - column : 1;
            printf("%*s%.*s", gap > 0 ? gap : 0, "", word, text);
            column += (gap > 0 ? gap : 0) + word;
            fresh = false;
            text += word;
            text += strspn(text, " ");
        }
        putchar('\n');
        column = 0;
        text = *end ? end + 1 : end;
    }
}

/* "  (from 1 to 1024; default 6)": what the table knows besides the help text. */
static void append_facts(const struct option_spec *spec, char *text, size_t text_bytes)
{
    char domain[WHY_BYTES] = "";
    if (spec->value && spec->parse != options_text)
        values_domain_text(spec, domain, sizeof(domain));
    bool typed = spec->value && spec->fallback && spec->fallback[0];
    if (!domain[0] && !typed)
        return;
    size_t used = strlen(text);
    snprintf(text + used, text_bytes - used, " (%s%s%s%s)", domain, domain[0] && typed ? "; " : "",
             typed ? "default " : "", typed ? spec->fallback : "");
}

static void print_options(const struct option_spec *spec)
{
    for (; spec->name; spec++) {
        if (is_heading(spec)) {
            printf("\n%s:\n", spec->name);
            continue;
        }
        int column = printf("  --%s%s%s", spec->name, spec->value ? " " : "",
                            spec->value ? spec->value : "");
        if (column > HELP_TEXT_COLUMN - 2) {
            putchar('\n');
            column = 0;
        }
        char text[4 * WHY_BYTES];
        snprintf(text, sizeof(text), "%s", spec->help);
        append_facts(spec, text, sizeof(text));
        print_wrapped(text, HELP_TEXT_COLUMN, column);
    }
}

static void print_help(const struct option_set *set)
{
    int column = printf("Usage: %s ", set->program);
    print_wrapped(set->synopsis, column, column);
    putchar('\n');
    print_wrapped(set->about, 0, 0);
    if (!is_heading(&set->options[0]))
        printf("\nOptions:\n");
    print_options(set->options);
    print_options(built_in);
    if (set->epilogue) {
        putchar('\n');
        print_wrapped(set->epilogue, 0, 0);
    }
}

/* ---- parsing ----------------------------------------------------------------------------- */

static void set_defaults(const struct option_spec *options, void *fields)
{
    for (const struct option_spec *spec = options; spec->name; spec++) {
        char why[WHY_BYTES];
        if (is_heading(spec) || !spec->fallback)
            continue;
        int wrong = spec->parse(spec, spec->fallback, field_of(spec, fields), why, sizeof(why));
        assert(!wrong && "a default must be right by its own table line");
        (void)wrong;
    }
}

/* The code of line i is OPTION_CODE + i. */
static void fill_getopt(const struct option_spec *options, struct option *longs)
{
    for (int line = 0; options[line].name; line++) {
        assert(line < OPTIONS_MAX);
        if (is_heading(&options[line]))
            continue;
        assert(strlen(options[line].name) <= NAME_BYTES_MAX);
        *longs++ =
            (struct option){.name = options[line].name,
                            .has_arg = options[line].value ? required_argument : optional_argument,
                            .val = OPTION_CODE + line};
    }
    *longs++ = (struct option){.name = "help", .val = HELP_CODE};
    *longs++ = (struct option){.name = "version", .val = VERSION_CODE};
    *longs = (struct option){.name = NULL};
}

/* False after a line on stderr. `word` as typed: --name or --name=value. */
static bool name_may_be_short(const struct option_set *set, const char *name, const char *word)
{
    const int typed = (int)strcspn(word, "=");
    if (getenv(OPTIONS_WHOLE_NAMES) == NULL || strlen(name) + 2 == (size_t)typed)
        return true;
    fprintf(stderr, "%s: %.*s is only the beginning of a name; write --%s\n", set->program, typed,
            word, name);
    return false;
}

static int take_option(const struct option_set *set, const struct option_spec *spec, void *fields)
{
    char why[WHY_BYTES] = "", before[WHY_BYTES + 2 * NAME_BYTES_MAX];
    if (spec->parse(spec, optarg, field_of(spec, fields), why, sizeof(why)) == 0)
        return OPTIONS_OK;
    snprintf(before, sizeof(before), "--%s %s, not", spec->name, why);
    return refuse_word(set, before, optarg ? optarg : "", "");
}

/* getopt found something wrong: a missing value where optopt is an option's code, a value too much
 * where it is that of --help or --version, an unknown letter where it is smaller, and an unknown or
 * ambiguous name where it is 0. */
static int refuse(const struct option_set *set, const struct option *longs, char *const argv[])
{
    if (optopt >= HELP_CODE) {
        fprintf(stderr, "%s: --%s takes no value\n", set->program,
                optopt == HELP_CODE ? "help" : "version");
        return OPTIONS_WRONG;
    }
    if (optopt >= OPTION_CODE) {
        const struct option_spec *spec = &set->options[optopt - OPTION_CODE];
        assert(spec->value && "a flag may have a value or none");
        fprintf(stderr, "%s: --%s needs a value: --%s %s\n", set->program, spec->name, spec->name,
                spec->value);
        return OPTIONS_WRONG;
    }
    if (optopt)
        return refuse_word(set, "there is no option", (char[]){'-', (char)optopt, '\0'},
                           ", options are long; --help lists them all");
    return refuse_long(set, longs, argv[optind - 1]);
}

int options_parse(const struct option_set *set, int argc, char **argv, void *fields, int *operand)
{
    assert(set->program && set->synopsis && set->about && set->options);
    struct option longs[OPTIONS_MAX + 3];
    fill_getopt(set->options, longs);
    set_defaults(set->options, fields);
    optind = 0; /* glibc: start over, as every argv does */
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, ":", longs, NULL)) != -1;) {
        if (code == ':' || code == '?')
            return refuse(set, longs, argv);
        if (code == HELP_CODE) {
            print_help(set);
            return OPTIONS_DONE;
        }
        if (code == VERSION_CODE) {
            printf("%s " FANIN_VERSION "\n", set->program);
            return OPTIONS_DONE;
        }
        const struct option_spec *spec = &set->options[code - OPTION_CODE];
        const bool apart = optarg != NULL && optarg == argv[optind - 1];
        if (!name_may_be_short(set, spec->name, argv[optind - 1 - apart]) ||
            take_option(set, spec, fields) != OPTIONS_OK)
            return OPTIONS_WRONG;
    }
    *operand = optind;
    if (!set->operands && optind < argc)
        return refuse_word(set, "takes options only, not", argv[optind], "; --help lists them all");
    return OPTIONS_OK;
}
