/* Writes and reads run.json. */
#include "scenarios/sweep/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/options.h"
#include "base/os.h"
#include "base/json_read.h"
#include "base/row.h"
#include "scenarios/sweep/output_dir.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "GCC " __VERSION__
#endif

enum { RECORD_BYTES_MAX = 64 << 20 };

const char *record_commit(void)
{
    return FANIN_COMMIT;
}

char *record_time(struct arena *arena, bool compact)
{
    time_t seconds = (time_t)(os_wall_ns() / OS_NS_PER_S);
    const struct tm *utc = gmtime(&seconds);
    char text[32] = "";
    if (utc != NULL)
        strftime(text, sizeof text, compact ? "%Y%m%dT%H%M%SZ" : "%Y-%m-%dT%H:%M:%SZ", utc);
    return arena_copy(arena, text, strlen(text));
}

/* Counts are numbers in the record, so that its readers need not guess. */
static void write_fact(void *context, const char *name, const char *value)
{
    size_t length = strlen(value);
    if (length != 0 && length < 19 && strspn(value, "0123456789") == length)
        json_count(context, name, strtoull(value, NULL, 10));
    else
        json_text(context, name, value);
}

static void write_scenarios(struct json *json, const struct record *record)
{
    json_object_open(json, "scenarios");
    for (unsigned i = 0; i < record->scenario_count; i++) {
        const struct scenario *scenario = record->scenarios[i];
        json_object_open(json, scenario->name);
        json_text(json, "path", scenario->path);
        json_text(json, "text", scenario->text);
        json_object_close(json);
    }
    json_object_close(json);
}

static void write_record(struct json *json, const void *context)
{
    const struct record *record = context;
    char directory[4096];
    bool placed = os_program_directory(directory, sizeof directory) == 0;
    json_count(json, "schema", ROW_SCHEMA);
    json_text(json, "version", FANIN_VERSION);
    json_text(json, "commit", record_commit());
    json_text(json, "compiler", COMPILER);
    json_text(json, "flavour", placed ? os_path_name(directory) : NULL);
    json_text(json, "command_line", record->command_line);
    json_text(json, "overrides", record->overrides);
    json_text(json, "only", record->only);
    json_count(json, "seed", record->seed);
    json_text(json, "state", record->state);
    json_text(json, "started_utc", record->started_utc);
    json_text(json, "ended_utc", record->ended_utc);
    json_count(json, "sessions", record->sessions);
    json_count(json, "cells", record->budget.cells->count);
    json_count(json, "rows_planned", record->rows_planned);
    json_count(json, "rows_written", record->rows_written);
    json_number(json, "estimated_s", record->estimated_s);
    json_number(json, "actual_s", record->actual_s);
    json_object_open(json, "machine");
    os_machine_describe(write_fact, json);
    json_object_close(json);
    links_write(json, &record->links);
    cpu_shares_write(json, &record->cpu_shares);
    calibrations_write(json, &record->calibrations);
    host_records_write(json, &record->hosts);
    if (record->host_check == NULL) {
        json_null(json, "noise");
    } else {
        json_object_open(json, "noise");
        host_check_write(json, record->host_check);
        json_object_close(json);
    }
    if (record->budget.samples == NULL) {
        json_null(json, "budget");
    } else {
        json_object_open(json, "budget");
        budget_write(json, &record->budget);
        json_object_close(json);
    }
    write_scenarios(json, record);
}

int record_write(struct arena *arena, const struct record *record, const char *directory,
                 struct error *error)
{
    const char *path = arena_text(arena, "%s/run.json", directory);
    int code = json_write_file(path, write_record, record);
    return code == 0 ? 0 : error_system(error, NULL, code, "cannot write %s", path);
}

/* ---- reading ---- */

/* Rows of two schemas in one folder would have no reader. */
static int check_schema(struct arena *arena, const char *object, const struct place *place,
                        struct error *error)
{
    const char *schema = json_find_copy(arena, object, "schema");
    const char *commit = json_find_text(arena, object, "commit");
    if (schema == NULL || strcmp(schema, arena_text(arena, "%d", ROW_SCHEMA)) == 0)
        return 0;
    return error_set(error, place,
                     "has schema %s, and this program writes schema %d; resume it with the "
                     "version that began it: commit %s",
                     schema, ROW_SCHEMA, commit == NULL ? "unknown" : commit);
}

static int read_scenarios(struct arena *arena, const char *object, struct record *record,
                          const struct place *place, struct error *error)
{
    const char *scenarios = json_find(object, "scenarios"), *value;
    char *key;
    if (scenarios == NULL || *scenarios != '{')
        return error_set(error, place, "has no scenarios; it cannot be resumed");
    while ((value = json_member(arena, scenarios, record->scenario_count, &key)) != NULL) {
        const char *path = *value == '{' ? json_find_text(arena, value, "path") : NULL;
        const char *text = *value == '{' ? json_find_text(arena, value, "text") : NULL;
        if (path == NULL || text == NULL)
            return error_set(error, place, "scenario %s has no text; it cannot be resumed", key);
        struct scenario *scenario = scenario_parse(arena, path, text, error);
        if (scenario == NULL)
            return -1;
        record->scenarios =
            arena_grow(arena, record->scenarios, record->scenario_count, sizeof(struct scenario *));
        record->scenarios[record->scenario_count++] = scenario;
    }
    return 0;
}

int record_read(struct arena *arena, const char *directory, struct record *record,
                struct error *error)
{
    struct place place = {.file = arena_text(arena, "%s/run.json", directory)};
    size_t bytes;
    const char *object = arena_file(arena, place.file, RECORD_BYTES_MAX, &bytes);
    double seed = 0, sessions = 1;
    if (object == NULL)
        return error_system(error, &place, errno,
                            "--resume takes the directory of an unfinished sweep");
    if (strlen(object) != bytes || !json_is_object(object))
        return error_set(error, &place, "is not a whole record; it cannot be resumed");
    if (check_schema(arena, object, &place, error) != 0)
        return -1;
    *record = (struct record){0};
    record->overrides = json_find_text(arena, object, "overrides");
    record->only = json_find_text(arena, object, "only");
    record->started_utc = json_find_text(arena, object, "started_utc");
    if (record->overrides == NULL || record->only == NULL || record->started_utc == NULL ||
        !json_find_number(object, "seed", &seed))
        return error_set(error, &place, "lacks seed or overrides; it cannot be resumed");
    record->seed = (uint64_t)seed;
    json_find_number(object, "actual_s", &record->actual_s);
    json_find_number(object, "sessions", &sessions);
    record->sessions = (unsigned)sessions;
    const char *budget = json_find(object, "budget");
    if (budget != NULL && *budget == '{')
        json_find_number(budget, "minutes", &record->budget.minutes);
    host_records_read(arena, object, &record->hosts);
    if (links_read(arena, object, &place, &record->links, error) != 0 ||
        calibrations_read(arena, object, &place, &record->calibrations, error) != 0)
        return -1;
    return read_scenarios(arena, object, record, &place, error);
}
