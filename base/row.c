/* Writes the values of a row whose null JSON's own writer does not know. */
#include "base/row.h"

#include <assert.h>
#include <string.h>

void row_put_status(struct json *json, const char *key, enum row_status status)
{
    static const char *const names[] = {"ok", "failed", "skipped"};
    json_text(json, key, names[status]);
}

void row_put_bytes(struct json *json, const char *key, struct row_bytes bytes)
{
    if (bytes.data == NULL)
        json_null(json, key);
    else
        json_bytes(json, key, bytes.data, bytes.bytes);
}

void row_put_integer(struct json *json, const char *key, int64_t value)
{
    if (value == INT64_MIN)
        json_null(json, key);
    else
        json_integer(json, key, value);
}

void row_put_count(struct json *json, const char *key, uint64_t value)
{
    if (value == ROW_UNKNOWN)
        json_null(json, key);
    else
        json_count(json, key, value);
}

void row_put_tally(struct json *json, const char *key, const struct row_tally *tally)
{
    json_object_open(json, key);
    for (unsigned i = 0; i < tally->used; i++)
        json_count(json, tally->items[i].name, tally->items[i].count);
    json_object_close(json);
}

void row_tally_add(struct row_tally *tally, const char *name)
{
    unsigned i = 0;
    while (i < tally->used && strcmp(tally->items[i].name, name) != 0)
        i++;
    assert(i < ROW_TALLY_NAMES);
    if (i == tally->used)
        tally->items[tally->used++].name = name;
    tally->items[i].count++;
}
