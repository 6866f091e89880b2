#include "scenarios/sweep/folder.h"

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

bool folder_is_file(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file != NULL)
        fclose(file);
    return file != NULL;
}

int folder_make(struct arena *arena, const char *path, struct complaint *complaint)
{
    int error;

    if (!is_empty(path))
        return complain(complaint, NULL,
                        "--out=%s: holds something already; name another folder, or go on with "
                        "an unfinished sweep by --resume=%s",
                        path, path);
    error = os_directory_make(arena_text(arena, "%s/log", path));
    if (error != 0)
        return complain(complaint, NULL, "--out=%s: cannot make this folder: %s", path,
                        strerror(-error));
    return 0;
}

FILE *folder_open_rows(struct arena *arena, const char *path, const struct rows *rows,
                       struct complaint *complaint)
{
    struct place place = {.file = arena_text(arena, "%s/rows.jsonl", path)};
    FILE *file;

    if (rows->torn && truncate(place.file, (off_t)rows->whole_bytes) != 0) {
        complain(complaint, &place, "cannot cut off its torn last line: %s", strerror(errno));
        return NULL;
    }
    file = fopen(place.file, "ab");
    if (file == NULL)
        complain(complaint, &place, "cannot write: %s", strerror(errno));
    return file;
}
