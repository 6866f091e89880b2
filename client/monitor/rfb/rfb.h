/* A viewer's side of RFB 3.8 as a machine that is fed: bytes go in as they come, cut anywhere, and
 * whole things come out by the hooks. It never reads, blocks or allocates by what a length on the
 * wire says before that is checked; what breaks the protocol ends it with one of RFB_FAULTS.
 *
 *   version -> security -> (VncAuth | VeNCrypt -> TLS -> VncAuth or none) -> result -> init
 *       -> messages: updates of rectangles, each by its decoder (rfb/decoder.h) */
#ifndef FANIN_RFB_H
#define FANIN_RFB_H

#include <stddef.h>

#include "base/rfb/damage.h"
#include "base/rfb/protocol.h"

/* code, name in rows and the journal, what it means */
#define RFB_FAULTS(X)                                                                              \
    X(RFB_BAD_VERSION, "bad-version", "it does not begin as RFB does, or is older than 3.3")       \
    X(RFB_REFUSED, "refused", "the screen refuses the connection, and may say why")                \
    X(RFB_NO_SECURITY, "no-security", "it offers no kind of security that is allowed here")        \
    X(RFB_WRONG_PASSWORD, "wrong-password", "the password is not the screen's")                    \
    X(RFB_BAD_CERTIFICATE, "bad-certificate", "its certificate is not of the given authority")     \
    X(RFB_BAD_TLS, "bad-tls", "TLS failed")                                                        \
    X(RFB_BAD_SIZE, "bad-size", "a picture without pixels, or of more than --pixels-max")          \
    X(RFB_BAD_MESSAGE, "bad-message", "a message of a kind that is not known")                     \
    X(RFB_BAD_ENCODING, "bad-encoding", "an encoding that was not asked for")                      \
    X(RFB_OUTSIDE, "outside", "a rectangle that is not inside of the picture")                     \
    X(RFB_COPY_OUTSIDE, "copy-outside", "a CopyRect from outside of the picture")                  \
    X(RFB_BAD_TIGHT, "bad-tight", "a Tight rectangle that contradicts itself")                     \
    X(RFB_BAD_ZRLE, "bad-zrle", "a ZRLE rectangle that contradicts itself")                        \
    X(RFB_BAD_ZLIB, "bad-zlib", "compressed bytes that are broken, or of another length")          \
    X(RFB_BAD_JPEG, "bad-jpeg", "a JPEG that is broken, or of another size")                       \
    X(RFB_BAD_PALETTE, "bad-palette", "a colour beyond its palette")                               \
    X(RFB_ENDLESS, "endless", "an update that paints the picture over and over, or has no end")    \
    X(RFB_TOO_LONG, "too-long", "a text, name, reason or block over its limit")                    \
    X(RFB_NO_MEMORY, "out-of-memory", "no memory")

enum rfb_fault {
    RFB_FAULT_BASE = -100,
#define RFB_FAULT_CODE(code, name, text) code,
    RFB_FAULTS(RFB_FAULT_CODE)
#undef RFB_FAULT_CODE
        RFB_FAULT_END
};

const char *rfb_fault_name(int fault); /* "bad-tight"; "" for what is none */
const char *rfb_fault_text(int fault);

/* Hooks: called from rfb_feed, on its thread. */
struct rfb_hooks {
    /* say: bytes for the screen, to be sent in order; copied before it returns. */
    void (*say)(void *context, const void *data, size_t bytes);
    /* size: the screen has this size now, at first and each time that it changes; its name is in
     * rfb_name. *picture: where it is to be painted, until the next size; all black. False: there
     * is no memory. */
    bool (*size)(void *context, unsigned width, unsigned height, struct rfb_picture *picture);
    /* updated: an update is whole; `dirty` is what it painted, empty where it had no rectangle of
     * pixels. */
    void (*updated)(void *context, const struct damage *dirty);
    /* text: ServerCutText, cut to RFB_TEXT_MAX. */
    void (*text)(void *context, const char *text, size_t bytes);
    /* secure: what follows is TLS, from the next byte on: rfb_feed returns early (fewer bytes than
     * were fed), and is fed what TLS decrypts from now on. What `say` gets is to be encrypted.
     * NULL: TLS is not offered. */
    void (*secure)(void *context);
};

enum { RFB_NAME_MAX = 256, RFB_TEXT_MAX = 4096, RFB_REASON_MAX = 256 };

struct rfb_config {
    const struct rfb_hooks *hooks;
    void *context;
    uint64_t pixels_max;  /* of a picture: width * height */
    const int *encodings; /* as SetEncodings sends them, the best first; pseudo ones too */
    unsigned encoding_count;
    /* password: NULL: none is given. It outlives the machine. A screen must ask for it, or, with
     * tls_only, may. tls_only: VeNCrypt with X509, or nothing. */
    const char *password;
    bool tls_only;
    bool shared; /* ClientInit: others may look, too */
};

/* rfb_open: NULL without memory. `config` is copied, its pointers outlive the machine. */
struct rfb *rfb_open(const struct rfb_config *config);
void rfb_close(struct rfb *rfb); /* NULL is fine */

/* rfb_feed: bytes from the screen. Returns how many it took: all of them, but where `secure` was
 * called; or a fault, and then no byte more may be fed. */
int64_t rfb_feed(struct rfb *rfb, const void *data, size_t bytes);

/* rfb_request: asks for an update of the box by `say`; only once the machine is ready. */
void rfb_request(struct rfb *rfb, struct rfb_box box, bool incremental);
/* rfb_request_certain: ... of what has changed, and of a pixel in any case: an answer comes at
 * once. */
void rfb_request_certain(struct rfb *rfb, struct rfb_box box);

/* rfb_ready: the handshake is over. rfb_idle: between messages: nothing half is there. */
bool rfb_ready(const struct rfb *rfb);
bool rfb_idle(const struct rfb *rfb);

const char *rfb_name(const struct rfb *rfb);   /* of the desktop, printable; "" before */
const char *rfb_reason(const struct rfb *rfb); /* the screen's, of a refusal; printable; "" */

/* What came so far. */
struct rfb_counts {
    uint64_t updates, rectangles, pixels; /* pixels: of rectangles, copied ones too */
    uint64_t by_encoding[4];              /* rectangles: raw, copyrect, tight, zrle */
};
const struct rfb_counts *rfb_counts(const struct rfb *rfb);

#endif
