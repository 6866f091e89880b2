#include "client/peers/intake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/buffers/frames.h"

enum { FIRST_BYTES = 1 << 10 };

/* Doubles, so that a frame of any length is moved a few times at most. */
static int grow(struct intake *intake, struct budget *budget, size_t bytes)
{
    size_t capacity = intake->capacity_bytes > 0 ? intake->capacity_bytes : FIRST_BYTES;
    while (capacity < bytes)
        capacity *= 2;
    if (capacity == intake->capacity_bytes)
        return 0;
    uint8_t *own = realloc(intake->own, capacity);
    if (own == NULL)
        return -1;
    budget_charge(budget, capacity - intake->capacity_bytes);
    intake->own = own;
    intake->capacity_bytes = capacity;
    return 0;
}

/* The rest of a frame is moved to the front at once, and no receive is offered more than
 * INTAKE_READ_BYTES: what is copied for that is warm, and all connections together touch less
 * memory. */
static uint8_t *room_in_own(struct intake *intake, struct budget *budget, size_t *room_bytes)
{
    if (intake->begin > 0) {
        size_t pending = intake->end - intake->begin;
        memmove(intake->own, intake->own + intake->begin, pending);
        intake->copied_bytes += pending;
        intake->begin = 0;
        intake->end = pending;
    }
    if (grow(intake, budget, intake->end + INTAKE_READ_BYTES) != 0)
        return NULL;
    *room_bytes = INTAKE_READ_BYTES;
    return intake->own + intake->end;
}

uint8_t *intake_room(struct intake *intake, struct budget *budget, uint8_t *shared,
                     size_t *room_bytes)
{
    size_t pending = intake->end - intake->begin;
    intake->carried = shared != NULL && pending <= INTAKE_CARRY_BYTES &&
                      intake->frame_bytes <= INTAKE_READ_BYTES / 2;
    if (!intake->carried)
        return room_in_own(intake, budget, room_bytes);
    if (pending > 0)
        memcpy(shared, intake->own + intake->begin, pending);
    intake->copied_bytes += pending;
    *room_bytes = INTAKE_SHARED_BYTES - pending;
    return shared + pending;
}

/* What is left of the shared buffer, from the unfinished frame on. */
static enum frame_error put_aside(struct intake *intake, struct budget *budget, const uint8_t *rest,
                                  size_t bytes)
{
    intake->begin = intake->end = 0;
    if (bytes == 0)
        return FRAME_OK;
    if (grow(intake, budget, bytes) != 0)
        return FRAME_NO_MEMORY;
    memcpy(intake->own, rest, bytes);
    intake->copied_bytes += bytes;
    intake->end = bytes;
    return FRAME_OK;
}

enum frame_error intake_see(struct incremental_check *check, struct peer_link *link,
                            struct processor *processor, const uint8_t *data, size_t bytes)
{
    size_t end, frame_bytes;
    while (bytes > 0) {
        enum frame_error error =
            frames_find(&link->peer->config, &link->stream, data, bytes, &end, &frame_bytes);
        size_t slice_bytes = error == FRAME_OK && end > 0 ? end : bytes;
        if (error == FRAME_OK)
            error =
                incremental_check_feed(check, processor, &link->stream, data, slice_bytes, end > 0);
        if (error != FRAME_OK)
            return error;
        data += slice_bytes;
        bytes -= slice_bytes;
    }
    return FRAME_OK;
}

static enum frame_error take_frames(struct intake *intake, struct peer_link *link,
                                    struct processor *processor, uint8_t *data, size_t bytes)
{
    struct peer *peer = link->peer;
    const uint8_t *frame = data - (intake->end - intake->begin), *after = data + bytes;
    size_t end, frame_bytes;
    for (const uint8_t *at = data; at < after; at += end) {
        enum frame_error error =
            frames_find(&peer->config, &link->stream, at, (size_t)(after - at), &end, &frame_bytes);
        if (error == FRAME_OK && end > 0)
            error = process_in_place(processor, &link->stream, frame, frame_bytes);
        if (error != FRAME_OK)
            return error;
        if (end == 0)
            break;
        frame += frame_bytes;
        intake->frame_bytes = frame_bytes;
    }
    if (intake->carried)
        return put_aside(intake, &peer->budget, frame, (size_t)(after - frame));
    intake->begin = (size_t)(frame - intake->own);
    intake->end = (size_t)(after - intake->own);
    return FRAME_OK;
}

int intake_open(struct intake *intake, const struct peer *peer)
{
    return peer->slices ? incremental_check_open(&intake->check, &peer->config.process) : 0;
}

enum frame_error intake_take(struct intake *intake, struct peer_link *link,
                             struct processor *processor, uint8_t *data, size_t bytes)
{
    assert(bytes > 0);
    return link->peer->slices ? intake_see(&intake->check, link, processor, data, bytes)
                              : take_frames(intake, link, processor, data, bytes);
}

/* Every byte that came was looked at, once (frames_find). */
void intake_end(struct intake *intake, const struct peer_link *link)
{
    link->peer->copied_bytes += intake->copied_bytes;
    link->peer->scanned_bytes += link->stream.received_bytes;
    incremental_check_close(&intake->check);
    free(intake->own);
    *intake = (struct intake){0};
}
