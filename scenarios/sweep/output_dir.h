/* The output directory of a sweep: rows.jsonl, run.json and log/. */
#ifndef FANIN_OUTPUT_DIR_H
#define FANIN_OUTPUT_DIR_H

#include <stdio.h>

#include "scenarios/sweep/resume.h"

/* file_is_readable: there is such a file, and it can be read. */
bool file_is_readable(const char *path);

/* output_dir_make: creates `path` and its log/. 0, or -1 with an error: the directory is not empty
 * or cannot be made. */
int output_dir_make(struct arena *arena, const char *path, struct error *error);

/* output_dir_open_rows: opens rows.jsonl for appending. `rows` is what the file holds; a torn last
 * line is cut off. NULL with an error. */
FILE *output_dir_open_rows(struct arena *arena, const char *path, const struct rows *rows,
                           struct error *error);

#endif
