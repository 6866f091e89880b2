/* No glass: pictures in memory alone. */
#include <errno.h>
#include <stdlib.h>

#include "base/os.h"
#include "client/monitor/glass/glass.h"

struct glass {
    unsigned screens;
    struct os_parker parker;
    uint32_t *pictures[]; /* by screen */
};

static struct glass *none_open(const struct glass_config *config, char *why, size_t why_bytes)
{
    struct glass *glass = calloc(1, sizeof *glass + config->screens * sizeof glass->pictures[0]);
    if (glass == NULL)
        snprintf(why, why_bytes, "no memory");
    else
        glass->screens = config->screens;
    return glass;
}

/* There are no events. */
static void none_run(struct glass *glass)
{
    os_park(&glass->parker, UINT64_MAX);
}

static void none_stop(struct glass *glass)
{
    os_unpark(&glass->parker);
}

static void none_hide(struct glass *glass, unsigned screen)
{
    free(glass->pictures[screen]);
    glass->pictures[screen] = NULL;
}

static void none_close(struct glass *glass)
{
    for (unsigned i = 0; i < glass->screens; i++)
        none_hide(glass, i);
    free(glass);
}

static int none_show(struct glass *glass, unsigned screen, unsigned width, unsigned height,
                     const char *title, struct rfb_picture *picture)
{
    none_hide(glass, screen);
    *picture = (struct rfb_picture){.pixels = NULL};
    glass->pictures[screen] = calloc((size_t)width * height, sizeof *picture->pixels);
    if (glass->pictures[screen] == NULL)
        return -ENOMEM;
    *picture = (struct rfb_picture){glass->pictures[screen], width, height, width};
    return 0;
}

static void none_put(struct glass *glass, unsigned screen, const struct damage *dirty)
{
}

const struct glass_kind glass_none = {
    .name = "none",
    .open = none_open,
    .run = none_run,
    .stop = none_stop,
    .close = none_close,
    .show = none_show,
    .put = none_put,
    .hide = none_hide,
};
