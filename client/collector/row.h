/* The row that a run leaves: every option as it was used and everything that was measured.
 * base/row_keys.h has each key with its unit. */
#ifndef FANIN_COLLECTOR_ROW_H
#define FANIN_COLLECTOR_ROW_H

#include <stdio.h>

#include "base/row.h"
#include "client/collector/options.h"

struct row {
    const struct collector_options *options;
#define ROW_OPTION(kind, key, unit, null, meaning) ROW_FIELD_##kind(key)
#define ROW_RESULT(kind, key, unit, null, meaning) ROW_FIELD_##kind(key)
#include "base/row_keys.h"
};

/* row_init: the options, as far as they are known before the run; nothing is measured yet. */
void row_init(struct row *row, const struct collector_options *options);

/* row_skip: the run cannot happen here; formats the reason. */
void row_skip(struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Both take a struct row. row_write: one line of JSON to `out`, flushed. 0, or a negative errno
 * value. */
int row_write(const void *row, FILE *out);

/* row_summarize: what was run and what was measured, a few aligned lines with units. */
void row_summarize(const void *row, FILE *out);

#endif
