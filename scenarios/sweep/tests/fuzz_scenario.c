/* Scenario files: each is expanded into cells and calibrations, or refused in one line that names
 * the file. */
#include "base/tests/fuzz.h"

#include "scenarios/sweep/calibration.h"
#include "scenarios/sweep/fleet.h"
#include "scenarios/sweep/plan.h"

int fuzz_input(const uint8_t *data, size_t bytes)
{
    struct arena arena = {0};
    struct error error = {0};
    struct cells cells = {0};
    struct calibrations calibrations = {0};
    struct overrides none = {0};
    struct plan plan = {0};
    char *text = fuzz_text(data, bytes);
    struct scenario *scenario = scenario_parse(&arena, "some/t.conf", text, &error);
    if (scenario == NULL || cells_expand(&arena, scenario, &none, NULL, &cells, &error) != 0 ||
        calibrations_take(&arena, &cells, NULL, &calibrations, &error) != 0) {
        assert(strncmp(error.text, "some/t.conf:", 12) == 0 && strchr(error.text, '\n') == NULL);
    } else {
        plan_make(&arena, &cells, 1, &plan);
    }
    arena_free(&arena);
    free(text);
    return 0;
}
