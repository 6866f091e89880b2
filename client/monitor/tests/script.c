/* A glass for tests, on glass_none. */
#include "client/monitor/tests/script.h"

#include "base/os.h"

enum { SCREENS = sizeof glass_scripted.puts / sizeof glass_scripted.puts[0] };

struct script glass_scripted;
static struct rfb_picture pictures[SCREENS];

static struct glass *script_open(const struct glass_config *config, char *why, size_t why_bytes)
{
    glass_scripted.config = *config;
    return glass_none.open(config, why, why_bytes);
}

static void script_run(struct glass *glass)
{
    const struct glass_config *config = &glass_scripted.config;
    if (glass_scripted.act != NULL) {
        while (atomic_load(&glass_scripted.puts[0]) == 0 &&
               !atomic_load(&glass_scripted.is_stopped))
            os_sleep_ns(OS_NS_PER_MS);
        glass_scripted.act(config->hooks, config->context);
    }
    glass_none.run(glass);
}

static void script_stop(struct glass *glass)
{
    atomic_store(&glass_scripted.is_stopped, true);
    glass_none.stop(glass);
}

static void script_close(struct glass *glass)
{
    glass_none.close(glass);
}

static int script_show(struct glass *glass, unsigned screen, unsigned width, unsigned height,
                       const char *title, struct rfb_picture *picture)
{
    const int result = glass_none.show(glass, screen, width, height, title, picture);
    if (screen < SCREENS)
        pictures[screen] = *picture;
    return result;
}

static void script_put(struct glass *glass, unsigned screen, const struct damage *dirty)
{
    if (screen >= SCREENS)
        return;
    const unsigned puts = 1 + atomic_fetch_add(&glass_scripted.puts[screen], 1);
    if (glass_scripted.spoils)
        pictures[screen].pixels[0] = puts ^ 0x5a5a5a;
}

static void script_hide(struct glass *glass, unsigned screen)
{
    glass_none.hide(glass, screen);
}

const struct glass_kind glass_script = {
    .name = "script",
    .open = script_open,
    .run = script_run,
    .stop = script_stop,
    .close = script_close,
    .show = script_show,
    .put = script_put,
    .hide = script_hide,
};
