/* The output directory of a sweep: makes it, and finds its rows in a plan. */
#include "scenarios/sweep/output_dir.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/json_read.h"
#include "base/os.h"
#include "scenarios/sweep/record.h"

#define LOCK_NAME "sweep.lock"

enum { ROWS_BYTES_MAX = 1 << 30, LOCK_BYTES_MAX = 1 << 10 };

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool empty = true;
    if (directory == NULL)
        return errno == ENOENT;
    while (empty && (entry = readdir(directory)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, LOCK_NAME) == 0;
    closedir(directory);
    return empty;
}

bool file_is_readable(const char *path)
{
    return access(path, R_OK) == 0;
}

static const char *rows_path(struct arena *arena, const char *directory)
{
    return arena_text(arena, "%s/rows.jsonl", directory);
}

int json_write_file(const char *path, void (*write)(struct json *json, const void *context),
                    const void *context)
{
    struct draft draft;
    struct json json;
    int result = draft_open(&draft, path);
    if (result != 0)
        return -result;
    json_open(&json, draft.out);
    write(&json, context);
    return -draft_close(&draft, json_close(&json));
}

/* ---- one sweep a directory ---- */

static int refuse_locked(struct arena *arena, const char *option, const char *directory,
                         const char *lock_path, struct error *error)
{
    size_t bytes;
    char *holder = arena_file(arena, lock_path, LOCK_BYTES_MAX, &bytes);
    if (holder != NULL)
        holder[strcspn(holder, "\r\n")] = '\0';
    return error_set(error, NULL,
                     "%s=%s: another sweep writes to this directory (%s); wait until it ends or "
                     "stop it, or name another directory with --out",
                     option, directory,
                     holder == NULL || *holder == '\0' ? "it does not say which" : holder);
}

int output_dir_lock(struct arena *arena, struct output_dir *output, const char *option,
                    struct error *error)
{
    const char *path = arena_text(arena, "%s/" LOCK_NAME, output->path);
    const char *holder =
        arena_text(arena, "pid %ld, since %s\n", (long)getpid(), record_time(arena, false));
    int code = os_lock_take(&output->lock, path, holder);
    if (code == -EWOULDBLOCK)
        return refuse_locked(arena, option, output->path, path, error);
    if (code != 0 && code != -ENOTSUP)
        return error_system(error, NULL, -code, "cannot write %s", path);
    if (code == 0)
        output->lock_path = path;
    return 0;
}

void output_dir_unlock(struct output_dir *output)
{
    if (output->lock_path != NULL)
        os_lock_release(&output->lock, output->lock_path);
    output->lock_path = NULL;
}

static int refuse_full(struct arena *arena, const char *path, struct error *error)
{
    bool sweep = file_is_readable(arena_text(arena, "%s/run.json", path));
    return error_set(error, NULL, "--out=%s: the directory is not empty; name another one%s%s",
                     path, sweep ? ", or continue an unfinished sweep with --resume=" : "",
                     sweep ? path : "");
}

/* Two sweeps may begin in one directory at the same time, so it is looked at again once locked. */
int output_dir_make(struct arena *arena, struct output_dir *output, struct error *error)
{
    const char *path = output->path;
    if (!is_empty(path) && !file_is_readable(arena_text(arena, "%s/" LOCK_NAME, path)))
        return refuse_full(arena, path, error);
    int code = os_directory_make(path);
    if (code == 0 && output_dir_lock(arena, output, "--out", error) != 0)
        return -1;
    if (code == 0 && !is_empty(path))
        return refuse_full(arena, path, error);
    if (code == 0)
        code = os_directory_make(arena_text(arena, "%s/log", path));
    if (code != 0)
        return error_system(error, NULL, -code, "--out=%s: cannot create this directory", path);
    return 0;
}

FILE *output_dir_open_rows(struct arena *arena, const char *path, const struct rows *rows,
                           struct error *error)
{
    struct place place = {.file = rows_path(arena, path)};
    if (rows->torn && truncate(place.file, (off_t)rows->whole_bytes) != 0) {
        error_system(error, &place, errno, "cannot cut off its torn last line");
        return NULL;
    }
    FILE *file = fopen(place.file, "ab");
    if (file == NULL)
        error_system(error, &place, errno, "cannot write");
    return file;
}

int rows_read(struct arena *arena, const char *directory, struct rows *rows, struct error *error)
{
    struct place place = {.file = rows_path(arena, directory)};
    size_t bytes;
    char *text = arena_file(arena, place.file, ROWS_BYTES_MAX, &bytes), *newline;
    *rows = (struct rows){0};
    if (text == NULL)
        return errno == ENOENT ? 0 : error_system(error, &place, errno, "cannot read");
    while ((newline = memchr(text, '\n', bytes)) != NULL) {
        size_t length = (size_t)(newline - text);
        place.line++;
        *newline = '\0';
        if (strlen(text) != length || !json_is_object(text))
            return error_set(error, &place,
                             "is not a row (not a JSON object); fix or delete the line");
        rows->lines = arena_grow(arena, rows->lines, rows->count, sizeof(char *));
        rows->lines[rows->count++] = text;
        rows->whole_bytes += length + 1;
        bytes -= length + 1;
        text = newline + 1;
    }
    rows->torn = bytes != 0;
    return 0;
}

static bool says(struct arena *arena, const char *line, const char *key, const char *value)
{
    const char *text = json_find_text(arena, line, key);
    return text != NULL && strcmp(text, value) == 0;
}

static bool names_cell(struct arena *arena, const char *line, const struct cell *cell)
{
    return says(arena, line, "scenario", cell->scenario) &&
           says(arena, line, "section", cell->section) && says(arena, line, "cell", cell->name);
}

/* Further repeats are not in a plan made from cells alone. Every cell has a row in block 1. */
static bool append_further(struct arena *arena, const char *line, double repeat, struct plan *plan)
{
    if (plan->count == 0 || repeat > PLAN_ROWS_MAX || repeat < plan->rows[plan->count - 1].repeat ||
        repeat <= plan->rows[plan->due - 1].repeat)
        return false;
    for (unsigned i = 0; i < plan->due && plan->rows[i].repeat == 1; i++) {
        const struct plan_row *row = &plan->rows[i];
        if (names_cell(arena, line, row->cell)) {
            plan_append(arena, plan, row->cell, row->cell_index, (unsigned)repeat);
            return true;
        }
    }
    return false;
}

/* The row of the plan that the line belongs to, NULL if there is none. */
static struct plan_row *find_row(struct arena *arena, const char *line, struct plan *plan)
{
    double order, repeat;
    if (!json_find_number(line, "order", &order) || !json_find_number(line, "repeat", &repeat) ||
        order < 1 || order > plan->count + 1 ||
        (order == plan->count + 1 && !append_further(arena, line, repeat, plan)))
        return NULL;
    struct plan_row *row = &plan->rows[(unsigned)order - 1];
    return row->repeat == repeat && names_cell(arena, line, row->cell) ? row : NULL;
}

int rows_mark(struct arena *arena, const struct rows *rows, const char *directory,
              struct plan *plan, struct error *error)
{
    struct place place = {.file = rows_path(arena, directory)};
    for (unsigned i = 0; i < rows->count; i++) {
        struct plan_row *row = find_row(arena, rows->lines[i], plan);
        place.line = i + 1;
        if (row == NULL)
            return error_set(error, &place,
                             "is not a row of this sweep; is the directory the right one?");
        row->done = true;
    }
    return 0;
}
