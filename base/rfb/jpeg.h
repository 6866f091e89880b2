/* JPEG, by the system's library: libjpeg-turbo on Linux, WIC on Windows. */
#ifndef FANIN_RFB_JPEG_H
#define FANIN_RFB_JPEG_H

#include <stddef.h>

#include "base/rfb/protocol.h"

/* One for each thread that uses it, kept: opening is slow. NULL without memory. */
struct jpeg *jpeg_open(void);
void jpeg_close(struct jpeg *jpeg); /* NULL is fine */

/* jpeg_encode: the box of the picture at `quality` 1..100. Returns the bytes, the jpeg's until its
 * next call, or NULL. */
const uint8_t *jpeg_encode(struct jpeg *jpeg, const struct rfb_picture *picture, struct rfb_box box,
                           int quality, size_t *bytes);

/* jpeg_decode: into the box of the picture. False, with the box as it was or partly written: not a
 * JPEG, or not of the box's size; the size is looked at before anything is decoded. */
bool jpeg_decode(struct jpeg *jpeg, const uint8_t *data, size_t bytes,
                 const struct rfb_picture *picture, struct rfb_box box);

#endif
