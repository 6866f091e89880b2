/* The grid's state: pictures, cells, the chosen one. */
#include "client/monitor/glass/grid.h"

#include <errno.h>
#include <stdlib.h>

#include "base/os.h"

enum { BUTTON_LEFT = 1, BUTTON_RIGHT = 3, BUTTONS = 8 };

static size_t bytes_of(const struct rfb_picture *picture)
{
    return (size_t)picture->stride * picture->height * sizeof *picture->pixels;
}

int grid_open(struct grid *grid, unsigned screens)
{
    *grid = (struct grid){.count = screens, .chosen = GRID_ALL};
    pthread_rwlock_init(&grid->lock, NULL);
    grid->screens = calloc(screens, sizeof *grid->screens);
    return grid->screens == NULL ? -ENOMEM : 0;
}

static void drop_picture(struct grid_screen *screen)
{
    if (screen->picture.pixels != NULL)
        os_pages_unmap(screen->picture.pixels, bytes_of(&screen->picture));
    screen->picture = (struct rfb_picture){0};
}

void grid_close(struct grid *grid)
{
    for (unsigned i = 0; grid->screens != NULL && i < grid->count; i++)
        drop_picture(&grid->screens[i]);
    free(grid->screens);
    pthread_rwlock_destroy(&grid->lock);
}

/* ---- painting, under the lock -------------------------------------------------------------- */

static void place(struct grid *grid, unsigned index)
{
    struct grid_screen *screen = &grid->screens[index];
    screen->cell =
        grid_cell(grid->canvas.width, grid->canvas.height, grid->count, grid->chosen, index);
    screen->fit = grid_fit(screen->cell, screen->picture.width, screen->picture.height);
}

static struct rfb_box paint(struct grid *grid, unsigned index, struct rfb_box box)
{
    struct grid_screen *screen = &grid->screens[index];
    if (grid->canvas.pixels == NULL || screen->picture.pixels == NULL)
        return (struct rfb_box){0};
    return grid_paint(&grid->canvas, screen->fit, &screen->picture, box);
}

static struct rfb_box paint_cell(struct grid *grid, unsigned index)
{
    if (grid->canvas.pixels == NULL)
        return (struct rfb_box){0};
    place(grid, index);
    grid_fill(&grid->canvas, grid->screens[index].cell);
    paint(grid, index, rfb_box_all(&grid->screens[index].picture));
    return grid->screens[index].cell;
}

static void paint_all(struct grid *grid)
{
    if (grid->canvas.pixels == NULL)
        return;
    grid_fill(&grid->canvas, rfb_box_all(&grid->canvas));
    for (unsigned i = 0; i < grid->count; i++)
        paint_cell(grid, i);
}

/* ---- pictures ------------------------------------------------------------------------------ */

void grid_canvas(struct grid *grid, struct rfb_picture canvas)
{
    pthread_rwlock_wrlock(&grid->lock);
    grid->canvas = canvas;
    paint_all(grid);
    pthread_rwlock_unlock(&grid->lock);
}

int grid_show(struct grid *grid, unsigned screen, unsigned width, unsigned height,
              struct rfb_picture *picture, struct rfb_box *box)
{
    *picture = (struct rfb_picture){NULL, width, height, width};
    picture->pixels = os_pages_map(bytes_of(picture));
    if (picture->pixels == NULL)
        *picture = (struct rfb_picture){0};
    pthread_rwlock_wrlock(&grid->lock);
    drop_picture(&grid->screens[screen]);
    grid->screens[screen].picture = *picture;
    *box = paint_cell(grid, screen);
    pthread_rwlock_unlock(&grid->lock);
    return picture->pixels == NULL ? -ENOMEM : 0;
}

struct rfb_box grid_put(struct grid *grid, unsigned screen, struct rfb_box box)
{
    pthread_rwlock_rdlock(&grid->lock);
    bool inside = rfb_box_inside(box, &grid->screens[screen].picture);
    struct rfb_box painted = inside ? paint(grid, screen, box) : (struct rfb_box){0};
    pthread_rwlock_unlock(&grid->lock);
    return painted;
}

struct rfb_box grid_hide(struct grid *grid, unsigned screen)
{
    pthread_rwlock_wrlock(&grid->lock);
    drop_picture(&grid->screens[screen]);
    struct rfb_box box = paint_cell(grid, screen);
    pthread_rwlock_unlock(&grid->lock);
    return box;
}

/* ---- pointer ------------------------------------------------------------------------------- */

static int screen_at(const struct grid *grid, int x, int y)
{
    for (unsigned i = 0; i < grid->count; i++) {
        if (grid->screens[i].picture.pixels != NULL && box_holds(grid->screens[i].cell, x, y))
            return (int)i;
    }
    return GRID_ALL;
}

static bool choose(struct grid *grid, int screen)
{
    if (grid->chosen == screen)
        return false;
    if (grid->chosen != GRID_ALL)
        grid->screens[grid->chosen].buttons = 0;
    grid->chosen = screen;
    paint_all(grid);
    return true;
}

/* Buttons beside the chosen screen choose; one that went down in it goes up in it, wherever. */
static enum grid_act act(struct grid *grid, int x, int y, unsigned button, bool down)
{
    int at = screen_at(grid, x, y), chosen = grid->chosen;
    struct grid_screen *screen = chosen == GRID_ALL ? NULL : &grid->screens[chosen];
    bool beside = screen == NULL || at != chosen;
    if (beside && (screen == NULL || screen->buttons == 0)) {
        if (button == BUTTON_LEFT && down && at != GRID_ALL)
            return choose(grid, at) ? GRID_CHOSEN : GRID_NOTHING;
        if (button == BUTTON_RIGHT && down)
            return choose(grid, GRID_ALL) ? GRID_CHOSEN : GRID_NOTHING;
        return GRID_NOTHING;
    }
    uint8_t bit = (uint8_t)(button == 0 || button > BUTTONS ? 0 : 1 << (button - 1));
    screen->buttons = (uint8_t)(down ? screen->buttons | bit : screen->buttons & ~bit);
    return GRID_POINTER;
}

enum grid_act grid_point_at(struct grid *grid, int x, int y, unsigned button, bool down,
                            unsigned *picture_x, unsigned *picture_y, uint8_t *buttons)
{
    pthread_rwlock_wrlock(&grid->lock);
    enum grid_act result = act(grid, x, y, button, down);
    if (result == GRID_POINTER) {
        const struct grid_screen *screen = &grid->screens[grid->chosen];
        grid_point(screen->fit, screen->picture.width, screen->picture.height, x, y, picture_x,
                   picture_y);
        *buttons = screen->buttons;
    }
    pthread_rwlock_unlock(&grid->lock);
    return result;
}
