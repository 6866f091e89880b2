/* Layout: shelves of windows, cells of a grid, scaled pictures. */
#include "client/monitor/glass/layout.h"

#include <string.h>

enum { CROWDED_STEP = 24 };

/* ---- windows ------------------------------------------------------------------------------- */

static bool has_room(const struct shelves *shelves, const struct shelf *shelf, unsigned width,
                     unsigned height)
{
    return height <= shelf->height && width <= shelves->width &&
           shelf->used <= shelves->width - width;
}

static struct shelf *new_shelf(struct shelves *shelves, unsigned height)
{
    if (shelves->count == SHELVES_MAX || height > shelves->height ||
        shelves->top > shelves->height - height)
        return NULL;
    struct shelf *shelf = &shelves->shelf[shelves->count++];
    *shelf = (struct shelf){.y = shelves->top, .height = height};
    shelves->top += height;
    return shelf;
}

static struct shelf *find_shelf(struct shelves *shelves, unsigned width, unsigned height)
{
    for (unsigned i = 0; i < shelves->count; i++) {
        if (has_room(shelves, &shelves->shelf[i], width, height))
            return &shelves->shelf[i];
    }
    return width <= shelves->width ? new_shelf(shelves, height) : NULL;
}

/* Windows that lie above others start from the corner again before they leave the display. */
static unsigned crowded_at(unsigned place, unsigned display, unsigned size)
{
    unsigned room = display > size ? display - size : 0;
    return room == 0 ? 0 : place * CROWDED_STEP % (room + 1);
}

bool shelves_place(struct shelves *shelves, unsigned width, unsigned height, unsigned *x,
                   unsigned *y)
{
    struct shelf *shelf = find_shelf(shelves, width, height);
    if (shelf == NULL) {
        *x = crowded_at(shelves->crowded, shelves->width, width);
        *y = crowded_at(shelves->crowded, shelves->height, height);
        shelves->crowded++;
        return false;
    }
    *x = shelf->used;
    *y = shelf->y;
    shelf->used += width;
    return true;
}

/* ---- grid ---------------------------------------------------------------------------------- */

/* The columns that let cells of a display's shape fill the box best. */
static unsigned columns_for(unsigned width, unsigned height, unsigned count)
{
    unsigned best = 1, best_scale = 0;
    for (unsigned columns = 1; columns <= count; columns++) {
        unsigned rows = (count + columns - 1) / columns;
        unsigned across = width / columns, down = height / rows * 8 / 5;
        unsigned scale = across < down ? across : down;
        if (scale > best_scale) {
            best_scale = scale;
            best = columns;
        }
    }
    return best;
}

static struct rfb_box cell_of(struct rfb_box all, unsigned count, unsigned index)
{
    unsigned columns = columns_for(all.width, all.height, count);
    unsigned rows = (count + columns - 1) / columns;
    unsigned width = all.width / columns, height = all.height / rows;
    return (struct rfb_box){all.x + index % columns * width, all.y + index / columns * height,
                            width, height};
}

struct rfb_box grid_cell(unsigned width, unsigned height, unsigned count, int chosen,
                         unsigned index)
{
    struct rfb_box all = {0, 0, width, height};
    if (chosen == GRID_ALL || count < 2)
        return cell_of(all, count, index);
    unsigned large = width / 4 * 3;
    if (index == (unsigned)chosen)
        return (struct rfb_box){0, 0, large, height};
    all = (struct rfb_box){large, 0, width - large, height};
    return cell_of(all, count - 1, index - (index > (unsigned)chosen));
}

struct rfb_box grid_fit(struct rfb_box cell, unsigned width, unsigned height)
{
    if (width == 0 || height == 0)
        return (struct rfb_box){cell.x, cell.y, 0, 0};
    struct rfb_box fit = cell;
    if ((uint64_t)cell.width * height > (uint64_t)cell.height * width)
        fit.width = (unsigned)((uint64_t)cell.height * width / height);
    else
        fit.height = (unsigned)((uint64_t)cell.width * height / width);
    fit.x += (cell.width - fit.width) / 2;
    fit.y += (cell.height - fit.height) / 2;
    return fit;
}

/* The range of a scaled line that a range of the line touches. */
static void scaled(unsigned at, unsigned length, unsigned from, unsigned to, unsigned *begin,
                   unsigned *end)
{
    *begin = (unsigned)((uint64_t)at * to / from);
    *end = (unsigned)(((uint64_t)(at + length) * to + from - 1) / from);
}

/* What one pixel of the scaled line stands for; one pixel at least. */
static void stands_for(unsigned pixel, unsigned to, unsigned from, unsigned *begin, unsigned *end)
{
    *begin = (unsigned)((uint64_t)pixel * from / to);
    *end = (unsigned)((uint64_t)(pixel + 1) * from / to);
    if (*end <= *begin)
        *end = *begin + 1;
}

/* A worker may paint the picture at the same time: what is torn then is put again with its update.
 */
__attribute__((no_sanitize("thread"))) static uint32_t
mean(const struct rfb_picture *from, unsigned left, unsigned right, unsigned top, unsigned bottom)
{
    uint64_t red = 0, green = 0, blue = 0, count = (uint64_t)(right - left) * (bottom - top);
    for (unsigned y = top; y < bottom; y++) {
        const uint32_t *row = from->pixels + (size_t)y * from->stride;
        for (unsigned x = left; x < right; x++) {
            red += row[x] >> 16 & 0xff;
            green += row[x] >> 8 & 0xff;
            blue += row[x] & 0xff;
        }
    }
    return (uint32_t)(red / count << 16 | green / count << 8 | blue / count);
}

struct rfb_box grid_paint(const struct rfb_picture *to, struct rfb_box fit,
                          const struct rfb_picture *from, struct rfb_box box)
{
    if (fit.width == 0 || fit.height == 0 || box.width == 0 || box.height == 0)
        return (struct rfb_box){fit.x, fit.y, 0, 0};
    unsigned left, right, top, bottom;
    scaled(box.x, box.width, from->width, fit.width, &left, &right);
    scaled(box.y, box.height, from->height, fit.height, &top, &bottom);
    for (unsigned y = top; y < bottom; y++) {
        uint32_t *row = to->pixels + (size_t)(fit.y + y) * to->stride + fit.x;
        unsigned first_row, end_row, first, end;
        stands_for(y, fit.height, from->height, &first_row, &end_row);
        for (unsigned x = left; x < right; x++) {
            stands_for(x, fit.width, from->width, &first, &end);
            row[x] = mean(from, first, end, first_row, end_row);
        }
    }
    return (struct rfb_box){fit.x + left, fit.y + top, right - left, bottom - top};
}

void grid_fill(const struct rfb_picture *picture, struct rfb_box box)
{
    for (unsigned y = box.y; y < box.y + box.height; y++)
        memset(picture->pixels + (size_t)y * picture->stride + box.x, 0,
               box.width * sizeof *picture->pixels);
}

static unsigned point_on_line(unsigned begin, unsigned length, unsigned pixels, int at)
{
    if (length == 0 || pixels == 0 || at <= (int)begin)
        return 0;
    uint64_t point = (uint64_t)((unsigned)at - begin) * pixels / length;
    return point < pixels ? (unsigned)point : pixels - 1;
}

void grid_point(struct rfb_box fit, unsigned width, unsigned height, int x, int y,
                unsigned *picture_x, unsigned *picture_y)
{
    *picture_x = point_on_line(fit.x, fit.width, width, x);
    *picture_y = point_on_line(fit.y, fit.height, height, y);
}
