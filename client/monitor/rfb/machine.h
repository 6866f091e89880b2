/* The state of a viewer's side of RFB: what rfb.c (bytes in, at any cut), handshake.c (up to the
 * first picture) and messages.c (what follows) share. */
#ifndef FANIN_RFB_MACHINE_H
#define FANIN_RFB_MACHINE_H

#include "client/monitor/rfb/decoder.h"
#include "client/monitor/rfb/rfb.h"

enum {
    HOLD_BYTES = 255 * 4,      /* of the longest thing that is gathered: VeNCrypt's kinds */
    TEXT_LENGTH_MAX = 1 << 20, /* a longer text, name or reason is a fault */
    DECODERS_MAX = 4,
    EMPTY_MAX = 1000,           /* rectangles without area in an update */
    PAINT_TIMES_MAX = 64,       /* how often an update may paint the whole picture */
    RECTANGLES_UNKNOWN = 0xffff /* until LastRect */
};

struct rfb {
    struct rfb_config config;
    struct rfb_counts counts;

    /* What the next bytes are: one of gather, text and pixels of rfb.c. */
    int64_t (*take)(struct rfb *rfb, const uint8_t *data, size_t bytes);

    /* A thing of `need` bytes for `next`; `held` of them came before a cut. */
    int (*next)(struct rfb *rfb, const uint8_t *data);
    size_t need, held;
    uint8_t hold[HOLD_BYTES];

    /* A text: `text_left` bytes are still to come, the first `text_room` are kept. */
    int (*text_end)(struct rfb *rfb);
    char *text;
    size_t text_room, text_bytes;
    uint64_t text_left;

    /* The handshake. */
    unsigned minor;   /* of 3.3, 3.7 and 3.8 the highest that both know */
    uint32_t subtype; /* enum rfb_vencrypt, chosen */
    int refusal;      /* the fault, once the screen's reason is there */
    bool secured;     /* rfb_feed is to return: the rest is TLS */
    bool ready;
    char name[RFB_NAME_MAX + 1], reason[RFB_REASON_MAX + 1], said[RFB_TEXT_MAX + 1];

    /* The picture and the update that comes. */
    struct rfb_picture picture;
    unsigned size_width, size_height; /* of ServerInit, until the name is there */
    unsigned announced, left, empty;  /* rectangles of the update */
    uint64_t painted;                 /* pixels by this update */
    struct damage dirty;              /* of the update */
    struct rfb_box box;
    const struct decoder *decoder; /* of the rectangle that comes */
    unsigned decoder_index;
    void *states[DECODERS_MAX]; /* by decoder_list's index; NULL: not asked for */
};

/* Each sets what comes next; 0 or a fault. */
int rfb_expect(struct rfb *rfb, size_t bytes, int (*next)(struct rfb *, const uint8_t *));
int rfb_expect_text(struct rfb *rfb, uint32_t bytes, char *text, size_t room,
                    int (*end)(struct rfb *));
int rfb_expect_pixels(struct rfb *rfb); /* by rfb->decoder, which has begun */

void rfb_say(struct rfb *rfb, const void *data, size_t bytes);
bool rfb_asked_for(const struct rfb *rfb, int encoding);

int rfb_handshake(struct rfb *rfb); /* the first thing that comes */
int rfb_messages(struct rfb *rfb);  /* ... after the handshake */
int rfb_size(struct rfb *rfb, unsigned width,
             unsigned height); /* checks, tells, takes the picture */
int rfb_rectangle_done(struct rfb *rfb);

#endif
