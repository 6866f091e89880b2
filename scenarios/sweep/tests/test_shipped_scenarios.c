/* The scenarios that are shipped: each can be run, and says why its numbers are what they are. */
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/tests/test.h"
#include "scenarios/sweep/calibration.h"
#include "scenarios/sweep/fleet.h"

static bool is_scenario(const char *name)
{
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".conf") == 0 &&
           strcmp(name, "links.conf") != 0 && strcmp(name, "launchers.conf") != 0;
}

static void check(const char *name)
{
    struct arena arena = {0};
    struct error error = {0};
    struct overrides none = {0};
    struct cells cells = {0};
    struct calibrations calibrations = {0};
    struct links links = {0};
    struct fleets fleets = {0};
    struct scenario *scenario =
        scenario_read(&arena, arena_text(&arena, "scenarios/%s", name), &error);
    if (scenario == NULL || cells_expand(&arena, scenario, &none, NULL, &cells, &error) != 0 ||
        calibrations_take(&arena, &cells, NULL, &calibrations, &error) != 0 ||
        links_plan(&arena, &cells, "scenarios/links.conf", &links, &error) != 0 ||
        fleets_plan(&arena, &cells, &fleets, &error) != 0)
        fail_msg("%s", error.text);
    if (scenario->text[0] != '#' || strstr(scenario->text, "Why these numbers") == NULL)
        fail_msg("%s does not open with why", name);
    arena_free(&arena);
}

TEST(shipped_scenarios_are_sound_and_say_why)
{
    DIR *directory = opendir("scenarios");
    const struct dirent *entry;
    unsigned found = 0;
    if (directory == NULL)
        skip(); /* not run from the top of the tree */
    while ((entry = readdir(directory)) != NULL) {
        if (!is_scenario(entry->d_name))
            continue;
        check(entry->d_name);
        found++;
    }
    closedir(directory);
    assert_true(found >= 5);
}

/* What the paper's tables are compared with must not follow the client's defaults. */
TEST(the_papers_scenarios_name_their_own_receives)
{
    static const char *const names[] = {"paper", "table1", "table2", "table3",
                                        "spec",  "wire",   "level"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct arena arena = {0};
        struct error error = {0};
        struct overrides none = {0};
        struct cells cells = {0};
        const char *path = arena_text(&arena, "scenarios/%s.conf", names[i]);
        if (access(path, R_OK) != 0)
            skip(); /* not run from the top of the tree */
        struct scenario *scenario = scenario_read(&arena, path, &error);
        if (scenario == NULL || cells_expand(&arena, scenario, &none, NULL, &cells, &error) != 0)
            fail_msg("%s", error.text);
        for (unsigned c = 0; c < cells.count; c++)
            if (cell_find(cells.items[c], "blocks") == NULL ||
                cell_find(cells.items[c], "batch") == NULL)
                fail_msg("%s: %s takes the default of --blocks or --batch", path,
                         cells.items[c]->name);
        arena_free(&arena);
    }
}
