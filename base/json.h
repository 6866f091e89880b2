/* Writes one JSON object as one line: a row. Every number is finite or null, every text is escaped,
 * so that the line is valid for every measured value. */
#ifndef FANIN_JSON_H
#define FANIN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* utf8_bytes: the length of the character at `at` in a NUL-terminated text; 0: not valid UTF-8. */
size_t utf8_bytes(const char *at);

struct json {
    FILE *out;
    bool started; /* something stands in the innermost open object or array */
};

void json_open(struct json *json, FILE *out); /* writes "{" */
int json_close(struct json *json);            /* writes "}\n", flushes; -errno */
void json_text(struct json *json, const char *key, const char *text); /* NULL text: null */
/* json_bytes: text of bytes that need not be UTF-8: other than printable ASCII is \u00HH. */
void json_bytes(struct json *json, const char *key, const void *data, size_t bytes);
void json_count(struct json *json, const char *key, uint64_t value);
void json_integer(struct json *json, const char *key, int64_t value);
void json_number(struct json *json, const char *key, double value); /* not finite: null */
void json_flag(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* json_object: `object` is one whole JSON object already, on one line; NULL: null. */
void json_object(struct json *json, const char *key, const char *object);
void json_object_open(struct json *json, const char *key);
void json_object_close(struct json *json);
/* json_array_open, json_array_close: what is written in between has the key NULL. */
void json_array_open(struct json *json, const char *key);
void json_array_close(struct json *json);

#endif
