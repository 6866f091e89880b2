/* What a row is made of: for each kind of base/row_keys.h the declaration of its field, its first
 * value, which is null, and how it is written. */
#ifndef FANIN_ROW_H
#define FANIN_ROW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"

#define ROW_UNKNOWN UINT64_MAX /* a count that was not measured; of a number it is NAN */

enum { ROW_SCHEMA = 5, ROW_LINE_BYTES = 512, ROW_TALLY_NAMES = 48 };

enum row_status { ROW_OK, ROW_FAILED, ROW_SKIPPED };

/* Counts by name. Names are constants. */
struct row_tally {
    struct {
        const char *name;
        uint64_t count;
    } items[ROW_TALLY_NAMES];
    unsigned used;
};

struct row_bytes {
    const void *data; /* NULL: null */
    size_t bytes;
};

/* Fields: ROW_FIELD_count(frames) declares `frames`. */
#define ROW_FIELD_text(key)     const char *key;
#define ROW_FIELD_line(key)     char key[ROW_LINE_BYTES];
#define ROW_FIELD_choice(key)   const char *key;
#define ROW_FIELD_status(key)   enum row_status key;
#define ROW_FIELD_bytes(key)    struct row_bytes key;
#define ROW_FIELD_flag(key)     bool key;
#define ROW_FIELD_integer(key)  int64_t key;
#define ROW_FIELD_count(key)    uint64_t key;
#define ROW_FIELD_from1(key)    uint64_t key;
#define ROW_FIELD_number(key)   double key;
#define ROW_FIELD_positive(key) double key;
#define ROW_FIELD_time(key)     double key;
#define ROW_FIELD_tally(key)    struct row_tally key[1];

/* First values: what nobody measured is null, never 0. */
#define ROW_NULL_text     NULL
#define ROW_NULL_line     ""
#define ROW_NULL_choice   NULL
#define ROW_NULL_status   ROW_OK
#define ROW_NULL_bytes    ((struct row_bytes){NULL, 0})
#define ROW_NULL_flag     false
#define ROW_NULL_integer  INT64_MIN
#define ROW_NULL_count    ROW_UNKNOWN
#define ROW_NULL_from1    ROW_UNKNOWN
#define ROW_NULL_number   NAN
#define ROW_NULL_positive NAN
#define ROW_NULL_time     NAN
#define ROW_NULL_tally                                                                             \
    {                                                                                              \
        {                                                                                          \
            .used = 0                                                                              \
        }                                                                                          \
    }

/* Writers: one member each. */
void row_put_status(struct json *json, const char *key, enum row_status status);
void row_put_bytes(struct json *json, const char *key, struct row_bytes bytes);
void row_put_integer(struct json *json, const char *key, int64_t value);
void row_put_count(struct json *json, const char *key, uint64_t value);
void row_put_tally(struct json *json, const char *key, const struct row_tally *tally);
#define row_put_text     json_text
#define row_put_line     json_text
#define row_put_choice   json_text
#define row_put_flag     json_flag
#define row_put_from1    row_put_count
#define row_put_number   json_number
#define row_put_positive json_number
#define row_put_time     json_number

void row_tally_add(struct row_tally *tally, const char *name);

/* row_tally_text: ", 2 refused, 1 timeout" with `before` in place of the first comma; "" if there
 * are none. */
void row_tally_text(const struct row_tally *tally, const char *before, char text[ROW_LINE_BYTES]);

/* row_machine: the keys `host` and `os`. */
void row_machine(char host[ROW_LINE_BYTES], char os[ROW_LINE_BYTES]);

/* ---- the summary for people ---- */

/* Its text names keys of the row in braces. It is printed if none of them is null, and the key in
 * [] is not 0; of several lines in a row with the same name only the first such one. */
struct row_line {
    const char *name, *text;
};

/* row_lines_write: `show` gives the text of a key's value, or false: it is null. No line that is
 * named `left_out` (may be NULL) is written. */
typedef bool row_show(const void *row, const char *key, char text[ROW_LINE_BYTES]);
void row_lines_write(const struct row_line *lines, unsigned count, const char *left_out,
                     row_show *show, const void *row, FILE *out);

/* What a `show` is made of, for each kind: three digits that mean something, in a unit that fits.
 * False: the value is null, or of a kind that is not shown. */
bool row_show_number(double value, const char *unit, char text[ROW_LINE_BYTES]);
bool row_show_count(uint64_t value, const char *unit, char text[ROW_LINE_BYTES]);
bool row_show_text(const char *value, const char *unit, char text[ROW_LINE_BYTES]);
#define row_show_line                      row_show_text
#define row_show_choice                    row_show_text
#define row_show_from1                     row_show_count
#define row_show_positive                  row_show_number
#define row_show_time                      row_show_number
#define row_show_tally(value, unit, text)  (row_tally_text(value, "; ", text), true)
#define row_show_flag(value, unit, text)   false
#define row_show_integer                   row_show_flag
#define row_show_bytes(value, unit, text)  false
#define row_show_status(value, unit, text) false

/* ---- how a program leaves its row ---- */

struct row_end {
    const char *program; /* its name, before what it says */
    const char *json;    /* --json; "-": standard output; NULL: nobody wants the row */
    bool quiet;          /* no summary */
    enum row_status status;
    const char *reason; /* where that is not ROW_OK */
    const void *row;
    int (*write)(const void *row, FILE *out); /* 0, or a negative errno value */
    void (*summarize)(const void *row, FILE *out);
};

/* row_json_check: before anything runs, so that a run is not lost to a wrong path. False: `json`
 * cannot be written, which was said. */
bool row_json_check(const char *program, const char *json);

/* row_end: writes the row, whole or not at all, and the summary to standard output. Returns the
 * exit code that the row asks for, or EXIT_MACHINE_CANNOT where row or summary could not be
 * written. */
int row_end(const struct row_end *end);

#endif
