/* A viewer on the bytes of a hostile screen, in any pieces: whatever comes, only the picture is
 * written, and the same bytes at once come to the same as piece by piece. The first byte is the
 * length of the pieces, with bits for a handshake that has gone before, a password, and TLS. */
#include "base/tests/fuzz.h"

#include "client/monitor/rfb/rfb.h"

enum { SIDE = 96, NO_HANDSHAKE = 0x80, PASSWORD = 0x40, TLS = 0x20, PIXELS_MAX = 256 * 256 };

static const uint8_t handshake[] = "RFB 003.008\n\1\1\0\0\0\0\0\x60\0\x60\x20\x18\0\1\0\xff\0\xff\0"
                                   "\xff\x10\x08\0\0\0\0\0\0\0\0";

struct viewer {
    struct rfb_picture picture;
    uint64_t updates, texts, said;
};

static void say(void *context, const void *data, size_t bytes)
{
    struct viewer *viewer = context;
    assert(data != NULL && bytes > 0);
    viewer->said += bytes;
}

static bool size(void *context, unsigned width, unsigned height, struct rfb_picture *picture)
{
    struct viewer *viewer = context;
    assert(width > 0 && height > 0 && (uint64_t)width * height <= PIXELS_MAX);
    free(viewer->picture.pixels);
    *picture = (struct rfb_picture){calloc((size_t)width * height, 4), width, height, width};
    assert(picture->pixels != NULL);
    viewer->picture = *picture;
    return true;
}

static void updated(void *context, const struct damage *dirty)
{
    struct viewer *viewer = context;
    assert(dirty->count <= DAMAGE_BOXES);
    for (unsigned i = 0; i < dirty->count; i++)
        assert(rfb_box_inside(dirty->boxes[i], &viewer->picture));
    viewer->updates++;
}

static void text(void *context, const char *said, size_t bytes)
{
    struct viewer *viewer = context;
    assert(bytes <= RFB_TEXT_MAX && said[bytes] == '\0');
    viewer->texts++;
}

static void secure(void *context)
{
}

static const struct rfb_hooks hooks = {say, size, updated, text, secure};
static const int encodings[] = {RFB_TIGHT, RFB_ZRLE, RFB_COPYRECT, RFB_DESKTOP_SIZE, RFB_LAST_RECT};

static struct rfb *opened(struct viewer *viewer, uint8_t how)
{
    const struct rfb_config config = {
        .hooks = &hooks,
        .context = viewer,
        .pixels_max = PIXELS_MAX,
        .encodings = encodings,
        .encoding_count = sizeof encodings / sizeof *encodings,
        .password = how & PASSWORD ? "password" : NULL,
        .tls_only = (how & (NO_HANDSHAKE | TLS)) == TLS,
    };
    struct rfb *rfb = rfb_open(&config);
    assert(rfb != NULL);
    if ((how & NO_HANDSHAKE) && config.password == NULL) {
        const int64_t taken = rfb_feed(rfb, handshake, sizeof handshake - 1);
        assert(taken == sizeof handshake - 1 && rfb_idle(rfb));
        (void)taken;
    }
    return rfb;
}

/* `piece` 0: the whole. Returns 0 or the fault. */
static int fed(struct rfb *rfb, const uint8_t *data, size_t bytes, size_t piece)
{
    for (size_t at = 0; at < bytes;) {
        const size_t part = piece == 0 || piece > bytes - at ? bytes - at : piece;
        const int64_t taken = rfb_feed(rfb, data + at, part);
        assert(taken != 0 && taken <= (int64_t)part);
        if (taken < 0) {
            assert(strlen(rfb_fault_name((int)taken)) > 0);
            return (int)taken;
        }
        at += (size_t)taken;
    }
    return 0;
}

static int live(struct viewer *viewer, uint8_t how, const uint8_t *data, size_t bytes, size_t piece)
{
    struct rfb *rfb = opened(viewer, how);
    const int fault = fed(rfb, data, bytes, piece);
    assert(fault != 0 || !rfb_idle(rfb) || rfb_ready(rfb));
    assert(strlen(rfb_name(rfb)) <= RFB_NAME_MAX && strlen(rfb_reason(rfb)) <= RFB_REASON_MAX);
    rfb_close(rfb);
    return fault;
}

int fuzz_input(const uint8_t *data, size_t bytes)
{
    const uint8_t how = fuzz_byte(&data, &bytes);
    struct viewer whole = {0}, pieces = {0};
    const int fault = live(&whole, how, data, bytes, 0);
    const size_t piece = how & (TLS - 1);
    if (piece > 0) {
        const int again = live(&pieces, how, data, bytes, piece);
        /* A rectangle that is wrong in two ways may end by either. */
        assert((fault == 0) == (again == 0));
        assert(whole.updates == pieces.updates && whole.texts == pieces.texts);
        assert(whole.said == pieces.said);
        if (fault == 0 && whole.picture.pixels != NULL)
            assert(rfb_picture_digest(&whole.picture) == rfb_picture_digest(&pieces.picture));
    }
    free(whole.picture.pixels);
    free(pieces.picture.pixels);
    return 0;
}
