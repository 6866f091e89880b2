/* Reading JSON objects: a client's row before it is taken over, and our own records on a resume.
 * Just enough of JSON (RFC 8259) to tell a whole object from a torn one and to look a key up. */
#ifndef FANIN_JSON_READ_H
#define FANIN_JSON_READ_H

#include <stdbool.h>

#include "base/arena.h"

enum { ROW_BYTES_MAX = 1 << 20, ROW_DEPTH_MAX = 32 };

/* row_is_object: `text` is one whole JSON object in valid UTF-8, with nothing but blanks around
 * it. */
bool row_is_object(const char *text);

/* row_find: the value of a key of the object itself (not of objects in it), as it stands in
 * `object`, which row_is_object has approved. NULL if the key is not there. */
const char *row_find(const char *object, const char *key);

/* row_member: the value of the index-th member, its key in *key. NULL after the last. */
const char *row_member(struct arena *arena, const char *object, unsigned index, char **key);

/* row_text: row_find, unescaped. NULL if the key is not there or its value is not a text. */
char *row_text(struct arena *arena, const char *object, const char *key);

/* row_copy: the value of a key as it stands, with nothing behind it. NULL if it is not there. */
char *row_copy(struct arena *arena, const char *object, const char *key);

/* row_number: false if the key is not there or its value is not a number. */
bool row_number(const char *object, const char *key, double *number);

#endif
