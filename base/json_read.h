/* Reading JSON objects (RFC 8259): a client's row before it is used, and our own records when a
 * sweep is resumed. Enough to tell a whole object from a truncated one and to look up a key. */
#ifndef FANIN_JSON_READ_H
#define FANIN_JSON_READ_H

#include <stdbool.h>

#include "base/arena.h"

enum { ROW_BYTES_MAX = 1 << 20, JSON_DEPTH_MAX = 32 };

/* json_is_object: `text` is exactly one JSON object in valid UTF-8, blanks around it allowed. */
bool json_is_object(const char *text);

/* The others take an `object` for which json_is_object is true. They search only its own keys, not
 * those of nested objects. */

/* json_find: points to the value of `key` in `object`; NULL: there is no such key. */
const char *json_find(const char *object, const char *key);

/* json_member: the value of the index-th member, its key in *key. NULL after the last. */
const char *json_member(struct arena *arena, const char *object, unsigned index, char **key);

/* json_item: the value of the index-th item of an array. NULL after the last, and of what is no
 * array. */
const char *json_item(const char *array, unsigned index);

/* json_item_copy: a copy of the index-th item as it is written; NULL as above. */
char *json_item_copy(struct arena *arena, const char *array, unsigned index);

/* json_find_text: the unescaped string; NULL: no such key, or not a string. */
char *json_find_text(struct arena *arena, const char *object, const char *key);

/* json_find_copy: a copy of the value as it is written; NULL: no such key. */
char *json_find_copy(struct arena *arena, const char *object, const char *key);

/* json_find_number: false: no such key, or not a number. */
bool json_find_number(const char *object, const char *key, double *number);

#endif
