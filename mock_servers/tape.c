/* Tapes: finding, making and evicting them. */
#include "mock_servers/tape.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/net.h"

enum { SLICE_BYTES = 1 << 20, BUCKETS = 1 << 12 };

struct tape {
    struct list_node bucket; /* in tapes.buckets */
    struct list_node queue; /* in tapes.to_make, in tapes.idle when nobody uses it, or in neither */
    struct protocol_go go;  /* only what makes the tape what it is */
    uint64_t bytes, made_bytes, made_frames;
    intptr_t store;
    unsigned users;
    bool failed;
};

struct tapes {
    uint64_t cap_bytes, used_bytes;
    struct list_node buckets[BUCKETS];
    struct list_node to_make;
    struct list_node idle; /* longest unused first */
    uint8_t *slice;
    size_t slice_bytes;
};

struct tapes *tapes_open(uint64_t cap_bytes)
{
    struct tapes *tapes = calloc(1, sizeof *tapes);
    if (tapes == NULL)
        return NULL;
    tapes->cap_bytes = cap_bytes;
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&tapes->buckets[i]);
    list_init(&tapes->to_make);
    list_init(&tapes->idle);
    return tapes;
}

static void tape_free(struct tapes *tapes, struct tape *tape)
{
    list_remove(&tape->bucket);
    list_remove(&tape->queue);
    tapes->used_bytes -= tape->bytes;
    net_store_close(tape->store);
    free(tape);
}

void tapes_close(struct tapes *tapes)
{
    struct list_node *node;
    if (tapes == NULL)
        return;
    for (unsigned i = 0; i < BUCKETS; i++)
        while ((node = list_first(&tapes->buckets[i])) != NULL)
            tape_free(tapes, LIST_MEMBER(node, struct tape, bucket));
    assert(tapes->used_bytes == 0);
    free(tapes->slice);
    free(tapes);
}

/* ---- finding ---- */

static bool is_same(const struct protocol_go *a, const struct protocol_go *b)
{
    return a->seed == b->seed && a->frames == b->frames && a->size_min == b->size_min &&
           a->size_max == b->size_max && a->marker.count == b->marker.count &&
           memcmp(a->marker.bytes, b->marker.bytes, a->marker.count) == 0;
}

static struct list_node *bucket_of(struct tapes *tapes, const struct protocol_go *go)
{
    return &tapes->buckets[protocol_frame_length(go->seed, go->frames, 0, BUCKETS - 1)];
}

static struct tape *tape_find(struct tapes *tapes, const struct protocol_go *go)
{
    struct list_node *bucket = bucket_of(tapes, go);
    for (struct list_node *node = bucket->after; node != bucket; node = node->after) {
        struct tape *tape = LIST_MEMBER(node, struct tape, bucket);
        if (!tape->failed && is_same(&tape->go, go))
            return tape;
    }
    return NULL;
}

/* ---- room ---- */

static bool evict_one(struct tapes *tapes)
{
    struct list_node *node = list_first(&tapes->idle);
    if (node == NULL)
        return false;
    tape_free(tapes, LIST_MEMBER(node, struct tape, queue));
    return true;
}

/* What the tape of `go` would have, or more than `limit` as soon as it is known to be more: a GO
 * may ask for so many frames that adding them all up would stall the other devices. */
static uint64_t bytes_wanted(const struct protocol_go *go, uint64_t limit)
{
    uint64_t bytes = go->frames * go->size_min;
    if (bytes > limit || go->size_min == go->size_max)
        return bytes;
    bytes = 0;
    for (uint64_t seq = 0; seq < go->frames && bytes <= limit; seq++)
        bytes += protocol_frame_length(go->seed, seq, go->size_min, go->size_max);
    return bytes;
}

static int store_open(struct tapes *tapes, uint64_t bytes, intptr_t *store)
{
    int result;
    do
        result = net_store_open(bytes, store);
    while ((result == -EMFILE || result == -ENFILE) && evict_one(tapes));
    return result;
}

static struct tape *tape_open(struct tapes *tapes, const struct protocol_go *go, uint64_t bytes)
{
    struct tape *tape = calloc(1, sizeof *tape);
    if (tape == NULL)
        return NULL;
    if (store_open(tapes, bytes, &tape->store) < 0) {
        free(tape);
        return NULL;
    }
    tape->go = *go;
    tape->bytes = bytes;
    tapes->used_bytes += bytes;
    list_append(bucket_of(tapes, go), &tape->bucket);
    list_append(&tapes->to_make, &tape->queue);
    return tape;
}

struct tape *tapes_take(struct tapes *tapes, const struct protocol_go *go, char *why,
                        size_t why_bytes)
{
    struct tape *tape = tape_find(tapes, go);
    if (tape == NULL) {
        uint64_t bytes = bytes_wanted(go, tapes->cap_bytes);
        while (bytes <= tapes->cap_bytes && tapes->used_bytes > tapes->cap_bytes - bytes)
            if (!evict_one(tapes))
                break;
        if (bytes > tapes->cap_bytes || tapes->used_bytes > tapes->cap_bytes - bytes) {
            snprintf(why, why_bytes,
                     "room for this tape: all together may have %llu bytes (--tape-cap), and %llu "
                     "are in use",
                     (unsigned long long)tapes->cap_bytes, (unsigned long long)tapes->used_bytes);
            return NULL;
        }
        tape = tape_open(tapes, go, bytes);
        if (tape == NULL) {
            snprintf(why, why_bytes, "memory or descriptor for this tape");
            return NULL;
        }
    }
    if (tape->users++ == 0 && tape->made_bytes == tape->bytes)
        list_remove(&tape->queue);
    return tape;
}

void tapes_give(struct tapes *tapes, struct tape *tape)
{
    if (tape == NULL)
        return;
    assert(tape->users > 0);
    if (--tape->users > 0)
        return;
    if (tape->failed)
        tape_free(tapes, tape);
    else if (tape->made_bytes == tape->bytes)
        list_append(&tapes->idle, &tape->queue);
}

/* ---- making ---- */

/* Frames that fit a slice, and at least one. */
static size_t slice_make(struct tapes *tapes, struct tape *tape)
{
    const struct protocol_go *go = &tape->go;
    size_t bytes = 0;
    while (tape->made_frames < go->frames) {
        uint32_t length =
            protocol_frame_length(go->seed, tape->made_frames, go->size_min, go->size_max);
        if (bytes > 0 && bytes + length > SLICE_BYTES)
            break;
        if (bytes + length > tapes->slice_bytes) {
            size_t wanted = length > SLICE_BYTES ? length : SLICE_BYTES;
            free(tapes->slice);
            tapes->slice = malloc(wanted);
            tapes->slice_bytes = tapes->slice == NULL ? 0 : wanted;
            if (tapes->slice == NULL)
                return 0;
        }
        protocol_frame_write(tapes->slice + bytes, length, (uint32_t)tape->made_frames, 0, go->seed,
                             &go->marker);
        bytes += length;
        tape->made_frames++;
    }
    return bytes;
}

static void tape_made(struct tapes *tapes, struct tape *tape)
{
    list_remove(&tape->queue);
    if (tape->users > 0)
        return;
    if (tape->failed)
        tape_free(tapes, tape);
    else
        list_append(&tapes->idle, &tape->queue);
}

bool tapes_make(struct tapes *tapes)
{
    struct list_node *node = list_first(&tapes->to_make);
    if (node == NULL)
        return false;
    struct tape *tape = LIST_MEMBER(node, struct tape, queue);
    size_t bytes = slice_make(tapes, tape);
    tape->failed =
        bytes == 0 || net_store_write(tape->store, tape->made_bytes, tapes->slice, bytes) < 0;
    tape->made_bytes += bytes;
    if (tape->failed || tape->made_bytes == tape->bytes)
        tape_made(tapes, tape);
    return list_first(&tapes->to_make) != NULL;
}

bool tape_is_good(const struct tape *tape)
{
    return !tape->failed;
}

uint64_t tape_bytes(const struct tape *tape)
{
    return tape->bytes;
}

intptr_t tape_store(const struct tape *tape)
{
    return tape->store;
}
