/* Stamps: numbers painted into pictures. */
#include "base/rfb/stamp.h"

enum { PATTERN = 0xb4, CHECK_BITS = 8, NUMBER_BITS = 48 };

/* A weighted sum: a cell that is misread changes it, and so do two that change places. */
static unsigned check_of(uint64_t number)
{
    return (unsigned)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static uint64_t cells_of(uint64_t number)
{
    number &= STAMP_MAX;
    return (uint64_t)PATTERN << (NUMBER_BITS + CHECK_BITS) | number << CHECK_BITS |
           check_of(number);
}

struct rfb_box stamp_box(const struct rfb_picture *picture, enum stamp_line line)
{
    if (picture->width < STAMP_WIDTH || picture->height < 2 * STAMP_HEIGHT)
        return (struct rfb_box){0, 0, 0, 0};
    return (struct rfb_box){0, picture->height - ((unsigned)line + 1) * STAMP_HEIGHT, STAMP_WIDTH,
                            STAMP_HEIGHT};
}

void stamp_paint(const struct rfb_picture *picture, enum stamp_line line, uint64_t number)
{
    const struct rfb_box box = stamp_box(picture, line);
    const uint64_t cells = cells_of(number);
    for (unsigned y = 0; y < box.height; y++) {
        uint32_t *row = picture->pixels + (size_t)(box.y + y) * picture->stride;
        for (unsigned x = 0; x < box.width; x++)
            row[x] = cells >> (STAMP_CELLS - 1 - x / STAMP_CELL) & 1 ? 0xffffff : 0;
    }
}

bool stamp_read(const struct rfb_picture *picture, enum stamp_line line, uint64_t *number)
{
    const struct rfb_box box = stamp_box(picture, line);
    if (box.width == 0)
        return false;
    const uint32_t *row =
        picture->pixels + (size_t)(box.y + STAMP_CELL / 2) * picture->stride + STAMP_CELL / 2;
    uint64_t cells = 0;
    for (unsigned i = 0; i < STAMP_CELLS; i++)
        cells = cells << 1 | (row[(size_t)i * STAMP_CELL] >> 8 & 0xff) / 128; /* its green */
    *number = cells >> CHECK_BITS & STAMP_MAX;
    return cells == cells_of(*number);
}
