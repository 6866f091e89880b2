/* The output directory of a sweep: rows.jsonl, run.json and log/. */
#ifndef FANIN_OUTPUT_DIR_H
#define FANIN_OUTPUT_DIR_H

#include <stdio.h>

#include "base/json.h"
#include "scenarios/sweep/plan.h"
#include "scenarios/sweep/run.h"

struct rows {
    const char **lines; /* each a whole JSON object, without its newline */
    unsigned count;
    bool torn;          /* something without an end follows the last of them */
    size_t whole_bytes; /* of the file up to where it is torn */
};

/* rows_read: rows.jsonl of the directory; none there is no error. 0, or -1 with an error. */
int rows_read(struct arena *arena, const char *directory, struct rows *rows, struct error *error);

/* rows_mark: marks the rows of the plan that are there as done, and appends further ones. 0, or -1
 * with an error when a line belongs to another plan. */
int rows_mark(struct arena *arena, const struct rows *rows, const char *directory,
              struct plan *plan, struct error *error);

/* file_is_readable: there is such a file, and it can be read. */
bool file_is_readable(const char *path);

/* json_write_file: writes the object whose members `write` writes to a file, which replaces an
 * older one only when it is whole; "-": to standard output. 0, or errno. */
int json_write_file(const char *path, void (*write)(struct json *json, const void *context),
                    const void *context);

/* output_dir_make: creates output->path and its log/, and locks it. 0, or -1 with an error: the
 * directory is not empty, cannot be made, or another sweep writes to it. */
int output_dir_make(struct arena *arena, struct output_dir *output, struct error *error);

/* output_dir_lock: one sweep a directory: from here until output_dir_unlock, or however this
 * process ends. On a file system without locks it stays unlocked. 0, or -1 with an error that names
 * `option` and the process that writes to it. */
int output_dir_lock(struct arena *arena, struct output_dir *output, const char *option,
                    struct error *error);
void output_dir_unlock(struct output_dir *output);

/* output_dir_open_rows: opens rows.jsonl for appending. `rows` is what the file holds; a torn last
 * line is cut off. NULL with an error. */
FILE *output_dir_open_rows(struct arena *arena, const char *path, const struct rows *rows,
                           struct error *error);

#endif
