/* Keys that the command line sets: "[SCENARIO.[SECTION.]]KEY=VALUES". */
#include "scenarios/sweep/cell.h"

#include <assert.h>
#include <string.h>

int override_parse(struct arena *arena, const char *argument, struct overrides *overrides,
                   struct error *error)
{
    static const struct place place = {.file = "command line"};
    struct override override = {0};
    const char *equals = strchr(argument, '=');
    assert(equals != NULL);
    char *scope = arena_copy(arena, argument, (size_t)(equals - argument));
    char *key = strstr(scope, KEY_FLEET_PREFIX);
    if (key == NULL || (key != scope && key[-1] != '.')) {
        char *dot = strrchr(scope, '.');
        key = dot == NULL ? scope : dot + 1;
    }
    if (key != scope) {
        key[-1] = '\0';
        override.scenario = scope;
        char *dot = strchr(scope, '.');
        if (dot != NULL) {
            *dot = '\0';
            override.section = dot + 1;
        }
    }
    if (setting_parse(arena, &place, key, equals + 1, &override.setting, error) != 0)
        return -1;
    overrides->items =
        arena_grow(arena, overrides->items, overrides->count, sizeof *overrides->items);
    overrides->items[overrides->count++] = override;
    return 0;
}

static bool names(const struct override *override, const struct scenario *scenario,
                  const struct section *section)
{
    return (override->scenario == NULL || strcmp(override->scenario, scenario->name) == 0) &&
           (override->section == NULL || strcmp(override->section, section->name) == 0);
}

bool override_is_for(const struct override *override, const struct scenario *scenario,
                     const struct section *section)
{
    const struct settings *own = &scenario->sections[section->base].settings;
    /* A repeat for all sections, such as --repeat=1, is not meant for a calibration. */
    if (override->section == NULL && strcmp(override->setting.key, "repeat") == 0 &&
        settings_find(own, "calibrate") != NULL)
        return false;
    return names(override, scenario, section);
}

int overrides_check(const struct overrides *overrides, struct scenario *const *scenarios,
                    unsigned scenario_count, struct error *error)
{
    for (unsigned i = 0; i < overrides->count; i++) {
        const struct override *override = &overrides->items[i];
        bool used = false;
        for (unsigned j = 0; j < scenario_count; j++) {
            for (unsigned k = 0; k < scenarios[j]->section_count; k++)
                used = used || names(override, scenarios[j], &scenarios[j]->sections[k]);
        }
        if (!used)
            return error_set(error, &override->setting.place,
                             "--%s%s%s.%s: no such scenario or section among those given",
                             override->scenario, override->section == NULL ? "" : ".",
                             override->section == NULL ? "" : override->section,
                             override->setting.key);
    }
    return 0;
}
