/* A screen's side of the handshake: version, ClientInit and ServerInit; security.c has what is
 * between. RFB 3.3 and 3.7 are spoken, too: old viewers do. */
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/screens/session.h"

enum { NAME_BYTES = 32 };

void handshake_begin(struct session *session)
{
    if (!fault_act(session, MOMENT_VERSION))
        session_put(session, RFB_VERSION, RFB_VERSION_BYTES);
}

static int take_version(struct session *session, const uint8_t *data, unsigned bytes)
{
    unsigned major, minor;
    char text[RFB_VERSION_BYTES + 1] = "";
    if (bytes < RFB_VERSION_BYTES)
        return 0;
    memcpy(text, data, RFB_VERSION_BYTES);
    if (sscanf(text, "RFB %3u.%3u\n", &major, &minor) != 2 || major != 3 || minor < 3)
        return session_refuse(session, "does not begin as RFB 3.3 to 3.8 does");
    session->minor = minor >= 8 ? 8 : minor == 7 ? 7 : 3;
    security_offer(session);
    return RFB_VERSION_BYTES;
}

/* ---- init ---- */

void handshake_put_init(struct session *session, unsigned width, unsigned height, const char *name,
                        uint32_t name_bytes)
{
    const uint8_t format[RFB_FORMAT_BYTES] = RFB_FORMAT;
    uint8_t size[4];
    rfb_put16(size, width);
    rfb_put16(size + 2, height);
    session_put(session, size, sizeof size);
    session_put(session, format, sizeof format);
    session_put32(session, name_bytes);
    session_put(session, name, strlen(name));
}

/* The first update is the whole picture, asked for or not: an incremental request lacks it all. */
static int take_init(struct session *session, const uint8_t *data, unsigned bytes)
{
    struct screen *screen = session->screen;
    char name[NAME_BYTES];
    if (data[0] == 0)
        screen_alone(screen, session);
    if (!screen_look(screen)) {
        session_close(session, ENDED_BROKEN);
        return -1;
    }
    const struct rfb_picture *picture = screen->source->picture;
    session->state = SESSION_READY;
    session->unseen = (struct unseen){0};
    unseen_add(&session->unseen, rfb_box_all(picture));
    if (fault_act(session, MOMENT_INIT))
        return 1;
    snprintf(name, sizeof name, RFB_AUDIT_NAME "%u", screen->number);
    handshake_put_init(session, picture->width, picture->height, name, (uint32_t)strlen(name));
    screen->screens->total.viewers++;
    return 1;
}

int handshake_take(struct session *session, const uint8_t *data, unsigned bytes)
{
    switch (session->state) {
    case SESSION_VERSION:
        return take_version(session, data, bytes);
    case SESSION_INIT:
        return take_init(session, data, bytes);
    default:
        return security_take(session, data, bytes);
    }
}
