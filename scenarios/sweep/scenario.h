/* A scenario file describes what a sweep runs.
 *
 *   # Why these numbers: every scenario opens with that.
 *   repeat = 5                    a key and its value
 *   workers = 4, 6, 8             several values: an axis; all axes of a section are crossed
 *   concurrency = 2, =workers     "=key" copies the value that another key has in the same cell
 *   cpu-share = =[share]          "=[section]" is the value that a calibration has found: a section
 *                                 of this file with the key calibrate
 *   request = "a, b"              quotes keep a comma, an outer blank, a "#", a first "="; in
 *                                 them, "" is a quote
 *   fleet.fault = refuse:2%       an option of fanin-servers
 *   [section]                     a grid of its own; keys before the first heading belong to every
 *                                 section, and a section's own keys replace those
 *   [+]                           a further grid of the section above: its keys, but for those
 *                                 that are set here
 *
 * A "#" at the start of a line or after a blank begins a comment. key.c knows which keys exist. */
#ifndef FANIN_SCENARIO_H
#define FANIN_SCENARIO_H

#include <stdbool.h>

#include "base/arena.h"

/* What is wrong with a scenario, and where: one line for a person. */
enum { ERROR_BYTES = 1024 };

struct error {
    char text[ERROR_BYTES];
    int code; /* errno of the system call that failed; 0: none did */
};

/* Where something was said. */
struct place {
    const char *file; /* "command line" for overrides */
    unsigned line;    /* 0: the file as a whole */
};

/* error_set: writes "file:line: message" (the place may be NULL), always on one line. Returns -1,
 * so that a check can end with `return error_set(...)`. */
int error_set(struct error *error, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* error_system: the same of a system call that failed with `code`, whose words follow the message.
 */
int error_system(struct error *error, const struct place *place, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* error_exit_code: EXIT_MACHINE_CANNOT if the code is what a machine lacks or breaks, such as
 * memory, descriptors, room on a disk; otherwise EXIT_WRONG_USE. */
int error_exit_code(const struct error *error);

enum {
    SCENARIO_BYTES_MAX = 1 << 20,
    SCENARIO_VALUES_MAX = 256,   /* of one key */
    SCENARIO_SETTINGS_MAX = 128, /* of one section, with the common ones */
    SCENARIO_SECTIONS_MAX = 256,
};

struct value {
    const char *text;
    bool reference;   /* text names the key whose value is copied */
    bool calibration; /* text is "[SECTION]": the calibration that finds the value */
};

struct setting {
    const char *key;
    struct value *values; /* value_count of them, at least one */
    unsigned value_count;
    bool tight; /* nothing but commas stands between the values */
    struct place place;
};

struct settings {
    struct setting *items;
    unsigned count;
};

/* A grid of cells. */
struct section {
    const char *name; /* "" for a file without headings */
    unsigned base;    /* index of the section that a [+] adds to; its own for any other */
    struct place place;
    struct settings settings;
};

struct scenario {
    const char *name; /* the file's name without folder and ".conf" */
    const char *path;
    const char *text; /* as it was read */
    struct settings common;
    struct section *sections; /* with their [+] */
    unsigned section_count;   /* at least 1 */
};

/* scenario_read: reads and parses the file at `path`. NULL with an error. Everything belongs to
 * the arena. */
struct scenario *scenario_read(struct arena *arena, const char *path, struct error *error);

/* scenario_parse: the same from text that is at hand; `path` names it in errors. */
struct scenario *scenario_parse(struct arena *arena, const char *path, const char *text,
                                struct error *error);

/* scenario_beside: the file of that name beside the scenario, else where fanin's own tree has it,
 * seen from the program. */
const char *scenario_beside(struct arena *arena, const char *scenario_path, const char *name);

/* setting_parse: one "key = values" of a line or an override. 0, or -1 with an error. */
int setting_parse(struct arena *arena, const struct place *place, const char *key,
                  const char *values, struct setting *setting, struct error *error);

/* settings_find: NULL if the key is not there. */
struct setting *settings_find(const struct settings *settings, const char *key);

/* settings_put: replaces the setting of the same key where it stands, or appends. */
void settings_put(struct arena *arena, struct settings *settings, const struct setting *setting);

#endif
