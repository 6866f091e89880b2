/* What has changed between two pictures: scrolled content by hashes of rows, the rest by tiles. */
#include "mock_servers/screens/capture/compare.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/rfb/stamp.h"

enum {
    BAND = 64, /* pixels: columns are looked at in bands, as not all of them scroll */
    TILE = 16, /* rows of a tile; it is as wide as a band */
    KEY_ROWS = 8,
    SCROLL_ROWS_MIN = 24,     /* of a box that is worth looking at */
    SCROLL_PIXELS_MIN = 8192, /* that a scroll must save */
};

/* ---- scrolled content ------------------------------------------------------------------------ */

/* A hash for each row of each band: [band * rows + row]. */
struct hashes {
    uint64_t *before, *now;
    unsigned rows, bands;
    uint32_t *votes; /* [rows + lines]: rows that seem to have moved so */
    uint64_t *keys;  /* of one band: of `before`, then of `now` */
    uint32_t *table; /* of one band: row + 1 of `before`, by key */
    unsigned table_mask;
};

static unsigned band_width(struct rfb_box box, unsigned band)
{
    const unsigned left = box.width - band * BAND;
    return left < BAND ? left : BAND;
}

static bool hashes_open(struct hashes *hashes, struct rfb_box box)
{
    hashes->rows = box.height;
    hashes->bands = (box.width + BAND - 1) / BAND;
    unsigned slots = 64;
    while (slots < 2 * box.height)
        slots *= 2;
    hashes->table_mask = slots - 1;
    const size_t count = (size_t)hashes->rows * hashes->bands;
    hashes->before = malloc(2 * count * sizeof *hashes->before);
    hashes->now = hashes->before == NULL ? NULL : hashes->before + count;
    hashes->votes = calloc(2 * (size_t)box.height, sizeof *hashes->votes);
    hashes->keys = malloc(2 * (size_t)box.height * sizeof *hashes->keys);
    hashes->table = malloc(slots * sizeof *hashes->table);
    return hashes->before != NULL && hashes->votes != NULL && hashes->keys != NULL &&
           hashes->table != NULL;
}

static void hashes_close(struct hashes *hashes)
{
    free(hashes->before);
    free(hashes->votes);
    free(hashes->keys);
    free(hashes->table);
}

static uint64_t row_hash(const uint32_t *row, unsigned width)
{
    return XXH64(row, width * sizeof *row, 0);
}

static uint32_t *pixel_at(const struct rfb_picture *picture, unsigned x, unsigned y)
{
    return picture->pixels + (size_t)y * picture->stride + x;
}

static void hashes_fill(struct hashes *hashes, const struct rfb_picture *picture,
                        struct rfb_box box, const struct rfb_picture *now)
{
    for (unsigned row = 0; row < hashes->rows; row++)
        for (unsigned band = 0; band < hashes->bands; band++) {
            const size_t at = (size_t)band * hashes->rows + row;
            const unsigned width = band_width(box, band);
            hashes->before[at] =
                row_hash(pixel_at(picture, box.x + band * BAND, box.y + row), width);
            hashes->now[at] = row_hash(pixel_at(now, band * BAND, row), width);
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
static uint32_t *table_slot(const struct hashes *hashes, uint64_t key)
{
    unsigned slot = (unsigned)key & hashes->table_mask;
    while (hashes->table[slot] != 0 && hashes->keys[(hashes->table[slot] & INT_MAX) - 1] != key)
        slot = (slot + 1) & hashes->table_mask;
    return &hashes->table[slot];
}

/* Keys that occur more than once, as blank rows' do, have no vote: their top bit is set. */
static void band_vote(struct hashes *hashes, unsigned band)
{
    const unsigned rows = hashes->rows;
    uint64_t *before = hashes->keys, *now = hashes->keys + rows;
    keys_fill(hashes->before + (size_t)band * rows, before, rows);
    keys_fill(hashes->now + (size_t)band * rows, now, rows);
    memset(hashes->table, 0, (hashes->table_mask + 1) * sizeof *hashes->table);
    for (unsigned row = 0; row + KEY_ROWS <= rows; row++) {
        uint32_t *slot = table_slot(hashes, before[row]);
        *slot = *slot == 0 ? row + 1 : *slot | 1u << 31;
    }
    for (unsigned row = 0; row + KEY_ROWS <= rows; row++) {
        const uint32_t found = now[row] == before[row] ? 0 : *table_slot(hashes, now[row]);
        if (found != 0 && found >> 31 == 0)
            hashes->votes[rows + (found - 1) - row]++;
    }
}

/* The rows that most rows came from, relative to them; 0: none did. */
static int votes_count(const struct hashes *hashes)
{
    int best = 0;
    uint32_t most = 0;
    for (int lines = 1 - (int)hashes->rows; lines < (int)hashes->rows; lines++) {
        const uint32_t votes = hashes->votes[(int)hashes->rows + lines];
        if (lines != 0 &&
            (votes > most || (votes == most && votes > 0 && abs(lines) < abs(best)))) {
            most = votes;
            best = lines;
        }
    }
    return best;
}

/* Rows of a band, one after the other, all of which came from `lines` away. */
struct run {
    unsigned from, to, changed; /* `changed`: of them look different now */
};

static struct run band_run(const struct hashes *hashes, unsigned band, int lines, unsigned from,
                           unsigned to)
{
    const uint64_t *before = hashes->before + (size_t)band * hashes->rows;
    const uint64_t *now = hashes->now + (size_t)band * hashes->rows;
    struct run best = {from, from, 0}, run = best;
    for (unsigned row = from; row < to; row++) {
        const int source = (int)row + lines;
        if (source < 0 || source >= (int)hashes->rows || now[row] != before[source]) {
            run = (struct run){row + 1, row + 1, 0};
            continue;
        }
        run.to = row + 1;
        run.changed += now[row] != before[row];
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

static bool area_widen(const struct hashes *hashes, struct area *area, unsigned band, int lines)
{
    const unsigned width = area->last - area->first + 1, height = area->run.to - area->run.from;
    const struct run run = band_run(hashes, band, lines, area->run.from, area->run.to);
    if ((run.to - run.from) * (width + 1) < height * width)
        return false;
    area->run = run;
    area->first = band < area->first ? band : area->first;
    area->last = band > area->last ? band : area->last;
    return true;
}

/* The largest area around the band in which most has moved. */
static struct area area_find(const struct hashes *hashes, int lines)
{
    struct area area = {0, 0, {0, 0, 0}};
    for (unsigned band = 0; band < hashes->bands; band++) {
        const struct run run = band_run(hashes, band, lines, 0, hashes->rows);
        if (run.changed > area.run.changed)
            area = (struct area){band, band, run};
    }
    while (area.last + 1 < hashes->bands && area_widen(hashes, &area, area.last + 1, lines))
        continue;
    while (area.first > 0 && area_widen(hashes, &area, area.first - 1, lines))
        continue;
    return area;
}

/* What a copy of the area would save. */
static size_t area_changed(const struct hashes *hashes, const struct area *area, int lines)
{
    size_t rows = 0;
    for (unsigned band = area->first; band <= area->last; band++)
        rows += band_run(hashes, band, lines, area->run.from, area->run.to).changed;
    return rows * BAND;
}

/* Hashes can be wrong; a picture may not. */
static bool scroll_is_exact(const struct rfb_picture *picture, struct rfb_box box,
                            const struct rfb_picture *now, const struct scroll *scroll)
{
    const struct rfb_box to = scroll->box;
    for (unsigned y = to.y; y < to.y + to.height; y++) {
        const uint32_t *source = pixel_at(picture, to.x, (unsigned)((int)y + scroll->lines));
        if (memcmp(pixel_at(now, to.x - box.x, y - box.y), source, to.width * sizeof *source) != 0)
            return false;
    }
    return true;
}

static bool scroll_among(struct hashes *hashes, const struct rfb_picture *picture,
                         struct rfb_box box, const struct rfb_picture *now, struct scroll *scroll)
{
    hashes_fill(hashes, picture, box, now);
    for (unsigned band = 0; band < hashes->bands; band++)
        band_vote(hashes, band);
    const int lines = votes_count(hashes);
    if (lines == 0)
        return false;
    const struct area area = area_find(hashes, lines);
    if (area_changed(hashes, &area, lines) < SCROLL_PIXELS_MIN)
        return false;
    const unsigned left = area.first * BAND;
    const unsigned right = area.last * BAND + band_width(box, area.last);
    *scroll = (struct scroll){
        {box.x + left, box.y + area.run.from, right - left, area.run.to - area.run.from}, lines};
    return scroll_is_exact(picture, box, now, scroll);
}

bool scroll_find(const struct rfb_picture *picture, struct rfb_box box,
                 const struct rfb_picture *now, struct scroll *scroll)
{
    struct hashes hashes = {0};
    if (box.height < SCROLL_ROWS_MIN || (size_t)box.width * box.height < SCROLL_PIXELS_MIN)
        return false;
    const bool found =
        hashes_open(&hashes, box) && scroll_among(&hashes, picture, box, now, scroll);
    hashes_close(&hashes);
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

static size_t box_area(struct rfb_box box)
{
    return (size_t)box.width * box.height;
}

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
        const size_t growth = box_area(joined) - box_area(change->parts[i]);
        if (growth < least) {
            least = growth;
            best = i;
        }
    }
    change->parts[best] = rfb_box_join(change->parts[best], part);
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

static void tiles_take(const struct rfb_picture *picture, struct rfb_box box,
                       const struct rfb_picture *now, struct scene_change *change)
{
    const unsigned first = change->part_count;
    for (unsigned y = 0; y < box.height; y += TILE) {
        const unsigned height = box.height - y < TILE ? box.height - y : TILE;
        struct rfb_box run = {0, 0, 0, 0};
        for (unsigned x = 0; x < box.width; x += BAND) {
            const struct rfb_box tile = {box.x + x, box.y + y, band_width(box, x / BAND), height};
            const struct rfb_box part = tile_take(picture, tile, pixel_at(now, x, y), now->stride);
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
    if (first && scroll_find(picture, part, &of_part, &scroll) && scroll.lines > 0) {
        scroll_apply(picture, &scroll);
        change->scrolled = scroll.box;
        change->lines = (unsigned)scroll.lines;
    }
    tiles_take(picture, part, &of_part, change);
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
