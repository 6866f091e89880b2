/* The font of the scenes: printable ASCII, cells of 8 x 16 pixels. */
#ifndef FANIN_SCENE_FONT_H
#define FANIN_SCENE_FONT_H

#include <stdint.h>

enum { FONT_WIDTH = 8, FONT_HEIGHT = 16 };

/* font_row: the pixels of row `y` of a letter, the leftmost in the highest bit. What the font lacks
 * is a blank. */
uint8_t font_row(char letter, unsigned y);

#endif
