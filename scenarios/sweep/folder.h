/* A sweep's output folder. */
#ifndef FANIN_FOLDER_H
#define FANIN_FOLDER_H

#include <stdio.h>

#include "scenarios/sweep/resume.h"

/* folder_is_file: there is such a file, and it can be read. */
bool folder_is_file(const char *path);

/* folder_make: creates `path` with its log/. 0, or -1 with a complaint: it holds something
 * already, or it cannot be made. */
int folder_make(struct arena *arena, const char *path, struct complaint *complaint);

/* folder_open_rows: rows.jsonl, open for appending behind its last whole line: `rows` is what it
 * holds, a torn line is cut off. NULL with a complaint. */
FILE *folder_open_rows(struct arena *arena, const char *path, const struct rows *rows,
                       struct complaint *complaint);

#endif
