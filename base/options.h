/* Command lines: one table line per option gives its name, help, default, range and place.
 *
 * A program fills a `struct option_set`; options_parse sets every default, reads argv, answers the
 * options "help" and "version" itself, and reports bad input as one line that names the option and
 * what would be right. */
#ifndef FANIN_OPTIONS_H
#define FANIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_OK = 0, OPTIONS_DONE = 1, OPTIONS_WRONG = 2 };

/* Exit codes of every program of the suite. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_MEASURED_FAILURE = 1,
    EXIT_WRONG_USE = 2,
    EXIT_MACHINE_CANNOT = 3
};

struct option_spec;

/* An option's parser: reads `text` into `field`. 0, or -1 with `why` (at most why_bytes, no
 * newline) saying what would be right, e.g. "takes a whole number from 1 to 1024". */
typedef int option_parser(const struct option_spec *spec, const char *text, void *field, char *why,
                          size_t why_bytes);

struct option_spec {
    const char *name;     /* long name, without the dashes */
    const char *value;    /* what --help calls the value ("BYTES"); NULL: a flag */
    const char *fallback; /* the default, parsed as if typed; NULL: field keeps what it had */
    const char *help;     /* may hold newlines; --help indents them */
    option_parser *parse;
    size_t offset;            /* of the field in the program's struct */
    uint64_t min, max;        /* inclusive range of a number or of a text's bytes; max 0: none */
    const char *const *names; /* for options_choice: NULL-terminated */
};

/* A line of `options` with help == NULL and name != NULL is a heading in --help. The table ends
 * with a line whose name is NULL. */
struct option_set {
    const char *program;  /* "fanin-client" */
    const char *synopsis; /* the line after "Usage: fanin-client " */
    const char *about;    /* what it does, a paragraph before the options */
    const char *epilogue; /* examples and exit codes, after the options; may be NULL */
    const struct option_spec *options;
    const char *operands; /* what operands are called; NULL: none are taken */
};

/* The environment variable by which a program asks those that it starts to take whole names of
 * options only: it records the names that it passes on, and they must name what they set. */
#define OPTIONS_WHOLE_NAMES "FANIN_WHOLE_NAMES"

/* options_parse: OPTIONS_OK with *operand the index of the first operand in argv (argv may be
 * reordered); OPTIONS_DONE after --help or --version (printed to stdout); OPTIONS_WRONG after one
 * line on stderr. Accepts --name=value, --name value, unique prefixes (unless the environment
 * has OPTIONS_WHOLE_NAMES), and for flags --name, --name=yes and --name=no. Blanks around numbers
 * and names of choices mean nothing. */
int options_parse(const struct option_set *set, int argc, char **argv, void *fields, int *operand);

/* Parsers. The field's type is in brackets. */
option_parser options_flag;   /* [bool] */
option_parser options_string; /* [const char *] points into argv */
option_parser options_count;  /* [uint64_t] whole number within min..max; takes 10k, 1M (decimal) */
option_parser options_bytes;  /* [uint64_t] "64k" and "64KiB" (binary), "100kB" (decimal) */
option_parser options_millis; /* [uint64_t] milliseconds; takes "500", "500ms", "2s" */
option_parser options_rate;   /* [double] >= 0 within min..max */
option_parser options_choice; /* [int] index into names */
option_parser options_range;  /* [struct byte_range] "256..100kB" or one size */
option_parser options_text;   /* [struct text_value] with C escapes: \r \n \t \0 \\ \xHH */

struct byte_range {
    uint64_t min, max;
};

enum { TEXT_BYTES_MAX = 1024 };

struct text_value {
    size_t bytes;
    char data[TEXT_BYTES_MAX + 1]; /* NUL-terminated too, though it may hold NULs */
};

/* ---- what parsers share ---------------------------------------------------------------------- */

struct unit { /* a list of them ends with the suffix NULL */
    const char *suffix;
    uint64_t factor;
};

/* In nanoseconds; in bits a second. */
extern const struct unit values_durations[], values_bit_rates[];

/* values_quantity_parse: digits, perhaps with a fraction of a unit above 1, and one of the units;
 * blanks around them. False unless their product is whole and fits. */
bool values_quantity_parse(const char *text, const struct unit *units, uint64_t *value);

/* values_name_parse: sets *name to that of the list which `text` is, but for blanks around it; a
 * list gives a name and a line on it by index, NULL after the last. 0, or -1 with `why`. */
typedef const char *name_list(unsigned index, const char **summary);
int values_name_parse(const char *text, name_list *names, const char **name, char *why,
                      size_t why_bytes);

/* values_domain_text: "from 256 to 64MiB" or "at least 1", in the option's own unit, or its names
 * as "auto, epoll"; "" when it has neither. Cut to text_bytes. */
void values_domain_text(const struct option_spec *spec, char *text, size_t text_bytes);

/* why_write: writes `why` by printf's format, cut to why_bytes; returns -1. */
int why_write(char *why, size_t why_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define FANIN_VERSION "0.1.0"

#endif
