/* A viewer's connection to one screen: handshake, what it asks for, what it gets.
 *
 *   CALLING --connected--> VERSION -> SECURITY -> INIT -> READY       (security.c has more between)
 *      any of these --by a fault--> STUCK: reads and says nothing more
 *      any of these --closes in order--> LEAVING: says the rest, then waits for the viewer's end
 *      any of these --> CLOSED */
#ifndef FANIN_SCREENS_SESSION_H
#define FANIN_SCREENS_SESSION_H

#include "base/rfb/secret.h"
#include "base/rfb/tls.h"
#include "mock_servers/screens/unseen.h"
#include "mock_servers/screens/encode/encode.h"
#include "mock_servers/screens/faults.h"
#include "mock_servers/screens/screen.h"

enum session_state {
    SESSION_CALLING, /* our connect is under way */
    SESSION_VERSION, /* the viewer's version is next */
    SESSION_SECURITY,
    SESSION_PASSWORD, /* its answer */
    SESSION_VENCRYPT_VERSION,
    SESSION_VENCRYPT_KIND,
    SESSION_TLS,  /* TLS shakes hands */
    SESSION_INIT, /* its ClientInit */
    SESSION_READY,
    SESSION_STUCK,
    SESSION_LEAVING,
    SESSION_CLOSED,
};

enum { SESSION_INPUT_BYTES = 256, SESSION_TEXT_BYTES = 64 };

struct session {
    struct handler handler;  /* the first field */
    struct list_node member; /* of screen->sessions, or of the fleet's closed ones */
    struct screen *screen;
    intptr_t socket;
    enum session_state state;
    unsigned minor; /* 3, 7 or 8, of RFB 3.x; 0: not known yet */
    bool resets;    /* LEAVING: by a reset, once all is with the kernel */

    uint8_t input[SESSION_INPUT_BYTES]; /* what is not a whole message yet */
    unsigned input_bytes;
    unsigned encodings_left; /* of the SetEncodings that is being read */
    uint32_t text_left;      /* bytes of the ClientCutText that is being read */
    char text[SESSION_TEXT_BYTES];
    unsigned text_bytes;

    uint8_t challenge[SECRET_BYTES];
    struct tls *tls;      /* NULL: plain */
    struct buffer sealed; /* what TLS has written, until it is behind `out` */

    struct buffer out;
    size_t out_sealed;                  /* with TLS: so much of it is encrypted */
    size_t out_sent, unsent_bytes;      /* the second: as counted in screens->unsent_bytes */
    uint64_t drip_bytes_per_s, drip_ns; /* fault: how fast it sends; nothing before. 0: at will */

    struct encoder *encoder;
    struct encoder_config encode;
    const struct encoding *encoding; /* NULL: the viewer has named none of ours yet */
    bool takes_copies, takes_sizes;

    bool asked;
    struct rfb_box wanted; /* of the picture, by what asked for it */
    struct unseen unseen;
    unsigned stamps;      /* that are new, 1 << enum stamp_line */
    struct rfb_box lossy; /* around all that went out as JPEG */
    bool resized;         /* the viewer is still to be told */
    bool audited;         /* it has asked what it must have, and is still to be told */

    uint64_t keys, pointers, updates;
    const struct fault *fault; /* NULL: none, or committed */
    bool endless;              /* fault: what is left of its update, in rectangles */
    unsigned endless_left;
};

/* session_open: of a connected socket, or of one that is being connected. 0, or -1 without memory
 * (the socket stays the caller's). */
int session_open(struct screen *screen, intptr_t socket, bool connecting);

/* session_close: at once. session_leave: says what is left first; by a reset if `resets`.
 * session_stick: nothing more is said; what is written already goes out. */
void session_close(struct session *session, enum session_end how);
void session_leave(struct session *session, bool resets);
void session_stick(struct session *session);

/* session_nudge: there may be something to send: in this round of the loop. */
void session_nudge(struct session *session);
void session_free(struct session *session); /* of a closed one */

/* session_put, session_put32: behind what waits to be sent. session_refuse: says that "a viewer
 * WHY" and closes; returns -1. */
void session_put(struct session *session, const void *data, size_t bytes);
void session_put32(struct session *session, uint32_t value);
int session_refuse(struct session *session, const char *why);

/* session_take: bytes that the viewer has said, without TLS. */
void session_take(struct session *session, const uint8_t *data, size_t bytes);

/* ---- security.c ---- */

/* security_offer: its version is known. security_take: as handshake_take, in its states. */
void security_offer(struct session *session);
int security_take(struct session *session, const uint8_t *data, unsigned bytes);

/* security_received: bytes of TLS. 0, or < 0: the session is closed. security_seal: encrypts what
 * is still plain of `out`. */
int security_received(struct session *session, const uint8_t *data, size_t bytes);
void security_seal(struct session *session);
void security_free(struct session *session);

/* ---- handshake.c: takes the bytes of one step; 0: more are needed; negative: it is closed ---- */

void handshake_begin(struct session *session);
int handshake_take(struct session *session, const uint8_t *data, unsigned bytes);

/* handshake_put_init: writes ServerInit; `name_bytes` is what it says of the name. */
void handshake_put_init(struct session *session, unsigned width, unsigned height, const char *name,
                        uint32_t name_bytes);

/* ---- requests.c: the same, of a session that is READY ---- */

int request_take(struct session *session, const uint8_t *data, unsigned bytes);

/* ---- flow.c ---- */

/* flow_asked: the viewer asks for this box. flow_changed, flow_resized: the picture has. */
void flow_asked(struct session *session, struct rfb_box box, bool incremental);
void flow_changed(struct session *session, const struct scene_change *change, unsigned stamps);
void flow_resized(struct session *session);

/* flow_write: writes the next update if the viewer waits for one and there is one. Only when the
 * last one has left. */
void flow_write(struct session *session);

#endif
