/* What has changed between two pictures: scrolled content by hashes of some of its columns, which
 * say how far it moved, and then row for row; the rest by tiles. */
#include "mock_servers/screens/capture/compare.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/rfb/stamp.h"
#include "mock_servers/screens/unseen.h"

enum {
    BAND = 64, /* pixels: columns are looked at in bands, as not all of them scroll */
    TILE = 16, /* rows of a tile; it is as wide as a band */
    KEY_ROWS = 8,
    ROW_STEP = 5,             /* lines of text are seldom a multiple of it apart */
    VOTERS = 5,               /* bands whose rows are looked for elsewhere, */
    ENOUGH_PART = 8,          /* until so large a part of the rows has moved alike */
    SCROLL_ROWS_MIN = 24,     /* of a box that is worth looking at */
    SCROLL_PIXELS_MIN = 8192, /* that a scroll must save */
};

/* ---- scrolled content ------------------------------------------------------------------------ */

enum { MOVED = 1, CHANGED = 2 }; /* signs of a row of a band */

struct search {
    const struct rfb_picture *picture, *now;
    struct rfb_box box;
    unsigned rows, bands;
    uint64_t *hashes, *keys; /* of one band: of the rows before, then of those now */
    uint32_t *table;         /* of one band: row + 1 before, by key */
    unsigned table_mask;
    uint32_t *votes;   /* [rows + lines]: rows that seem to have moved so */
    uint8_t *signs;    /* [band * rows + row] */
    unsigned *changed; /* bands */
};

static unsigned band_width(struct rfb_box box, unsigned band)
{
    const unsigned left = box.width - band * BAND;
    return left < BAND ? left : BAND;
}

static bool search_open(struct search *search)
{
    const size_t rows = search->rows = search->box.height;
    search->bands = (search->box.width + BAND - 1) / BAND;
    unsigned slots = 64;
    while (slots < 2 * rows)
        slots *= 2;
    search->table_mask = slots - 1;
    search->hashes = malloc(2 * rows * sizeof *search->hashes);
    search->keys = malloc(2 * rows * sizeof *search->keys);
    search->table = malloc(slots * sizeof *search->table);
    search->votes = calloc(2 * rows, sizeof *search->votes);
    search->signs = calloc(rows, search->bands);
    search->changed = malloc(search->bands * sizeof *search->changed);
    return search->hashes != NULL && search->keys != NULL && search->table != NULL &&
           search->votes != NULL && search->signs != NULL && search->changed != NULL;
}

static void search_close(struct search *search)
{
    free(search->hashes);
    free(search->keys);
    free(search->table);
    free(search->votes);
    free(search->signs);
    free(search->changed);
}

static uint64_t row_hash(const uint32_t *row, unsigned width)
{
    return XXH3_64bits(row, width * sizeof *row);
}

static uint32_t *pixel_at(const struct rfb_picture *picture, unsigned x, unsigned y)
{
    return picture->pixels + (size_t)y * picture->stride + x;
}

static const uint32_t *row_before(const struct search *search, unsigned band, int row)
{
    return pixel_at(search->picture, search->box.x + band * BAND,
                    (unsigned)((int)search->box.y + row));
}

static const uint32_t *row_now(const struct search *search, unsigned band, unsigned row)
{
    return pixel_at(search->now, band * BAND, row);
}

static void hashes_fill(const struct search *search, unsigned band)
{
    const unsigned width = band_width(search->box, band);
    for (unsigned row = 0; row < search->rows; row++) {
        search->hashes[row] = row_hash(row_before(search, band, (int)row), width);
        search->hashes[search->rows + row] = row_hash(row_now(search, band, row), width);
    }
}

/* A key is of KEY_ROWS rows, its own and those below: a single row of letters is often like the
 * next one. */
static void keys_fill(const uint64_t *hashes, uint64_t *keys, unsigned rows)
{
    const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t last_step = 1;
    for (unsigned i = 0; i < KEY_ROWS; i++)
        last_step *= step;
    for (unsigned row = rows; row-- > 0;) {
        keys[row] = hashes[row] + (row + 1 < rows ? step * keys[row + 1] : 0);
        if (row + KEY_ROWS < rows)
            keys[row] -= last_step * hashes[row + KEY_ROWS];
    }
}

/* table_slot: of the key, or the free one where it belongs. */
static uint32_t *table_slot(const struct search *search, uint64_t key)
{
    unsigned slot = (unsigned)key & search->table_mask;
    while (search->table[slot] != 0 && search->keys[(search->table[slot] & INT_MAX) - 1] != key)
        slot = (slot + 1) & search->table_mask;
    return &search->table[slot];
}

/* Keys that occur more than once, as blank rows' do, have no vote: their top bit is set. */
static void band_vote(const struct search *search, unsigned band)
{
    const unsigned rows = search->rows;
    uint64_t *before = search->keys, *now = search->keys + rows;
    hashes_fill(search, band);
    keys_fill(search->hashes, before, rows);
    keys_fill(search->hashes + rows, now, rows);
    memset(search->table, 0, (search->table_mask + 1) * sizeof *search->table);
    for (unsigned row = 0; row + KEY_ROWS <= rows; row++) {
        uint32_t *slot = table_slot(search, before[row]);
        *slot = *slot == 0 ? row + 1 : *slot | 1u << 31;
    }
    for (unsigned row = 0; row + KEY_ROWS <= rows; row++) {
        const uint32_t found = now[row] == before[row] ? 0 : *table_slot(search, now[row]);
        if (found != 0 && found >> 31 == 0)
            search->votes[rows + (found - 1) - row]++;
    }
}

/* The rows that most rows came from, relative to them, and how many did; 0: none. */
static int votes_count(const struct search *search, unsigned *votes_most)
{
    int best = 0;
    uint32_t most = 0;
    for (int lines = 1 - (int)search->rows; lines < (int)search->rows; lines++) {
        const uint32_t votes = search->votes[(int)search->rows + lines];
        if (lines != 0 &&
            (votes > most || (votes == most && votes > 0 && abs(lines) < abs(best)))) {
            most = votes;
            best = lines;
        }
    }
    *votes_most = most;
    return best;
}

static bool row_is(const struct search *search, unsigned band, unsigned row, int before)
{
    const size_t bytes = band_width(search->box, band) * sizeof(uint32_t);
    return memcmp(row_now(search, band, row), row_before(search, band, before), bytes) == 0;
}

/* Which rows are what lay `lines` lower, and which are not what was there; pixel for pixel. */
static void signs_fill(const struct search *search, int lines)
{
    for (unsigned row = 0; row < search->rows; row++)
        for (unsigned band = 0; band < search->bands; band++) {
            uint8_t *signs = &search->signs[(size_t)band * search->rows + row];
            const int source = (int)row + lines;
            if (source >= 0 && source < (int)search->rows && row_is(search, band, row, source))
                *signs |= MOVED;
            if (!row_is(search, band, row, (int)row))
                *signs |= CHANGED;
        }
}

/* Rows of a band, one after the other, all of which have moved. */
struct run {
    unsigned from, to, changed; /* `changed`: of them look different now */
};

static struct run band_run(const struct search *search, unsigned band, unsigned from, unsigned to)
{
    const uint8_t *signs = search->signs + (size_t)band * search->rows;
    struct run best = {from, from, 0}, run = best;
    for (unsigned row = from; row < to; row++) {
        if ((signs[row] & MOVED) == 0) {
            run = (struct run){row + 1, row + 1, 0};
            continue;
        }
        run.to = row + 1;
        run.changed += (signs[row] & CHANGED) != 0;
        if (run.to - run.from > best.to - best.from)
            best = run;
    }
    return best;
}

/* Bands beside each other and the rows that all of them have. */
struct area {
    unsigned first, last; /* bands */
    struct run run;
};

static bool area_widen(const struct search *search, struct area *area, unsigned band)
{
    const unsigned width = area->last - area->first + 1, height = area->run.to - area->run.from;
    const struct run run = band_run(search, band, area->run.from, area->run.to);
    if ((run.to - run.from) * (width + 1) < height * width)
        return false;
    area->run = run;
    area->first = band < area->first ? band : area->first;
    area->last = band > area->last ? band : area->last;
    return true;
}

/* The largest area around the band in which most has moved. */
static struct area area_find(const struct search *search)
{
    struct area area = {0, 0, {0, 0, 0}};
    for (unsigned band = 0; band < search->bands; band++) {
        const struct run run = band_run(search, band, 0, search->rows);
        if (run.changed > area.run.changed)
            area = (struct area){band, band, run};
    }
    while (area.last + 1 < search->bands && area_widen(search, &area, area.last + 1))
        continue;
    while (area.first > 0 && area_widen(search, &area, area.first - 1))
        continue;
    return area;
}

/* What a copy of the area would save. */
static size_t area_changed(const struct search *search, const struct area *area)
{
    size_t rows = 0;
    for (unsigned band = area->first; band <= area->last; band++)
        rows += band_run(search, band, area->run.from, area->run.to).changed;
    return rows * BAND;
}

/* What scrolls changes many rows: one of a few shows it. */
static bool band_changed(const struct search *search, unsigned band)
{
    unsigned row = 0;
    while (row < search->rows && row_is(search, band, row, (int)row))
        row += ROW_STEP;
    return row < search->rows;
}

/* Some of the bands that have changed are asked, until many rows agree. */
static int search_lines(const struct search *search)
{
    unsigned changed = 0, votes = 0;
    int lines = 0;
    for (unsigned band = 0; band < search->bands; band++)
        if (band_changed(search, band))
            search->changed[changed++] = band;
    const unsigned voters = changed < VOTERS ? changed : VOTERS;
    for (unsigned i = 0; i < voters && votes < search->rows / ENOUGH_PART; i++) {
        band_vote(search, search->changed[(2 * i + 1) * changed / (2 * voters)]);
        lines = votes_count(search, &votes);
    }
    return lines;
}

static bool search_run(const struct search *search, struct scroll *scroll)
{
    const int lines = search_lines(search);
    if (lines == 0)
        return false;
    signs_fill(search, lines);
    const struct area area = area_find(search);
    const struct rfb_box box = search->box;
    const unsigned left = area.first * BAND, right = area.last * BAND + band_width(box, area.last);
    *scroll = (struct scroll){
        {box.x + left, box.y + area.run.from, right - left, area.run.to - area.run.from}, lines};
    return area_changed(search, &area) >= SCROLL_PIXELS_MIN;
}

bool scroll_find(const struct rfb_picture *picture, struct rfb_box box,
                 const struct rfb_picture *now, struct scroll *scroll)
{
    struct search search = {.picture = picture, .now = now, .box = box};
    if (box.height < SCROLL_ROWS_MIN || rfb_box_area(box) < SCROLL_PIXELS_MIN)
        return false;
    const bool found = search_open(&search) && search_run(&search, scroll);
    search_close(&search);
    return found;
}

void scroll_apply(const struct rfb_picture *picture, const struct scroll *scroll)
{
    const struct rfb_box box = scroll->box;
    for (unsigned i = 0; i < box.height; i++) {
        const unsigned y = box.y + (scroll->lines > 0 ? i : box.height - 1 - i);
        memmove(pixel_at(picture, box.x, y),
                pixel_at(picture, box.x, (unsigned)((int)y + scroll->lines)),
                box.width * sizeof *picture->pixels);
    }
}

/* ---- tiles ----------------------------------------------------------------------------------- */

void change_add(struct scene_change *change, struct rfb_box part)
{
    if (change->part_count < SCENE_PARTS) {
        change->parts[change->part_count++] = part;
        return;
    }
    unsigned best = 0;
    size_t least = SIZE_MAX;
    for (unsigned i = 0; i < SCENE_PARTS; i++) {
        const struct rfb_box joined = rfb_box_join(change->parts[i], part);
        const size_t growth = rfb_box_area(joined) - rfb_box_area(change->parts[i]);
        if (growth < least) {
            least = growth;
            best = i;
        }
    }
    change->parts[best] = rfb_box_join(change->parts[best], part);
}

bool change_is_over(const struct scene_change *change, const struct scene_change *damage)
{
    size_t drawn = 0;
    for (unsigned i = 0; i < damage->part_count; i++)
        drawn += rfb_box_area(box_intersect(damage->parts[i], change->scrolled));
    return 2 * drawn > rfb_box_area(change->scrolled);
}

/* Makes one tile of the picture `now`: what of it differs, without area where nothing does. */
static struct rfb_box tile_take(const struct rfb_picture *picture, struct rfb_box tile,
                                const uint32_t *now, unsigned now_stride)
{
    unsigned first = tile.height, last = 0;
    for (unsigned row = 0; row < tile.height; row++, now += now_stride) {
        uint32_t *to = pixel_at(picture, tile.x, tile.y + row);
        if (memcmp(to, now, tile.width * sizeof *to) == 0)
            continue;
        memcpy(to, now, tile.width * sizeof *to);
        first = row < first ? row : first;
        last = row + 1;
    }
    if (first >= last)
        return (struct rfb_box){0, 0, 0, 0};
    return (struct rfb_box){tile.x, tile.y + first, tile.width, last - first};
}

/* part_found: a part of its own, or the lower end of one from `first` on that it continues. */
static void part_found(struct scene_change *change, unsigned first, struct rfb_box part)
{
    if (part.width == 0)
        return;
    for (unsigned i = first; i < change->part_count; i++) {
        struct rfb_box *above = &change->parts[i];
        if (above->x == part.x && above->width == part.width &&
            above->y + above->height == part.y) {
            above->height += part.height;
            return;
        }
    }
    change_add(change, part);
}

/* Where the picture is right already, as `moved` is, nothing is compared. */
static void tiles_take(const struct rfb_picture *picture, struct rfb_box box,
                       const struct rfb_picture *now, struct rfb_box moved,
                       struct scene_change *change)
{
    const unsigned first = change->part_count;
    for (unsigned y = 0; y < box.height; y += TILE) {
        const unsigned height = box.height - y < TILE ? box.height - y : TILE;
        struct rfb_box run = {0, 0, 0, 0};
        for (unsigned x = 0; x < box.width; x += BAND) {
            const struct rfb_box tile = {box.x + x, box.y + y, band_width(box, x / BAND), height};
            struct rfb_box part = {0, 0, 0, 0};
            if (rfb_box_area(box_intersect(moved, tile)) < rfb_box_area(tile))
                part = tile_take(picture, tile, pixel_at(now, x, y), now->stride);
            if (part.width == 0)
                part_found(change, first, run);
            run = part.width == 0 ? part : rfb_box_join(run, part);
        }
        part_found(change, first, run);
    }
}

/* ---- a change -------------------------------------------------------------------------------- */

/* The part of `now`, which is the box, that is `part`. */
static struct rfb_picture part_of(const struct rfb_picture *now, struct rfb_box box,
                                  struct rfb_box part)
{
    return (struct rfb_picture){pixel_at(now, part.x - box.x, part.y - box.y), part.width,
                                part.height, now->stride};
}

static void part_take(const struct rfb_picture *picture, struct rfb_box box,
                      const struct rfb_picture *now, struct rfb_box part,
                      struct scene_change *change)
{
    struct scroll scroll;
    const struct rfb_picture of_part = part_of(now, box, part);
    if (part.width == 0 || part.height == 0)
        return;
    /* A viewer moves what is scrolled before it gets the parts. */
    const bool first = change->scrolled.width == 0 && change->part_count == 0;
    struct rfb_box moved = {0, 0, 0, 0};
    if (first && scroll_find(picture, part, &of_part, &scroll) && scroll.lines > 0) {
        scroll_apply(picture, &scroll);
        change->scrolled = moved = scroll.box;
        change->lines = (unsigned)scroll.lines;
    }
    tiles_take(picture, part, &of_part, moved, change);
}

/* Where a picture's stamps are; without area: it has no room for them. */
static struct rfb_box stamps_box(const struct rfb_picture *picture)
{
    return rfb_box_join(stamp_box(picture, STAMP_TIME), stamp_box(picture, STAMP_KEYS));
}

/* Of which stamps rows are among the parts. */
static unsigned stamps_among(const struct rfb_picture *picture, const struct scene_change *change)
{
    unsigned among = 0;
    for (unsigned line = STAMP_TIME; line <= STAMP_KEYS; line++)
        for (unsigned i = 0; i < change->part_count; i++) {
            const struct rfb_box box = stamp_box(picture, (enum stamp_line)line);
            const struct rfb_box part = change->parts[i];
            if (part.y < box.y + box.height && box.y < part.y + part.height)
                among |= 1u << line;
        }
    return among;
}

/* The stamps are at the left of the lowest rows: what is above them, beside them, and themselves
 * are looked at one after the other. */
unsigned compare_take(const struct rfb_picture *picture, struct rfb_box box,
                      const struct rfb_picture *now, struct scene_change *change)
{
    const struct rfb_box stamps = stamps_box(picture);
    const unsigned low = box.y + box.height, right = box.x + box.width;
    if (stamps.width == 0 || low <= stamps.y || box.x >= stamps.width) {
        part_take(picture, box, now, box, change);
        return 0;
    }
    const unsigned from = box.y > stamps.y ? box.y : stamps.y;
    const unsigned beside = right < stamps.width ? right : stamps.width;
    struct scene_change of_stamps = {.part_count = 0};
    part_take(picture, box, now, (struct rfb_box){box.x, box.y, box.width, from - box.y}, change);
    part_take(picture, box, now, (struct rfb_box){beside, from, right - beside, low - from},
              change);
    part_take(picture, box, now, (struct rfb_box){box.x, from, beside - box.x, low - from},
              &of_stamps);
    return stamps_among(picture, &of_stamps);
}
