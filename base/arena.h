/* Memory that a sweep takes piece by piece and gives back all at once: texts, settings, cells. Not
 * thread-safe. No call fails: without memory a sweep cannot go on, so it says so and ends with
 * exit code 3 (EXIT_MACHINE_CANNOT). */
#ifndef FANIN_ARENA_H
#define FANIN_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_piece;

/* Zero-initialised is an empty arena. */
struct arena {
    struct arena_piece *pieces;
};

/* arena_take: zeroed bytes, aligned for any type, valid until arena_free. */
void *arena_take(struct arena *arena, size_t bytes);

/* arena_grow: makes room for one more item in an array of `count` items: returns `items` itself
 * while its length, a power of two, suffices; otherwise a copy of twice that length. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t item_bytes);

/* arena_copy: `bytes` of `text`, NUL-terminated. */
char *arena_copy(struct arena *arena, const char *text, size_t bytes);

/* arena_text: printf's format. arena_format: the same with vprintf's arguments. */
char *arena_text(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_format(struct arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* arena_join: `list` with one more item, behind the separator unless the list is "". */
char *arena_join(struct arena *arena, const char *list, const char *separator, const char *item);

/* arena_file: the whole text file, NUL-terminated, its length in *bytes. NULL with errno set;
 * EFBIG when it is longer than `bytes_max`. */
char *arena_file(struct arena *arena, const char *path, size_t bytes_max, size_t *bytes);

void arena_free(struct arena *arena);

#endif
