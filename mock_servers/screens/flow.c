/* Updates: a viewer gets one for each request, with the picture as it is when its last update has
 * left. What changed in between is sent as it looks then: the latest frame wins.
 *
 * An update's order: what moved, the parts, the stamps last. So a viewer that has read a stamp has
 * everything that was painted with it. */
#include <stdio.h>
#include <string.h>

#include "base/rfb/stamp.h"
#include "mock_servers/screens/session.h"

enum {
    BAND_LINES = 32,
    SAID_BYTES = 160,
    STAMPS = 2,
};

/* What all screens may hold for viewers that do not read. Beyond it an update is a band of its
 * picture, so that memory stays where it is and every viewer gets on. */
static const uint64_t unsent_bytes_max = 256 << 20;

static const struct rfb_picture *picture_of(const struct session *session)
{
    return session->screen->source->picture;
}

/* ---- what is new ---- */

void flow_asked(struct session *session, struct rfb_box box, bool incremental)
{
    box = box_intersect(box, rfb_box_all(picture_of(session)));
    if (!incremental) {
        /* A pixel is asked for by a viewer that wants an answer; it has its picture. */
        if (box.width * box.height > 1)
            unseen_flatten(&session->unseen);
        unseen_add(&session->unseen, box);
    }
    session->asked = true;
    session->wanted = rfb_box_join(session->wanted, box);
    session_nudge(session);
}

static bool holds_stamp(const struct rfb_picture *picture, struct rfb_box box)
{
    return !box_is_empty(box_intersect(box, stamp_box(picture, STAMP_TIME))) ||
           !box_is_empty(box_intersect(box, stamp_box(picture, STAMP_KEYS)));
}

void flow_changed(struct session *session, const struct scene_change *change, unsigned stamps)
{
    if (session->state != SESSION_READY)
        return;
    struct rfb_box moved = change->scrolled; /* where to; and `lines` more are where from */
    if (!box_is_empty(moved))
        moved.height += change->lines;
    unseen_move(&session->unseen, moved, change->lines);
    if (!session->takes_copies || holds_stamp(picture_of(session), moved))
        unseen_flatten(&session->unseen);
    for (unsigned i = 0; i < change->part_count; i++)
        unseen_add(&session->unseen, change->parts[i]);
    session->stamps |= stamps;
    if (session->asked && session->out.bytes == 0)
        session_nudge(session);
}

void flow_resized(struct session *session)
{
    if (session->state != SESSION_READY)
        return;
    session->unseen = (struct unseen){0};
    unseen_add(&session->unseen, rfb_box_all(picture_of(session)));
    session->wanted = session->lossy = (struct rfb_box){0};
    session->resized = true;
    session_nudge(session);
}

/* ---- an update ---- */

struct update {
    struct session *session;
    const struct rfb_picture *picture;
    const struct encoding *encoding;
    struct encoder_config config;
    size_t begin; /* of its header in session->out */
    unsigned rectangles;
};

static void update_begin(struct update *update, struct session *session)
{
    const struct encoding *encoding = session->encoding;
    const uint8_t header[4] = {RFB_UPDATE};
    *update = (struct update){
        .session = session,
        .picture = picture_of(session),
        .encoding = encoding != NULL ? encoding : encoding_of(RFB_RAW),
        .config = session->encode,
        .begin = session->out.bytes,
    };
    if (session->audited)
        update->config.quality = 0;
    buffer_put(&session->out, header, sizeof header);
}

static void update_end(struct update *update)
{
    struct session *session = update->session;
    if (!session->out.failed)
        rfb_put16(session->out.data + update->begin + 2, update->rectangles);
    session->asked = false;
    session->wanted = (struct rfb_box){0};
    session->updates++;
    session->screen->screens->total.updates++;
}

static void write_box(struct update *update, struct rfb_box box)
{
    struct session *session = update->session;
    const struct encoder_config *config = &update->config;
    if (box_is_empty(box) || session->out.failed)
        return;
    int count =
        update->encoding->write(session->encoder, config, update->picture, box, &session->out);
    if (count < 0) {
        session->out.failed = true;
        return;
    }
    update->rectangles += (unsigned)count;
    if (update->encoding->number == RFB_TIGHT && config->quality > 0 && config->jpeg != NULL)
        session->lossy = rfb_box_join(session->lossy, box);
}

static void write_moved(struct update *update)
{
    struct unseen *unseen = &update->session->unseen;
    const unsigned lines = unseen->lines;
    struct rfb_box box = unseen->moved;
    if (box_is_empty(box))
        return;
    if (!box_is_empty(box_intersect(update->session->lossy, box)))
        update->session->lossy = rfb_box_join(update->session->lossy, box);
    box.height -= lines;
    encode_copy(box, box.x, box.y + lines, &update->session->out);
    update->rectangles++;
    unseen->moved = (struct rfb_box){0};
    unseen->lines = 0;
}

/* Boxes of damage that the stamps lie in are sent without them. */
static void write_parts(struct update *update, struct rfb_box wanted)
{
    struct session *session = update->session;
    struct unseen taken = {0}, stamp = {0};
    for (int line = 0; line < STAMPS; line++)
        if (unseen_take(&session->unseen, stamp_box(update->picture, line), &stamp))
            session->stamps |= 1u << line;
    unseen_take(&session->unseen, wanted, &taken);
    for (unsigned i = 0; i < taken.count; i++)
        write_box(update, taken.boxes[i]);
}

static void write_stamps(struct update *update, struct rfb_box wanted)
{
    struct session *session = update->session;
    for (int line = STAMPS - 1; line >= 0; line--) {
        struct rfb_box box = stamp_box(update->picture, line);
        if ((session->stamps & 1u << line) == 0 ||
            (!box_is_empty(box) && box_is_empty(box_intersect(box, wanted))))
            continue;
        write_box(update, box);
        session->stamps &= ~(1u << line);
    }
}

/* The first band of what is new. */
static struct rfb_box band_of(const struct session *session)
{
    const struct unseen *unseen = &session->unseen;
    struct rfb_box band = session->wanted;
    unsigned top = band.y + band.height;
    for (unsigned i = 0; i < unseen->count; i++)
        if (unseen->boxes[i].y < top)
            top = unseen->boxes[i].y;
    top = top > band.y ? top : band.y;
    if (band.y + band.height - top > BAND_LINES)
        band.height = BAND_LINES;
    else
        band.height = band.y + band.height - top;
    band.y = top;
    return band;
}

static bool is_all(struct rfb_box box, const struct rfb_picture *picture)
{
    return box.x == 0 && box.y == 0 && box.width == picture->width && box.height == picture->height;
}

static void write_update(struct session *session)
{
    struct update update;
    struct rfb_box wanted = session->wanted;
    const bool is_full = session->screen->screens->unsent_bytes > unsent_bytes_max;
    if (is_full || !is_all(wanted, picture_of(session)))
        unseen_flatten(&session->unseen);
    if (is_full && session->unseen.count > 0)
        wanted = band_of(session);
    update_begin(&update, session);
    write_moved(&update);
    write_parts(&update, wanted);
    if (!is_full || session->unseen.count == 0)
        write_stamps(&update, session->wanted);
    if (update.rectangles > 0)
        update_end(&update);
    else
        session->out.bytes = update.begin; /* what is new lies beside what is wanted */
}

/* ---- what is said instead ---- */

static void write_size(struct session *session)
{
    struct update update;
    uint8_t rectangle[RFB_HEADER_BYTES] = {0};
    update_begin(&update, session);
    rfb_put16(rectangle + 4, update.picture->width);
    rfb_put16(rectangle + 6, update.picture->height);
    rfb_put32(rectangle + 8, (uint32_t)RFB_DESKTOP_SIZE);
    buffer_put(&session->out, rectangle, sizeof rectangle);
    update.rectangles = 1;
    update_end(&update);
    session->resized = false;
}

static void write_audit(struct session *session)
{
    struct source *source = session->screen->source;
    uint8_t header[8] = {RFB_SERVER_CUT_TEXT};
    char said[SAID_BYTES];
    unsigned long long digest = source->kind->digest != NULL ? source->kind->digest(source)
                                                             : rfb_picture_digest(source->picture);
    int bytes = snprintf(
        said, sizeof said, RFB_AUDIT_SAID " picture=%016llx keys=%llu pointers=%llu updates=%llu",
        digest, (unsigned long long)session->keys, (unsigned long long)session->pointers,
        (unsigned long long)session->updates);
    rfb_put32(header + 4, (uint32_t)bytes);
    buffer_put(&session->out, header, sizeof header);
    buffer_put(&session->out, said, (size_t)bytes);
    session->audited = false;
}

static bool has_news(const struct session *session)
{
    return !unseen_is_empty(&session->unseen) || session->stamps != 0;
}

void flow_write(struct session *session)
{
    if (!session->asked)
        return;
    screen_refresh(session->screen);
    if (session->state != SESSION_READY)
        return; /* its source is lost */
    if (session->updates > 0 && fault_act(session, MOMENT_UPDATE))
        return;
    if (session->resized && !session->takes_sizes) {
        screens_say(session->screen->screens, session->screen->number,
                    "a viewer takes no other size of the picture");
        session_close(session, ENDED_BY_FAULT);
    } else if (session->resized) {
        write_size(session);
    } else if (has_news(session)) {
        write_update(session);
    } else if (session->audited) {
        write_audit(session);
    }
}
