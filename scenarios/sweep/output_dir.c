/* The output directory of a sweep. */
#include "scenarios/sweep/output_dir.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool empty = true;

    if (directory == NULL)
        return errno == ENOENT;
    while (empty && (entry = readdir(directory)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(directory);
    return empty;
}

bool file_is_readable(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file != NULL)
        fclose(file);
    return file != NULL;
}

int output_dir_make(struct arena *arena, const char *path, struct error *error)
{
    int code;

    if (!is_empty(path))
        return error_set(error, NULL,
                         "--out=%s: the directory is not empty; name another one, or continue an "
                         "unfinished sweep with --resume=%s",
                         path, path);
    code = os_directory_make(arena_text(arena, "%s/log", path));
    if (code != 0)
        return error_set(error, NULL, "--out=%s: cannot create this directory: %s", path,
                         strerror(-code));
    return 0;
}

FILE *output_dir_open_rows(struct arena *arena, const char *path, const struct rows *rows,
                           struct error *error)
{
    struct place place = {.file = arena_text(arena, "%s/rows.jsonl", path)};
    FILE *file;

    if (rows->torn && truncate(place.file, (off_t)rows->whole_bytes) != 0) {
        error_set(error, &place, "cannot cut off its torn last line: %s", strerror(errno));
        return NULL;
    }
    file = fopen(place.file, "ab");
    if (file == NULL)
        error_set(error, &place, "cannot write: %s", strerror(errno));
    return file;
}
