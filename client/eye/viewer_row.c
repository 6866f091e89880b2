/* Reading a viewer's row: for each kind of row_keys.h how its value is read. */
#include "client/eye/viewer_row.h"

#include <math.h>
#include <string.h>

/* A null stays what "not measured" is. */
static bool read_text(struct arena *arena, const char *object, const char *key, const char **value)
{
    *value = json_find_text(arena, object, key);
    return json_find(object, key) != NULL;
}

static bool read_line(struct arena *arena, const char *object, const char *key, char *value)
{
    const char *text = json_find_text(arena, object, key);
    snprintf(value, ROW_LINE_BYTES, "%s", text != NULL ? text : "");
    return text != NULL;
}

static bool read_status(struct arena *arena, const char *object, const char *key,
                        enum row_status *value)
{
    static const char *const names[] = {"ok", "failed", "skipped"};
    const char *text = json_find_text(arena, object, key);
    for (unsigned i = 0; text != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], text) == 0) {
            *value = (enum row_status)i;
            return true;
        }
    return false;
}

static bool read_flag(struct arena *arena, const char *object, const char *key, bool *value)
{
    const char *at = json_find(object, key);
    *value = at != NULL && *at == 't';
    return at != NULL;
}

static bool read_number(struct arena *arena, const char *object, const char *key, double *value)
{
    *value = NAN;
    return json_find_number(object, key, value) || json_find(object, key) != NULL;
}

static bool read_count(struct arena *arena, const char *object, const char *key, uint64_t *value)
{
    double number;
    *value = json_find_number(object, key, &number) ? (uint64_t)number : ROW_UNKNOWN;
    return json_find(object, key) != NULL;
}

static bool read_tally(struct arena *arena, const char *object, const char *key,
                       struct row_tally *value)
{
    const char *tally = json_find_copy(arena, object, key);
    char *name;
    value->used = 0;
    for (unsigned i = 0; tally != NULL && i < ROW_TALLY_NAMES; i++) {
        double count = 0;
        if (json_member(arena, tally, i, &name) == NULL)
            break;
        json_find_number(tally, name, &count);
        value->items[value->used].name = name;
        value->items[value->used++].count = (uint64_t)count;
    }
    return tally != NULL;
}

#define read_choice read_text
#define read_from1  read_count
#define read_time   read_number
#define AT_text     &
#define AT_choice   &
#define AT_line
#define AT_status &
#define AT_flag   &
#define AT_number &
#define AT_count  &
#define AT_from1  &
#define AT_time   &
#define AT_tally

bool viewer_row_read(struct arena *arena, const char *object, struct monitor_row *row)
{
    const char *const viewer = row->viewer;
    bool whole = true;
#define ROW_OPTION(kind, key, unit, null, meaning)                                                 \
    whole &= read_##kind(arena, object, #key, AT_##kind row->key);
#define ROW_RESULT ROW_OPTION
#include "client/monitor/row_keys.h"
    row->viewer = viewer;
    return whole;
}
