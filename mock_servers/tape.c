/* Tapes: finding, making and evicting them. */
#include "mock_servers/tape.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "base/os.h"

enum { SLICE_BYTES = 1 << 20, BUCKETS = 1 << 12, LIMIT_BYTES = 192 };

struct tapes {
    uint64_t cap_bytes, used_bytes;
    struct list_node buckets[BUCKETS];
    struct list_node to_make;
    struct list_node idle; /* longest unused first */
    struct scratch *scratch;
};

int scratch_reserve(struct scratch *scratch, size_t bytes, size_t least)
{
    size_t wanted = bytes > least ? bytes : least;
    if (wanted <= scratch->bytes)
        return 0;
    free(scratch->data);
    scratch->data = malloc(wanted);
    scratch->bytes = scratch->data == NULL ? 0 : wanted;
    return scratch->data == NULL ? -1 : 0;
}

struct tapes *tapes_open(uint64_t cap_bytes, struct scratch *scratch)
{
    struct tapes *tapes = calloc(1, sizeof *tapes);
    if (tapes == NULL)
        return NULL;
    tapes->cap_bytes = cap_bytes;
    tapes->scratch = scratch;
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

static bool room_make(struct tapes *tapes, uint64_t bytes)
{
    if (bytes > tapes->cap_bytes)
        return false;
    while (tapes->used_bytes > tapes->cap_bytes - bytes)
        if (!evict_one(tapes))
            return false;
    return true;
}

/* Tapes that nobody uses make room. */
static int store_open(struct tapes *tapes, uint64_t bytes, intptr_t *store)
{
    int result;
    do
        result = net_store_open(bytes, store);
    while ((result == -EMFILE || result == -ENFILE) && evict_one(tapes));
    return result;
}

/* NULL: the reason is in `why`. */
static struct tape *tape_open(struct tapes *tapes, const struct protocol_go *go, uint64_t bytes,
                              char *why, size_t why_bytes)
{
    struct tape *tape = calloc(1, sizeof *tape);
    int result = tape == NULL ? -ENOMEM : store_open(tapes, bytes, &tape->store);
    if (result < 0) {
        char limit[LIMIT_BYTES];
        const bool met = result != -ENOSPC && os_limit_met(result, limit, sizeof limit);
        snprintf(why, why_bytes, "memory or descriptor for this tape: %s",
                 met ? limit : strerror(-result));
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
        /* A GO may ask for so many frames that adding them all up would stall the other devices:
         * hence the limit. */
        uint64_t bytes = protocol_frames_bytes(go, go->frames, tapes->cap_bytes);
        if (!room_make(tapes, bytes)) {
            snprintf(why, why_bytes,
                     "room for this tape: all together may have %llu bytes (--tape-cap), and %llu "
                     "are in use",
                     (unsigned long long)tapes->cap_bytes, (unsigned long long)tapes->used_bytes);
            return NULL;
        }
        tape = tape_open(tapes, go, bytes, why, why_bytes);
        if (tape == NULL)
            return NULL;
    }
    if (tape->users++ == 0 && tape->made_bytes == tape->bytes)
        list_remove(&tape->queue);
    return tape;
}

/* Of a tape that nobody uses and that is not to be made. */
static void tape_keep_or_free(struct tapes *tapes, struct tape *tape)
{
    if (tape->failed)
        tape_free(tapes, tape);
    else
        list_append(&tapes->idle, &tape->queue);
}

void tapes_give(struct tapes *tapes, struct tape *tape)
{
    if (tape == NULL)
        return;
    assert(tape->users > 0);
    if (--tape->users == 0 && (tape->failed || tape->made_bytes == tape->bytes))
        tape_keep_or_free(tapes, tape);
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
        if (scratch_reserve(tapes->scratch, length, SLICE_BYTES) < 0)
            return 0;
        protocol_frame_write(tapes->scratch->data + bytes, length, (uint32_t)tape->made_frames, 0,
                             go->seed, &go->marker);
        bytes += length;
        tape->made_frames++;
    }
    return bytes;
}

bool tapes_make(struct tapes *tapes)
{
    struct list_node *node = list_first(&tapes->to_make);
    if (node == NULL)
        return false;
    struct tape *tape = LIST_MEMBER(node, struct tape, queue);
    size_t bytes = slice_make(tapes, tape);
    tape->failed = bytes == 0 ||
                   net_store_write(tape->store, tape->made_bytes, tapes->scratch->data, bytes) < 0;
    tape->made_bytes += bytes;
    if (tape->failed || tape->made_bytes == tape->bytes) {
        list_remove(&tape->queue);
        if (tape->users == 0)
            tape_keep_or_free(tapes, tape);
    }
    return list_first(&tapes->to_make) != NULL;
}
