/* The table of what screens do wrong. What breaks the protocol is followed by silence: it is the
 * viewer's to end the connection. */
#include "mock_servers/screens/faults.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/os.h"
#include "mock_servers/screens/session.h"

enum {
    TIGHT_FILL = 0x80,
    TIGHT_JPEG = 0x90,
    TIGHT_FILTER = 0x40, /* the filter is named in the next byte */
    TIGHT_PALETTE = 1,
    SIDE = 16, /* of the boxes of bad rectangles */
    WIDE = 4096,
    BOMB_BYTES = 8 << 20,
    JUNK_BYTES = 4096,
    EMPTY_MAX = 65535,
    ENDLESS_BYTES_PER_S = 1 << 20,
    ENDLESS_AT_ONCE = 16,
    MILLIS_MAX = 3600 * 1000,
    RATE_MAX = 1 << 30,
};

static const uint8_t junk[JUNK_BYTES];

/* ---- pieces of updates ---- */

static void put_update(struct session *session, unsigned rectangles)
{
    uint8_t header[4] = {RFB_UPDATE};
    rfb_put16(header + 2, rectangles);
    session_put(session, header, sizeof header);
}

static void put_length(struct session *session, size_t length) /* Tight's, of 3 bytes */
{
    const uint8_t bytes[3] = {(uint8_t)(0x80 | (length & 0x7f)),
                              (uint8_t)(0x80 | (length >> 7 & 0x7f)), (uint8_t)(length >> 14)};
    session_put(session, bytes, sizeof bytes);
}

static void tight_begin(struct session *session, uint8_t control)
{
    put_update(session, 1);
    encode_header((struct rfb_box){0, 0, SIDE, SIDE}, RFB_TIGHT, &session->out);
    session_put(session, &control, 1);
}

static struct rfb_box all_of(const struct session *session)
{
    return rfb_box_all(session->screen->source->picture);
}

/* ---- before the picture ---- */

static void act_silent(struct session *session)
{
    session_stick(session);
}

static void act_bad_version(struct session *session)
{
    session_put(session, "HTTP/1.1 400\n", RFB_VERSION_BYTES);
    session_stick(session);
}

static void put_refusal(struct session *session, uint32_t reason_bytes)
{
    uint8_t bytes[8] = {0};
    const unsigned begin = session->minor == 3 ? 0 : 3; /* RFB 3.3: a number of 32 bits */
    rfb_put32(bytes + 4, reason_bytes);
    session_put(session, bytes + begin, sizeof bytes - begin);
}

static void act_refuse(struct session *session)
{
    static const char reason[] = "this screen is not to be looked at";
    put_refusal(session, sizeof reason - 1);
    session_put(session, reason, sizeof reason - 1);
    session_leave(session, false);
}

static void act_long_reason(struct session *session)
{
    put_refusal(session, UINT32_MAX);
    session_put(session, junk, sizeof junk);
    session_stick(session);
}

static void act_huge_size(struct session *session)
{
    handshake_put_init(session, 65535, 65535, "huge", 4);
    session_stick(session);
}

static void act_zero_size(struct session *session)
{
    handshake_put_init(session, 0, 0, "none", 4);
    session_stick(session);
}

static void act_long_name(struct session *session)
{
    handshake_put_init(session, SIDE, SIDE, "long", UINT32_MAX);
    session_put(session, junk, sizeof junk);
    session_stick(session);
}

static void act_tight_wide(struct session *session)
{
    const uint8_t fill[] = {TIGHT_FILL, 1, 2, 3};
    handshake_put_init(session, WIDE, SIDE, "wide", 4);
    put_update(session, 1);
    encode_header((struct rfb_box){0, 0, RFB_TIGHT_WIDTH_MAX + 1, 1}, RFB_TIGHT, &session->out);
    session_put(session, fill, sizeof fill);
    session_stick(session);
}

/* ---- bad updates ---- */

static void act_outside(struct session *session)
{
    const struct rfb_box all = all_of(session);
    put_update(session, 1);
    encode_header((struct rfb_box){all.width - 1, 0, SIDE, 1}, RFB_RAW, &session->out);
    session_put(session, junk, SIDE * 4);
    session_stick(session);
}

static void act_copy_outside(struct session *session)
{
    const struct rfb_box all = all_of(session);
    put_update(session, 1);
    encode_copy((struct rfb_box){0, 0, SIDE, SIDE}, all.width - 1, all.height - 1, &session->out);
    session_stick(session);
}

static void act_bad_encoding(struct session *session)
{
    put_update(session, 1);
    encode_header((struct rfb_box){0, 0, SIDE, SIDE}, 0x7a7a, &session->out);
    session_put(session, junk, SIDE * SIDE * 4);
    session_stick(session);
}

static void act_bad_message(struct session *session)
{
    session_put(session,
                "\x4d"
                "not a message",
                14);
    session_stick(session);
}

static void act_tight_length(struct session *session)
{
    tight_begin(session, 0);
    put_length(session, (1 << 22) - 1);
    session_put(session, junk, sizeof junk);
    session_stick(session);
}

/* Of zeros; the box has a thousandth of them. */
static void act_bomb(struct session *session)
{
    uint8_t *zeros = calloc(1, BOMB_BYTES);
    uLongf bytes = compressBound(BOMB_BYTES);
    uint8_t *bomb = malloc(bytes);
    tight_begin(session, 0);
    if (zeros == NULL || bomb == NULL || compress(bomb, &bytes, zeros, BOMB_BYTES) != Z_OK) {
        session->out.failed = true;
    } else {
        put_length(session, bytes);
        session_put(session, bomb, bytes);
    }
    free(zeros);
    free(bomb);
    session_stick(session);
}

/* Of twice the box's size. */
static void act_jpeg_size(struct session *session)
{
    uint32_t pixels[4 * SIDE * SIDE] = {0};
    const struct rfb_picture picture = {pixels, 2 * SIDE, 2 * SIDE, 2 * SIDE};
    size_t bytes = 0;
    struct jpeg *jpeg = session->screen->screens->jpeg;
    const uint8_t *data =
        jpeg != NULL ? jpeg_encode(jpeg, &picture, rfb_box_all(&picture), 80, &bytes) : NULL;
    tight_begin(session, TIGHT_JPEG);
    put_length(session, bytes);
    if (data != NULL)
        session_put(session, data, bytes);
    session_stick(session);
}

/* Of three colours, and the 201st of them; so short that it is not compressed. */
static void act_palette(struct session *session)
{
    const uint8_t data[] = {TIGHT_FILTER, TIGHT_PALETTE, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2,
                            200};
    put_update(session, 1);
    encode_header((struct rfb_box){0, 0, 2, 2}, RFB_TIGHT, &session->out);
    session_put(session, data, sizeof data);
    session_stick(session);
}

static void act_long_text(struct session *session)
{
    const uint8_t header[8] = {RFB_SERVER_CUT_TEXT, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    session_put(session, header, sizeof header);
    session_put(session, junk, sizeof junk);
    session_stick(session);
}

/* Allowed, and of no use: it goes on. */
static void act_empty_rects(struct session *session)
{
    put_update(session, EMPTY_MAX);
    for (unsigned i = 0; i < EMPTY_MAX; i++)
        encode_header((struct rfb_box){0}, RFB_RAW, &session->out);
    session_nudge(session);
}

static void act_endless(struct session *session)
{
    session->endless = true;
    session->drip_bytes_per_s = ENDLESS_BYTES_PER_S;
    session_stick(session);
    session_nudge(session);
}

/* All of an update's rectangles that there can be; with LastRect it has no end at all. */
void fault_endless(struct session *session)
{
    if (session->endless_left == 0) {
        session->endless_left = EMPTY_MAX;
        put_update(session, EMPTY_MAX);
    }
    for (unsigned i = 0; i < ENDLESS_AT_ONCE && session->endless_left > 0; i++) {
        encode_header((struct rfb_box){0, 0, SIDE, SIDE}, RFB_RAW, &session->out);
        session_put(session, junk, SIDE * SIDE * 4);
        session->endless_left--;
    }
}

/* ---- what screens do ---- */

static void act_freeze(struct session *session)
{
    session_stick(session);
}

static void put_half(struct session *session)
{
    put_update(session, 1);
    encode_header(all_of(session), RFB_RAW, &session->out);
    session_put(session, junk, sizeof junk);
}

static void act_vanish(struct session *session)
{
    put_half(session);
    screen_deafen(session->screen);
    session_leave(session, false);
}

static void act_reset(struct session *session)
{
    put_half(session);
    screen_deafen(session->screen);
    session_leave(session, true);
}

static void act_return(struct session *session)
{
    put_half(session);
    session_leave(session, false);
}

static void act_slow(struct session *session)
{
    session->drip_bytes_per_s = session->screen->fault->argument;
    session_nudge(session);
}

/* screen.c has its timer. */
static void act_resize(struct session *session)
{
    screen_resize(session->screen);
    session_nudge(session);
}

/* ---- the table ---- */

#define FAULT(kind_name, moment, act, kind_help)                                                   \
    {                                                                                              \
        {.name = kind_name, .help = kind_help}, MOMENT_##moment, act                               \
    }

static const struct screen_fault table[] = {
    FAULT("silent", VERSION, act_silent, "connects and never sends anything"),
    FAULT("bad-version", VERSION, act_bad_version, "sends a greeting that is not RFB's"),
    FAULT("refuse", SECURITY, act_refuse, "refuses the viewer, with a reason"),
    FAULT("long-reason", SECURITY, act_long_reason, "refuses, with a reason of 4 GiB"),
    FAULT("huge-size", INIT, act_huge_size, "announces a picture of 65535x65535"),
    FAULT("zero-size", INIT, act_zero_size, "announces a picture of 0x0"),
    FAULT("long-name", INIT, act_long_name, "announces a name of 4 GiB"),
    FAULT("tight-wide", INIT, act_tight_wide, "sends a Tight rectangle wider than 2048"),
    FAULT("outside", UPDATE, act_outside, "sends a rectangle outside of the picture"),
    FAULT("copy-outside", UPDATE, act_copy_outside, "sends a CopyRect from outside of the picture"),
    FAULT("bad-encoding", UPDATE, act_bad_encoding, "uses an encoding that was not asked for"),
    FAULT("bad-message", UPDATE, act_bad_message, "sends a message of an unknown type"),
    FAULT("tight-length", UPDATE, act_tight_length, "sends a Tight rectangle longer than possible"),
    FAULT("bomb", UPDATE, act_bomb, "sends 8 kB that inflate to 8 MB, for a box of 16x16"),
    FAULT("jpeg-size", UPDATE, act_jpeg_size, "sends a JPEG of another size than its box"),
    FAULT("palette", UPDATE, act_palette, "uses a colour beyond the palette"),
    FAULT("long-text", UPDATE, act_long_text, "announces a clipboard of 4 GiB"),
    FAULT("empty-rects", UPDATE, act_empty_rects,
          "sends one update of 65535 rectangles of 0x0, which is allowed"),
    FAULT("endless", UPDATE, act_endless, "sends an update whose rectangles never end"),
    FAULT("freeze", UPDATE, act_freeze, "stays connected and sends nothing more"),
    FAULT("vanish", UPDATE, act_vanish, "closes in the middle of a rectangle and stays away"),
    FAULT("reset", UPDATE, act_reset, "resets in the middle of a rectangle and stays away"),
    {{.name = "return",
      .argument = "MS",
      .help = "as vanish, but connects again after MS milliseconds (default 1000; with\n"
              "      --listen at once), each time",
      .argument_default = 1000,
      .argument_max = MILLIS_MAX},
     MOMENT_UPDATE,
     act_return},
    FAULT("resize", UPDATE, act_resize, "changes the size of its picture each second"),
    {{.name = "slow",
      .argument = "BYTES",
      .help = "sends no more than BYTES a second (default 20000)",
      .argument_default = 20000,
      .argument_max = RATE_MAX},
     MOMENT_UPDATE,
     act_slow},
};

static const struct fault_kind *kind_at(unsigned index)
{
    return index < sizeof table / sizeof *table ? &table[index].kind : NULL;
}

const struct fault_table screen_faults = {kind_at, "screens", true};

int screen_faults_option(const struct option_spec *spec, const char *text, void *field, char *why,
                         size_t why_bytes)
{
    return faults_read(&screen_faults, text, field, why, why_bytes);
}

bool fault_act(struct session *session, enum fault_moment moment)
{
    const struct screen_fault *fault =
        session->fault != NULL ? (const struct screen_fault *)session->fault->kind : NULL;
    if (fault == NULL || fault->moment != moment)
        return false;
    session->fault = NULL;
    session->screen->screens->total.faults++;
    fault->act(session);
    return true;
}

bool fault_is(const struct fault *fault, const char *name)
{
    return fault != NULL && strcmp(fault->kind->name, name) == 0;
}
