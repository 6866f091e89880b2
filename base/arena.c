/* An arena: a list of blocks. */
#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"

struct arena_piece {
    struct arena_piece *next;
    _Alignas(max_align_t) unsigned char data[];
};

static _Noreturn void end_without_memory(size_t bytes)
{
    fprintf(stderr, "fanin-sweep: out of memory (%zu bytes wanted)\n", bytes);
    exit(EXIT_MACHINE_CANNOT);
}

void *arena_take(struct arena *arena, size_t bytes)
{
    struct arena_piece *piece = calloc(1, sizeof *piece + bytes + 1);
    if (piece == NULL)
        end_without_memory(bytes);
    piece->next = arena->pieces;
    arena->pieces = piece;
    return piece->data;
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t item_bytes)
{
    assert(item_bytes > 0);
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    void *longer = arena_take(arena, (count == 0 ? 1 : 2 * count) * item_bytes);
    if (count != 0)
        memcpy(longer, items, count * item_bytes);
    return longer;
}

char *arena_copy(struct arena *arena, const char *text, size_t bytes)
{
    char *copy = arena_take(arena, bytes + 1);
    memcpy(copy, text, bytes);
    return copy;
}

char *arena_format(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    assert(length >= 0);
    char *text = arena_take(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

char *arena_text(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_format(arena, format, arguments);
    va_end(arguments);
    return text;
}

char *arena_join(struct arena *arena, const char *list, const char *separator, const char *item)
{
    return arena_text(arena, "%s%s%s", list, *list == '\0' ? "" : separator, item);
}

char *arena_file(struct arena *arena, const char *path, size_t bytes_max, size_t *bytes)
{
    char *text = text_file(path, bytes_max, bytes);
    if (text == NULL && errno == ENOMEM)
        end_without_memory(bytes_max);
    if (text == NULL)
        return NULL;
    char *copy = arena_copy(arena, text, *bytes);
    free(text);
    return copy;
}

void arena_free(struct arena *arena)
{
    while (arena->pieces != NULL) {
        struct arena_piece *next = arena->pieces->next;
        free(arena->pieces);
        arena->pieces = next;
    }
}
