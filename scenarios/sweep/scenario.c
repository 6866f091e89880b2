/* Reading scenario files. Two stages: the line (comment off, blanks off, heading or "key =
 * values") and the values (split at commas outside quotes). A line is copied once and then cut up
 * in place. */
#include "scenarios/sweep/scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "base/text.h"

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
#define KEY_LETTERS  NAME_LETTERS "."
#define NO_NAME      "./\\:*?\"<>|=" /* in a scenario's */

static void error_write(struct error *error, const struct place *place, const char *format,
                        va_list arguments)
{
    error->text[0] = '\0';
    if (place != NULL && place->line != 0)
        snprintf(error->text, ERROR_BYTES, "%s:%u: ", place->file, place->line);
    else if (place != NULL)
        snprintf(error->text, ERROR_BYTES, "%s: ", place->file);
    size_t used = strlen(error->text);
    vsnprintf(error->text + used, ERROR_BYTES - used, format, arguments);
    for (char *at = error->text; (at = strpbrk(at, "\n\r")) != NULL;)
        *at = ' ';
}

int error_set(struct error *error, const struct place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_write(error, place, format, arguments);
    va_end(arguments);
    error->code = 0;
    return -1;
}

int error_system(struct error *error, const struct place *place, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_write(error, place, format, arguments);
    va_end(arguments);
    size_t used = strlen(error->text);
    snprintf(error->text + used, ERROR_BYTES - used, ": %s", strerror(code));
    error->code = code;
    return -1;
}

int error_exit_code(const struct error *error)
{
    static const int machine[] = {EAGAIN, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC};
    for (size_t i = 0; i < sizeof machine / sizeof *machine; i++)
        if (error->code == machine[i])
            return EXIT_MACHINE_CANNOT;
    return EXIT_WRONG_USE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char *trim(char *text)
{
    while (is_blank(*text))
        text++;
    size_t length = strlen(text);
    while (length != 0 && is_blank(text[length - 1]))
        length--;
    text[length] = '\0';
    return text;
}

/* Whether the text consists of these letters, at least one. */
static bool is_name(const char *text, const char *letters)
{
    return *text != '\0' && text[strspn(text, letters)] == '\0';
}

/* Any file's name, but for what has another meaning in rows, folders and --SCENARIO.KEY=VALUE. */
static bool names_scenario(const char *name)
{
    size_t length = strlen(name), bytes;
    if (length == 0 || is_blank(name[0]) || is_blank(name[length - 1]) ||
        strpbrk(name, NO_NAME) != NULL)
        return false;
    for (; *name != '\0'; name += bytes) {
        bytes = utf8_bytes(name);
        if (bytes == 0 || (unsigned char)*name < ' ' || *name == 0x7f)
            return false;
    }
    return true;
}

static void cut_comment(char *line)
{
    bool quoted = false;
    for (char *at = line; *at != '\0'; at++) {
        if (*at == '"')
            quoted = !quoted;
        if (*at == '#' && !quoted && (at == line || is_blank(at[-1]))) {
            *at = '\0';
            return;
        }
    }
}

struct setting *settings_find(const struct settings *settings, const char *key)
{
    for (unsigned i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].key, key) == 0)
            return &settings->items[i];
    }
    return NULL;
}

void settings_put(struct arena *arena, struct settings *settings, const struct setting *setting)
{
    struct setting *there = settings_find(settings, setting->key);
    if (there != NULL) {
        *there = *setting;
        return;
    }
    settings->items = arena_grow(arena, settings->items, settings->count, sizeof *settings->items);
    settings->items[settings->count++] = *setting;
}

/* "=KEY" or "=[SECTION]"; `text` is what follows the sign. */
static int read_reference(struct arena *arena, const struct setting *setting, struct value *value,
                          char *text, struct error *error)
{
    const size_t length = strlen(text);
    if (is_name(text, KEY_LETTERS)) {
        *value = (struct value){.text = text, .reference = true};
        return 0;
    }
    if (length > 2 && text[0] == '[' && text[length - 1] == ']' &&
        is_name(arena_copy(arena, text + 1, length - 2), NAME_LETTERS)) {
        *value = (struct value){.text = text, .calibration = true};
        return 0;
    }
    return error_set(
        error, &setting->place,
        "%s: \"=%s\" names neither a key nor a section; write =KEY to copy KEY's value, "
        "=[SECTION] for what a calibration finds, or quote it",
        setting->key, text);
}

/* Unquotes in place; *rest is what follows the closing quote. NULL if it does not close. */
static char *unquote(char *text, char **rest)
{
    char *to = text;
    for (char *from = text + 1; *from != '\0'; from++) {
        if (*from == '"' && from[1] != '"') {
            *rest = from + 1;
            *to = '\0';
            return text;
        }
        from += *from == '"';
        *to++ = *from;
    }
    return NULL;
}

static int put_value(struct arena *arena, struct setting *setting, char *text, bool quoted,
                     struct error *error)
{
    struct value value = {.text = text};
    if (!quoted && text[0] == '=' &&
        read_reference(arena, setting, &value, trim(text + 1), error) != 0)
        return -1;
    for (unsigned i = 0; i < setting->value_count; i++) {
        if (strcmp(setting->values[i].text, value.text) == 0 &&
            setting->values[i].reference == value.reference &&
            setting->values[i].calibration == value.calibration)
            return error_set(error, &setting->place, "%s: %s%s is given twice", setting->key,
                             value.reference || value.calibration ? "=" : "", value.text);
    }
    if (setting->value_count == SCENARIO_VALUES_MAX)
        return error_set(error, &setting->place, "%s: more than %d values", setting->key,
                         SCENARIO_VALUES_MAX);
    setting->values =
        arena_grow(arena, setting->values, setting->value_count, sizeof *setting->values);
    setting->values[setting->value_count++] = value;
    return 0;
}

static int parse_value(struct arena *arena, struct setting *setting, char **rest,
                       struct error *error)
{
    char *text = *rest, *end;
    while (is_blank(*text))
        text++;
    bool quoted = *text == '"';
    if (quoted) {
        text = unquote(text, &end);
        if (text == NULL)
            return error_set(error, &setting->place, "%s: a quote is not closed", setting->key);
        while (is_blank(*end))
            end++;
        if (*end != ',' && *end != '\0')
            return error_set(error, &setting->place,
                             "%s: expected a comma after the closing quote, not \"%s\"",
                             setting->key, end);
    } else {
        end = text + strcspn(text, ",");
    }
    *rest = *end == ',' ? end + 1 : NULL;
    *end = '\0';
    if (!quoted)
        text = trim(text);
    if (!quoted && *text == '\0')
        return error_set(error, &setting->place,
                         "%s: a value is empty; write one after \"=\" and after each comma",
                         setting->key);
    return put_value(arena, setting, text, quoted, error);
}

int setting_parse(struct arena *arena, const struct place *place, const char *key,
                  const char *values, struct setting *setting, struct error *error)
{
    char *rest = trim(arena_copy(arena, values, strlen(values)));
    *setting = (struct setting){.place = *place, .key = trim(arena_copy(arena, key, strlen(key)))};
    if (!is_name(setting->key, KEY_LETTERS))
        return error_set(error, place,
                         "\"%s\" is not a key; keys are letters, digits and \"-\", such as workers",
                         setting->key);
    setting->tight = strpbrk(rest, " \t\"") == NULL;
    while (rest != NULL) {
        if (parse_value(arena, setting, &rest, error) != 0)
            return -1;
    }
    return 0;
}

static int name_section(const struct scenario *scenario, struct section *section,
                        struct error *error)
{
    section->base = scenario->section_count;
    if (strcmp(section->name, "+") == 0) {
        if (scenario->section_count == 0)
            return error_set(error, &section->place,
                             "[+] adds to the section above, and there is none");
        section->base = scenario->sections[scenario->section_count - 1].base;
        section->name = scenario->sections[section->base].name;
        return 0;
    }
    if (!is_name(section->name, NAME_LETTERS))
        return error_set(error, &section->place,
                         "\"%s\" is not a section name; use letters, digits and \"-\"",
                         section->name);
    for (unsigned i = 0; i < scenario->section_count; i++) {
        if (strcmp(scenario->sections[i].name, section->name) == 0)
            return error_set(error, &section->place,
                             "section [%s] is already on line %u; [+] below it adds to it",
                             section->name, scenario->sections[i].place.line);
    }
    return 0;
}

static int parse_heading(struct arena *arena, struct scenario *scenario, char *line,
                         const struct place *place, struct error *error)
{
    size_t length = strlen(line);
    struct section section = {.place = *place};
    if (line[length - 1] != ']')
        return error_set(error, place, "the heading is not closed; write [name]");
    line[length - 1] = '\0';
    section.name = trim(line + 1);
    if (name_section(scenario, &section, error) != 0)
        return -1;
    if (scenario->section_count == SCENARIO_SECTIONS_MAX)
        return error_set(error, place, "more than %d sections", SCENARIO_SECTIONS_MAX);
    scenario->sections =
        arena_grow(arena, scenario->sections, scenario->section_count, sizeof section);
    scenario->sections[scenario->section_count++] = section;
    return 0;
}

static int parse_setting(struct arena *arena, struct scenario *scenario, char *line,
                         const struct place *place, struct error *error)
{
    struct settings *settings = scenario->section_count == 0
                                    ? &scenario->common
                                    : &scenario->sections[scenario->section_count - 1].settings;
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return error_set(error, place,
                         "\"%s\" is neither \"key = value\", \"[section]\" nor \"# comment\"",
                         line);
    *equals = '\0';
    struct setting setting;
    if (setting_parse(arena, place, line, equals + 1, &setting, error) != 0)
        return -1;
    const struct setting *there = settings_find(settings, setting.key);
    if (there != NULL)
        return error_set(error, place, "%s is already given on line %u; remove one", setting.key,
                         there->place.line);
    if (settings->count == SCENARIO_SETTINGS_MAX)
        return error_set(error, place, "more than %d keys", SCENARIO_SETTINGS_MAX);
    settings_put(arena, settings, &setting);
    return 0;
}

static const char *name_of(struct arena *arena, const char *path)
{
    const char *name = os_path_name(path);
    const char *dot = strrchr(name, '.');
    return dot == NULL || dot == name ? name : arena_copy(arena, name, (size_t)(dot - name));
}

static int parse_text(struct arena *arena, struct scenario *scenario, struct error *error)
{
    struct place place = {.file = scenario->path};
    if (!names_scenario(scenario->name))
        return error_set(error, &place,
                         "\"%s\" cannot name a scenario; before .conf a file's name takes letters "
                         "of any language in UTF-8, digits, blanks inside, and signs but " NO_NAME,
                         scenario->name);
    for (const char *text = scenario->text, *next; *text != '\0'; text = next) {
        char *line = arena_copy(arena, text, text_line(text, &next));
        int result = 0;
        cut_comment(line);
        line = trim(line);
        place.line++;
        if (*line == '[')
            result = parse_heading(arena, scenario, line, &place, error);
        else if (*line != '\0')
            result = parse_setting(arena, scenario, line, &place, error);
        if (result != 0)
            return -1;
    }
    place.line = 0;
    if (scenario->section_count == 0 && scenario->common.count == 0)
        return error_set(error, &place, "nothing to run: it holds no \"key = value\" line");
    return 0;
}

struct scenario *scenario_parse(struct arena *arena, const char *path, const char *text,
                                struct error *error)
{
    struct scenario *scenario = arena_take(arena, sizeof *scenario);
    *scenario = (struct scenario){.path = path, .text = text, .name = name_of(arena, path)};
    if (parse_text(arena, scenario, error) != 0)
        return NULL;
    if (scenario->section_count == 0) {
        scenario->sections = arena_take(arena, sizeof *scenario->sections);
        *scenario->sections = (struct section){.name = "", .place = {.file = path, .line = 1}};
        scenario->section_count = 1;
    }
    return scenario;
}

struct scenario *scenario_read(struct arena *arena, const char *path, struct error *error)
{
    struct place place = {.file = path};
    char why[ERROR_BYTES / 2];
    size_t bytes;
    const char *text = arena_file(arena, path, SCENARIO_BYTES_MAX, &bytes);
    if (text == NULL)
        error_system(error, &place, errno, "cannot read this scenario");
    else if (!text_check(text, bytes, &place.line, why, sizeof why))
        error_set(error, &place, "%s", why);
    else
        return scenario_parse(arena, path, text_start(text), error);
    return NULL;
}

const char *scenario_beside(struct arena *arena, const char *scenario_path, const char *name)
{
    int folder = (int)(os_path_name(scenario_path) - scenario_path);
    const char *beside = arena_text(arena, "%.*s%s", folder, scenario_path, name);
    char directory[4096];
    if (access(beside, R_OK) == 0 || os_program_directory(directory, sizeof directory) != 0)
        return beside;
    const char *own = arena_text(arena, "%s/../../scenarios/%s", directory, name);
    return access(own, R_OK) == 0 ? own : beside;
}
