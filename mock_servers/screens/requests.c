/* What a viewer says once the handshake is over. */
#include <string.h>

#include "base/os.h"
#include "mock_servers/screens/session.h"

enum {
    FORMAT_BYTES = 4 + RFB_FORMAT_BYTES,
    ENCODINGS_BYTES = 4,
    REQUEST_BYTES = 10,
    KEY_BYTES = 8,
    POINTER_BYTES = 6,
    TEXT_BYTES = 8,
    COMPRESSION_0 = -256, /* Tight's: zlib's level, to 9 at -247 */
};

/* As TightVNC has them. */
static const int qualities[] = {5, 10, 15, 25, 37, 50, 60, 70, 75, 80};

/* ---- format and encodings ---- */

static bool is_shift(unsigned shift)
{
    return shift <= 24 && shift % 8 == 0;
}

static int take_format(struct session *session, const uint8_t *data)
{
    const uint8_t *format = data + 4;
    if (format[0] != 32 || format[3] == 0 || rfb_get16(format + 4) != 255 ||
        rfb_get16(format + 6) != 255 || rfb_get16(format + 8) != 255 || !is_shift(format[10]) ||
        !is_shift(format[11]) || !is_shift(format[12]))
        return session_refuse(session,
                              "asks for a format of pixels that is not of 32 bits, 8 a colour");
    session->encode.format =
        (struct pixel_format){format[10], format[11], format[12], format[2] != 0};
    return FORMAT_BYTES;
}

/* The first of ours is the one: viewers name the best first. */
static void take_encoding(struct session *session, int number)
{
    if (session->encoding == NULL)
        session->encoding = encoding_of(number);
    session->takes_copies = session->takes_copies || number == RFB_COPYRECT;
    session->takes_sizes = session->takes_sizes || number == RFB_DESKTOP_SIZE;
    if (number >= RFB_QUALITY_0 && number <= RFB_QUALITY_0 + 9)
        session->encode.quality = qualities[number - RFB_QUALITY_0];
    if (number >= COMPRESSION_0 && number <= COMPRESSION_0 + 9)
        session->encode.compression = number == COMPRESSION_0 ? 1 : number - COMPRESSION_0;
}

static void begin_encodings(struct session *session, unsigned count)
{
    session->encodings_left = count;
    session->encoding = NULL;
    session->takes_copies = session->takes_sizes = false;
    session->encode.quality = 0;
    session->encode.compression = 1;
    session->encode.jpeg = session->screen->screens->jpeg;
}

/* ---- input ---- */

static bool may_control(struct session *session)
{
    struct screens *screens = session->screen->screens;
    if (screens->config->view_only)
        screens->total.refused_events++;
    return !screens->config->view_only;
}

static void take_key(struct session *session, const uint8_t *data)
{
    struct source *source = session->screen->source;
    if (!may_control(session))
        return;
    session->keys++;
    session->screen->screens->total.keys++;
    source->kind->key(source, rfb_get32(data + 4), data[1] != 0);
}

static void take_pointer(struct session *session, const uint8_t *data)
{
    struct source *source = session->screen->source;
    if (!may_control(session))
        return;
    session->pointers++;
    session->screen->screens->total.pointers++;
    source->kind->pointer(source, rfb_get16(data + 2), rfb_get16(data + 4), data[1]);
}

/* ---- text: only the audit's question means anything ---- */

static void end_text(struct session *session)
{
    struct source *source = session->screen->source;
    const size_t bytes = strlen(RFB_AUDIT_ASK);
    if (session->text_bytes != bytes || memcmp(session->text, RFB_AUDIT_ASK, bytes) != 0)
        return;
    if (source->kind->freeze == NULL)
        return;
    source->kind->freeze(source);
    session->audited = true;
    unseen_add(&session->unseen, session->lossy);
    session->lossy = (struct rfb_box){0};
}

static int take_text(struct session *session, const uint8_t *data, unsigned bytes)
{
    unsigned part = bytes < session->text_left ? bytes : session->text_left;
    unsigned room = sizeof session->text - session->text_bytes;
    unsigned kept = part < room ? part : room;
    memcpy(session->text + session->text_bytes, data, kept);
    session->text_bytes += kept;
    session->text_left -= part;
    if (session->text_left == 0)
        end_text(session);
    return (int)part;
}

/* ---- messages ---- */

static int begin_text(struct session *session, const uint8_t *data)
{
    session->text_left = rfb_get32(data + 4);
    session->text_bytes = 0;
    return TEXT_BYTES;
}

static int take_request(struct session *session, const uint8_t *data)
{
    const struct rfb_box box = {rfb_get16(data + 2), rfb_get16(data + 4), rfb_get16(data + 6),
                                rfb_get16(data + 8)};
    flow_asked(session, box, data[1] != 0);
    return REQUEST_BYTES;
}

/* 0: of no kind that there is. */
static unsigned message_bytes(uint8_t kind)
{
    static const uint8_t bytes[] = {
        [RFB_SET_PIXEL_FORMAT] = FORMAT_BYTES, [RFB_SET_ENCODINGS] = ENCODINGS_BYTES,
        [RFB_UPDATE_REQUEST] = REQUEST_BYTES,  [RFB_KEY_EVENT] = KEY_BYTES,
        [RFB_POINTER_EVENT] = POINTER_BYTES,   [RFB_CLIENT_CUT_TEXT] = TEXT_BYTES,
    };
    return kind < sizeof bytes ? bytes[kind] : 0;
}

static int take_message(struct session *session, const uint8_t *data)
{
    switch (data[0]) {
    case RFB_SET_PIXEL_FORMAT:
        return take_format(session, data);
    case RFB_SET_ENCODINGS:
        begin_encodings(session, rfb_get16(data + 2));
        return ENCODINGS_BYTES;
    case RFB_UPDATE_REQUEST:
        return take_request(session, data);
    case RFB_KEY_EVENT:
        take_key(session, data);
        return KEY_BYTES;
    case RFB_POINTER_EVENT:
        take_pointer(session, data);
        return POINTER_BYTES;
    default:
        return begin_text(session, data);
    }
}

int request_take(struct session *session, const uint8_t *data, unsigned bytes)
{
    if (session->text_left > 0)
        return take_text(session, data, bytes);
    if (session->encodings_left > 0) {
        if (bytes < 4)
            return 0;
        session->encodings_left--;
        take_encoding(session, (int)rfb_get32(data));
        return 4;
    }
    const unsigned needed = message_bytes(data[0]);
    if (needed == 0)
        return session_refuse(session, "sends a message of a kind that is not known");
    return bytes < needed ? 0 : take_message(session, data);
}
