/* Receive buffers of a peer's connections. Whole frames are processed in place; the part of an
 * unfinished frame is kept until the rest arrives.
 *
 *   own:  | begin ... end |   room    |      collects a long frame: the next receive appends to it
 *
 *   shared:  | carried |     room     |      receives short frames of all connections, so that it
 *                                            stays in the CPU's cache: an unfinished frame is saved
 *                                            in `own` and copied back before the next receive
 *
 * With --scheme slices frames are not put together: each piece is searched and processed at once
 * (struct incremental_check), and nothing is kept. */
#include "client/peers/peer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 1 << 10 };

/* Doubles, so that a frame of any length is moved a few times at most. */
static int grow(struct framer *framer, struct budget *budget, size_t bytes)
{
    size_t capacity = framer->capacity_bytes > 0 ? framer->capacity_bytes : FIRST_BYTES;
    while (capacity < bytes)
        capacity *= 2;
    if (capacity == framer->capacity_bytes)
        return 0;
    uint8_t *own = budget_realloc(budget, framer->own, framer->capacity_bytes, capacity);
    if (own == NULL)
        return -1;
    framer->own = own;
    framer->capacity_bytes = capacity;
    return 0;
}

/* Moves an unfinished frame to the front at once, while it is in the cache, and offers a receive
 * FRAMER_READ_BYTES only, so that all connections together touch less memory. */
static uint8_t *room_in_own(struct framer *framer, struct budget *budget, size_t *room_bytes)
{
    if (framer->begin > 0) {
        size_t pending = framer->end - framer->begin;
        memmove(framer->own, framer->own + framer->begin, pending);
        framer->copied_bytes += pending;
        framer->begin = 0;
        framer->end = pending;
    }
    if (grow(framer, budget, framer->end + FRAMER_READ_BYTES) != 0)
        return NULL;
    *room_bytes = FRAMER_READ_BYTES;
    return framer->own + framer->end;
}

uint8_t *framer_room(struct peer_link *link, uint8_t *shared, size_t *room_bytes)
{
    struct framer *framer = &link->framer;
    size_t pending = framer->end - framer->begin;
    framer->carried = shared != NULL && pending <= FRAMER_CARRY_BYTES &&
                      framer->frame_bytes <= FRAMER_READ_BYTES / 2;
    if (!framer->carried)
        return room_in_own(framer, &link->peer->budget, room_bytes);
    if (pending > 0)
        memcpy(shared, framer->own + framer->begin, pending);
    framer->copied_bytes += pending;
    *room_bytes = FRAMER_SHARED_BYTES - pending;
    return shared + pending;
}

/* Saves the unfinished frame at the end of the shared buffer. */
static enum frame_error save_rest(struct framer *framer, struct budget *budget, const uint8_t *rest,
                                  size_t bytes)
{
    framer->begin = framer->end = 0;
    if (bytes == 0)
        return FRAME_OK;
    if (grow(framer, budget, bytes) != 0)
        return FRAME_NO_MEMORY;
    memcpy(framer->own, rest, bytes);
    framer->copied_bytes += bytes;
    framer->end = bytes;
    return FRAME_OK;
}

enum frame_error framer_feed(struct peer_link *link, struct processor *processor,
                             const uint8_t *data, size_t bytes)
{
    size_t end, frame_bytes;
    link->framer.scanned_bytes += bytes;
    while (bytes > 0) {
        enum frame_error error =
            frames_find(&link->peer->config, &link->stream, data, bytes, &end, &frame_bytes);
        size_t slice_bytes = error == FRAME_OK && end > 0 ? end : bytes;
        if (error == FRAME_OK)
            error = incremental_check_feed(&link->framer.check, processor, &link->stream, data,
                                           slice_bytes, end > 0);
        if (error != FRAME_OK)
            return error;
        data += slice_bytes;
        bytes -= slice_bytes;
    }
    return FRAME_OK;
}

enum frame_error framer_take(struct peer_link *link, struct processor *processor, uint8_t *data,
                             size_t bytes)
{
    struct framer *framer = &link->framer;
    struct peer *peer = link->peer;
    const uint8_t *frame = data - (framer->end - framer->begin), *after = data + bytes;
    size_t end, frame_bytes;
    assert(bytes > 0);
    if (peer->slices)
        return framer_feed(link, processor, data, bytes);
    framer->scanned_bytes += bytes;
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
        framer->frame_bytes = frame_bytes;
    }
    if (framer->carried)
        return save_rest(framer, &peer->budget, frame, (size_t)(after - frame));
    framer->begin = (size_t)(frame - framer->own);
    framer->end = (size_t)(after - framer->own);
    return FRAME_OK;
}

void framer_finish(struct peer_link *link, struct processor *processor)
{
    struct framer *framer = &link->framer;
    struct stream *stream = &link->stream;
    const size_t bytes = frames_end(stream);
    stream->error = link->peer->slices
                        ? incremental_check_end(&framer->check, processor, stream)
                        : process_in_place(processor, stream, framer->own + framer->begin, bytes);
}

void framer_close(struct peer_link *link)
{
    struct framer *framer = &link->framer;
    link->peer->program.figures.copied_bytes += framer->copied_bytes;
    link->peer->program.figures.scanned_bytes += framer->scanned_bytes;
    incremental_check_drop(&framer->check);
    free(framer->own);
    *framer = (struct framer){0};
}
