/* Scenes: what mock screens show, painted from the number of the frame alone. */
#include "mock_servers/screens/scene.h"

#include <string.h>

#include "base/random.h"
#include "base/rfb/stamp.h"
#include "mock_servers/screens/scene_font.h"

/* The lowest lines are the stamps' and, at their right, the keys'. All above is the scene's. */
enum { BAND_HEIGHT = 2 * STAMP_HEIGHT, KEYS_X = STAMP_WIDTH + FONT_WIDTH };

static bool has_stamps(const struct rfb_picture *picture)
{
    return stamp_box(picture, STAMP_TIME).width > 0;
}

static unsigned area_height(const struct rfb_picture *picture)
{
    return has_stamps(picture) ? picture->height - BAND_HEIGHT : picture->height;
}

static unsigned rows_of(const struct scene *scene)
{
    return area_height(&scene->picture) / FONT_HEIGHT;
}

static unsigned columns_of(const struct scene *scene)
{
    return scene->picture.width / FONT_WIDTH;
}

static void fill(const struct rfb_picture *picture, struct rfb_box box, uint32_t colour)
{
    for (unsigned y = 0; y < box.height; y++) {
        uint32_t *row = picture->pixels + (size_t)(box.y + y) * picture->stride + box.x;
        for (unsigned x = 0; x < box.width; x++)
            row[x] = colour;
    }
}

static void add_part(struct scene_change *change, struct rfb_box box)
{
    if (box.width > 0 && box.height > 0 && change->part_count < SCENE_PARTS)
        change->parts[change->part_count++] = box;
}

/* ---- text ------------------------------------------------------------------------------------ */

struct colours {
    uint32_t paper, inks[4];
};

/* By its seed, one screen is light, another dark. */
static const struct colours *colours_of(const struct scene *scene)
{
    static const struct colours sets[] = {
        {0xffffff, {0x000000, 0x1f4e9c, 0x9c1f2e, 0x2e7d32}},
        {0x1e1e1e, {0xd4d4d4, 0x569cd6, 0xce9178, 0x6a9955}},
        {0xfdf6e3, {0x586e75, 0x268bd2, 0xd33682, 0x859900}},
        {0x002b36, {0x93a1a1, 0x2aa198, 0xcb4b16, 0xb58900}},
    };
    return &sets[random_mix(scene->seed) % (sizeof sets / sizeof *sets)];
}

static const char *const words[] = {
    "screen", "the",   "of",    "update", "if",    "return", "count", "pixel", "window", "(void)",
    "buffer", "++i;",  "== 0)", "while",  "bytes", "a",      "is",    "42",    "0x7f",   "server",
    "client", "queue", "/* */", "port",   "size",  "struct", "->",    "time",  "and",    "value",
};

/* text_at: the letter and the colour of the cell `column` in line `line` of an endless text. */
struct cell {
    char letter;
    unsigned ink;
};

static void text_line(const struct scene *scene, uint64_t line, unsigned columns,
                      struct cell *cells)
{
    uint64_t random = random_mix(scene->seed ^ random_mix(line));
    unsigned at = random_next(&random) % 4 * 4; /* indented */
    const unsigned end = columns / 4 + random_next(&random) % (columns * 3 / 4 + 1);
    for (unsigned i = 0; i < columns; i++)
        cells[i] = (struct cell){' ', 0};
    while (at < end) {
        const uint64_t choice = random_next(&random);
        const unsigned ink = choice >> 32 & 4 ? 0 : choice >> 40 & 3;
        for (const char *word = words[choice % (sizeof words / sizeof *words)];
             *word != 0 && at < end; at++)
            cells[at] = (struct cell){*word++, ink};
        at++;
    }
}

enum { COLUMNS_MAX = 2048 };

static struct rfb_box cell_box(unsigned column, unsigned row)
{
    return (struct rfb_box){column * FONT_WIDTH, row * FONT_HEIGHT, FONT_WIDTH, FONT_HEIGHT};
}

static void paint_letter(const struct scene *scene, struct rfb_box box, char letter, unsigned ink)
{
    const struct colours *colours = colours_of(scene);
    for (unsigned y = 0; y < FONT_HEIGHT; y++) {
        uint32_t *row = scene->picture.pixels + (size_t)(box.y + y) * scene->picture.stride + box.x;
        const unsigned dots = font_row(letter, y);
        for (unsigned x = 0; x < FONT_WIDTH; x++)
            row[x] = dots >> (FONT_WIDTH - 1 - x) & 1 ? colours->inks[ink] : colours->paper;
    }
}

/* Line `line` of the text into row `row` of the picture. */
static void paint_line(const struct scene *scene, uint64_t line, unsigned row)
{
    struct cell cells[COLUMNS_MAX];
    const unsigned all = columns_of(scene), columns = all < COLUMNS_MAX ? all : COLUMNS_MAX;
    text_line(scene, line, columns, cells);
    for (unsigned i = 0; i < columns; i++)
        paint_letter(scene, cell_box(i, row), cells[i].letter, cells[i].ink);
}

static struct rfb_box text_box(const struct scene *scene)
{
    return (struct rfb_box){0, 0, columns_of(scene) * FONT_WIDTH, rows_of(scene) * FONT_HEIGHT};
}

static void paint_page(const struct scene *scene, uint64_t first_line)
{
    for (unsigned row = 0; row < rows_of(scene); row++)
        paint_line(scene, first_line + row, row);
}

/* ---- the scenes ------------------------------------------------------------------------------ */

/* A cursor blinks. */
static void idle_paint(struct scene *scene, struct scene_change *change)
{
    if (columns_of(scene) == 0 || rows_of(scene) == 0)
        return;
    const struct rfb_box box = cell_box(0, rows_of(scene) - 1);
    const struct colours *colours = colours_of(scene);
    fill(&scene->picture, box, scene->frame % 2 != 0 ? colours->inks[0] : colours->paper);
    add_part(change, box);
}

/* A letter a frame, the cursor behind it; at the end of the page it goes on at its top. */
static void type_paint(struct scene *scene, struct scene_change *change)
{
    const unsigned columns = columns_of(scene), rows = rows_of(scene);
    if (columns == 0 || rows == 0)
        return;
    const uint64_t at = scene->frame - 1, next = at + 1;
    const struct rfb_box box = cell_box(at % columns, (unsigned)(at / columns % rows));
    const struct rfb_box cursor = cell_box(next % columns, (unsigned)(next / columns % rows));
    paint_letter(scene, box, (char)('!' + random_mix(scene->seed ^ at) % ('~' - '!' + 1)), 0);
    fill(&scene->picture, cursor, colours_of(scene)->inks[0]);
    if (cursor.y == box.y)
        add_part(change, rfb_box_join(box, cursor));
    else {
        add_part(change, box);
        add_part(change, cursor);
    }
}

/* A line a frame comes at the low end of the text. */
static void scroll_paint(struct scene *scene, struct scene_change *change)
{
    const struct rfb_picture *picture = &scene->picture;
    const struct rfb_box text = text_box(scene);
    if (text.width == 0 || text.height == 0)
        return;
    const unsigned rows = rows_of(scene), kept = text.height - FONT_HEIGHT;
    for (unsigned y = 0; y < kept; y++)
        memcpy(picture->pixels + (size_t)y * picture->stride,
               picture->pixels + (size_t)(y + FONT_HEIGHT) * picture->stride,
               text.width * sizeof *picture->pixels);
    paint_line(scene, rows - 1 + scene->frame, rows - 1);
    change->scrolled = (struct rfb_box){0, 0, text.width, kept};
    change->lines = FONT_HEIGHT;
    add_part(change, (struct rfb_box){0, kept, text.width, FONT_HEIGHT});
}

/* A film in the middle of a page of text: hills of colour that drift, and the grain of a camera. */
static struct rfb_box video_box(const struct scene *scene)
{
    enum { WIDTH_MAX = 640, HEIGHT_MAX = 360 };
    const unsigned width = scene->picture.width / 4 * 3, height = area_height(&scene->picture);
    struct rfb_box box = {.width = width < WIDTH_MAX ? width : WIDTH_MAX,
                          .height = height < HEIGHT_MAX ? height : HEIGHT_MAX};
    box.x = (scene->picture.width - box.width) / 2;
    box.y = (height - box.height) / 2;
    return box;
}

/* A wave of period 512 between 0 and 255, of straight lines. */
static unsigned wave(unsigned at)
{
    return at & 256 ? ~at & 255 : at & 255;
}

static void video_paint(struct scene *scene, struct scene_change *change)
{
    const struct rfb_box box = video_box(scene);
    const unsigned frame = (unsigned)scene->frame, shift = (unsigned)random_mix(scene->seed);
    uint32_t grain = (uint32_t)random_mix(scene->seed ^ random_mix(scene->frame));
    for (unsigned y = 0; y < box.height; y++) {
        uint32_t *row = scene->picture.pixels + (size_t)(box.y + y) * scene->picture.stride + box.x;
        const unsigned sway = wave(3 * y + 5 * frame + shift) / 2;
        for (unsigned x = 0; x < box.width; x++) {
            grain = grain * 1664525 + 1013904223;
            const unsigned light = grain >> 28;
            const unsigned red = wave(x + sway + 4 * frame) * 15 / 16;
            const unsigned green = wave(2 * x + y - 3 * frame + shift) * 15 / 16;
            const unsigned blue = wave(x / 2 + 2 * y + sway) * 15 / 16;
            row[x] = (red + light) << 16 | (green + light) << 8 | (blue + light);
        }
    }
    add_part(change, box);
}

/* The whole page is another one: the most that a change can be. */
static void flip_all_paint(struct scene *scene, struct scene_change *change)
{
    paint_page(scene, scene->frame * rows_of(scene));
    add_part(change, text_box(scene));
}

static const struct scene_kind kinds[] = {
    {"idle", "a page of text, a cursor that blinks", 1, idle_paint},
    {"type", "a page of text, a letter at a time", 30, type_paint},
    {"scroll", "text that moves up, a line at a time", 20, scroll_paint},
    {"video", "a film of 640x360 in a page of text", 24, video_paint},
    {"flip-all", "another page of text each time", 1, flip_all_paint},
};

const struct scene_kind *scene_list(unsigned index)
{
    return index < sizeof kinds / sizeof *kinds ? &kinds[index] : NULL;
}

const struct scene_kind *scene_named(const char *name)
{
    const struct scene_kind *kind;
    for (unsigned i = 0; (kind = scene_list(i)) != NULL; i++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

/* ---- frames and events ----------------------------------------------------------------------- */

/* The cross inverts what is below it, so that painting it again takes it away. */
enum { CROSS_ARM = 8, CROSS_MIDDLE = 3 };

static struct rfb_box cross_box(const struct scene *scene)
{
    const unsigned x = scene->pointer_x, y = scene->pointer_y;
    const unsigned width = scene->picture.width, height = area_height(&scene->picture);
    if (scene->pointers == 0 || x >= width || y >= height)
        return (struct rfb_box){0, 0, 0, 0};
    const unsigned left = x < CROSS_ARM ? 0 : x - CROSS_ARM,
                   top = y < CROSS_ARM ? 0 : y - CROSS_ARM;
    const unsigned right = width - x <= CROSS_ARM ? width : x + CROSS_ARM + 1;
    const unsigned low = height - y <= CROSS_ARM ? height : y + CROSS_ARM + 1;
    return (struct rfb_box){left, top, right - left, low - top};
}

static unsigned distance(unsigned one, unsigned other)
{
    return one > other ? one - other : other - one;
}

/* With a button down it has a block at its middle. */
static void invert_cross(const struct scene *scene)
{
    const struct rfb_box box = cross_box(scene);
    for (unsigned y = box.y; y < box.y + box.height; y++)
        for (unsigned x = box.x; x < box.x + box.width; x++) {
            const unsigned across = distance(x, scene->pointer_x);
            const unsigned down = distance(y, scene->pointer_y);
            const bool block =
                scene->buttons != 0 && across <= CROSS_MIDDLE && down <= CROSS_MIDDLE;
            if (across == 0 || down == 0 || block)
                scene->picture.pixels[(size_t)y * scene->picture.stride + x] ^= 0xffffff;
        }
}

/* A scroll has moved the cross in the viewer's picture: both its places are painted again. */
static void repaint_moved_cross(const struct scene *scene, struct scene_change *change)
{
    const struct rfb_box cross = cross_box(scene);
    if (change->scrolled.height == 0 || cross.height == 0)
        return;
    struct rfb_box moved = cross;
    moved.y = cross.y < change->lines ? 0 : cross.y - change->lines;
    add_part(change, rfb_box_join(cross, moved));
}

void scene_begin(const struct scene_kind *kind, struct scene *scene, uint64_t now_us)
{
    const struct rfb_picture *picture = &scene->picture;
    scene->frame = 0;
    fill(picture, rfb_box_all(picture), colours_of(scene)->paper);
    paint_page(scene, 0);
    invert_cross(scene);
    stamp_paint(picture, STAMP_KEYS, scene->keys);
    stamp_paint(picture, STAMP_TIME, now_us);
}

void scene_step(const struct scene_kind *kind, struct scene *scene, uint64_t due_us,
                struct scene_change *change)
{
    *change = (struct scene_change){0};
    invert_cross(scene);
    scene->frame++;
    kind->paint(scene, change);
    invert_cross(scene);
    repaint_moved_cross(scene, change);
    stamp_paint(&scene->picture, STAMP_TIME, due_us);
}

/* Letters of keys come one after the other at the right of the stamps. */
void scene_key(struct scene *scene, uint32_t keysym, uint64_t now_us, struct scene_change *change)
{
    *change = (struct scene_change){0};
    const struct rfb_picture *picture = &scene->picture;
    const unsigned columns =
        has_stamps(picture) && picture->width > KEYS_X ? (picture->width - KEYS_X) / FONT_WIDTH : 0;
    if (columns > 0) {
        const struct rfb_box box = {KEYS_X + (unsigned)(scene->keys % columns) * FONT_WIDTH,
                                    picture->height - FONT_HEIGHT, FONT_WIDTH, FONT_HEIGHT};
        paint_letter(scene, box, keysym > ' ' && keysym <= '~' ? (char)keysym : '.', 0);
        add_part(change, box);
    }
    scene->keys++;
    stamp_paint(picture, STAMP_KEYS, scene->keys);
    stamp_paint(picture, STAMP_TIME, now_us);
}

void scene_pointer(struct scene *scene, unsigned x, unsigned y, uint8_t buttons, uint64_t now_us,
                   struct scene_change *change)
{
    *change = (struct scene_change){0};
    invert_cross(scene);
    add_part(change, cross_box(scene));
    scene->pointers++;
    scene->pointer_x = x;
    scene->pointer_y = y;
    scene->buttons = buttons;
    invert_cross(scene);
    add_part(change, cross_box(scene));
    stamp_paint(&scene->picture, STAMP_TIME, now_us);
}
