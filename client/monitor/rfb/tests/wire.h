/* What a screen sends, written by hand; and a viewer that is fed with it. */
#ifndef FANIN_RFB_TESTS_WIRE_H
#define FANIN_RFB_TESTS_WIRE_H

#include <zlib.h>

#include "client/monitor/rfb/rfb.h"

enum { WIRE_BYTES = 2 << 20, SAID_BYTES = 4096, WIRE_WIDTH = 80, WIRE_HEIGHT = 70 };

struct wire {
    uint8_t data[WIRE_BYTES];
    size_t bytes;
};

void wire_put(struct wire *wire, const void *data, size_t bytes);
void wire_text(struct wire *wire, const char *text); /* without its end */
void wire_8(struct wire *wire, unsigned value);
void wire_16(struct wire *wire, unsigned value);
void wire_32(struct wire *wire, uint32_t value);

/* wire_begin: 3.8, no security, a picture of WIRE_WIDTH x WIRE_HEIGHT named "screen". */
void wire_begin(struct wire *wire);
void wire_init(struct wire *wire, unsigned width, unsigned height); /* ServerInit alone */
void wire_update(struct wire *wire, unsigned rectangles);
void wire_rectangle(struct wire *wire, unsigned x, unsigned y, unsigned width, unsigned height,
                    int encoding);
void wire_compact(struct wire *wire, size_t length); /* as Tight has it */
/* wire_deflate: one piece of the stream, flushed. Returns its bytes, written to `into`. */
size_t wire_deflate(z_stream *stream, const void *data, size_t bytes, uint8_t *into, size_t room);

/* A viewer: what came out of the machine. */
struct viewer {
    struct rfb *rfb;
    struct rfb_picture picture;
    struct damage dirty; /* of the last update */
    uint8_t said[SAID_BYTES];
    size_t said_bytes;
    char text[RFB_TEXT_MAX + 1];
    unsigned updates, sizes, texts, secured;
    bool no_picture; /* refuses the next size */
};

extern const struct rfb_hooks viewer_hooks;
extern const int viewer_encodings[];
extern const unsigned viewer_encoding_count;

struct rfb_config viewer_config(struct viewer *viewer);
bool viewer_open(struct viewer *viewer, const struct rfb_config *config); /* NULL: viewer_config */
void viewer_close(struct viewer *viewer);
/* viewer_feed: in pieces of so many bytes; 0: all at once. 0, or the fault. */
int viewer_feed(struct viewer *viewer, const uint8_t *data, size_t bytes, size_t piece);
uint64_t viewer_digest(const struct viewer *viewer);

/* wire_check_cuts: cut at each place, and in pieces of one and of seven bytes, it leaves the same
 * picture, updates and words as at once. Returns the picture's digest. */
uint64_t wire_check_cuts(const struct wire *wire);
/* wire_fault: what all of it comes to: 0 or the fault; the same at each cut, or 1. */
int wire_fault(const struct wire *wire);

#endif
