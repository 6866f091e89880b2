/* RFB 3.8 (RFC 6143), the protocol of VNC: what both sides of a screen know of it. Numbers on the
 * wire are big-endian; pixels here are always 32 bits, 0x00RRGGBB in the machine's order. */
#ifndef FANIN_RFB_PROTOCOL_H
#define FANIN_RFB_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFB_VERSION "RFB 003.008\n"

enum {
    RFB_VERSION_BYTES = 12,
    RFB_FORMAT_BYTES = 16,
    RFB_HEADER_BYTES = 12, /* of a rectangle */
    RFB_TIGHT_WIDTH_MAX = 2048,
    RFB_PORT = 5900,
    RFB_LISTEN_PORT = 5500, /* of a viewer that screens connect to */
};

enum rfb_security {
    RFB_SECURITY_INVALID = 0,
    RFB_SECURITY_NONE = 1,
    RFB_SECURITY_VNC = 2,
    RFB_SECURITY_VENCRYPT = 19,
};

/* What a VeNCrypt server offers, of its many. */
enum rfb_vencrypt { RFB_X509_NONE = 260, RFB_X509_VNC = 261 };

/* From a viewer to a screen, by the first byte. */
enum rfb_request {
    RFB_SET_PIXEL_FORMAT = 0,
    RFB_SET_ENCODINGS = 2,
    RFB_UPDATE_REQUEST = 3,
    RFB_KEY_EVENT = 4,
    RFB_POINTER_EVENT = 5,
    RFB_CLIENT_CUT_TEXT = 6,
};

/* From a screen to a viewer. */
enum rfb_message {
    RFB_UPDATE = 0,
    RFB_COLOUR_MAP = 1,
    RFB_BELL = 2,
    RFB_SERVER_CUT_TEXT = 3,
};

enum rfb_encoding {
    RFB_RAW = 0,
    RFB_COPYRECT = 1,
    RFB_TIGHT = 7,
    RFB_ZRLE = 16,
    RFB_QUALITY_0 = -32, /* JPEG of quality 0; each level more is one more, to 9 at -23 */
    RFB_DESKTOP_SIZE = -223,
    RFB_LAST_RECT = -224,
    RFB_CURSOR = -239,
};

/* Part of a picture, in pixels. */
struct rfb_box {
    unsigned x, y, width, height;
};

/* The one format of pixels that we ask for and, of our screens, send. */
#define RFB_FORMAT                                                                                 \
    {                                                                                              \
        32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0                                    \
    }

/* A picture: rows of `stride` pixels. */
struct rfb_picture {
    uint32_t *pixels;
    unsigned width, height, stride;
};

/* ---- the audit: how our own screens say what a viewer must have ---------------------------------
 * A viewer sends ClientCutText RFB_AUDIT_ASK. Our screen stops its scene, answers the next update
 * request with all that the viewer lacks, losslessly, and then says in a ServerCutText
 * "RFB_AUDIT_SAID picture=%016llx keys=%llu pointers=%llu updates=%llu": the rfb_picture_digest of
 * its picture and what it has seen and sent. The scene goes on with the next connection. */
#define RFB_AUDIT_NAME "fanin screen " /* begins the names of the screens that can be asked */
#define RFB_AUDIT_ASK  "fanin: what do I have?"
#define RFB_AUDIT_SAID "fanin: you have"

static inline uint16_t rfb_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t rfb_get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void rfb_put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void rfb_put32(uint8_t *at, uint32_t value)
{
    rfb_put16(at, value >> 16);
    rfb_put16(at + 2, value & 0xffff);
}

static inline struct rfb_box rfb_box_all(const struct rfb_picture *picture)
{
    return (struct rfb_box){0, 0, picture->width, picture->height};
}

static inline uint64_t rfb_box_area(struct rfb_box box)
{
    return (uint64_t)box.width * box.height;
}

/* rfb_box_inside: whether all of the box lies in the picture; no sum overflows. */
static inline bool rfb_box_inside(struct rfb_box box, const struct rfb_picture *picture)
{
    return box.x <= picture->width && box.width <= picture->width - box.x &&
           box.y <= picture->height && box.height <= picture->height - box.y;
}

/* rfb_box_join: the smallest box that holds both; one without area adds nothing. */
struct rfb_box rfb_box_join(struct rfb_box one, struct rfb_box other);

/* rfb_picture_digest: of the colours alone; the unused byte of a pixel does not count. */
uint64_t rfb_picture_digest(const struct rfb_picture *picture);

#endif
