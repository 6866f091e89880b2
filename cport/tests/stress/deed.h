/* Deeds: what is in flight completes exactly once, and what is not is not touched. A deed that is
 * over lies in the attic for a while, painted; whoever writes to it there is found out. */
#ifndef FANIN_TRIAL_DEED_H
#define FANIN_TRIAL_DEED_H

#include "cport/tests/stress/trial.h"

enum { PAINT = 0xdb, ATTIC_DEEDS = 256, ATTIC_BYTES = 8 << 20 };

static struct {
    pthread_mutex_t lock;
    struct deed *deeds[ATTIC_DEEDS];
    unsigned oldest, count;
    size_t bytes;
} attic = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the attic ----------------------------------------------------------------------------- */

static bool is_painted(const void *memory, size_t bytes)
{
    const uint8_t *byte = memory;
    return bytes == 0 || (byte[0] == PAINT && memcmp(byte, byte + 1, bytes - 1) == 0);
}

static void attic_clear_one(void)
{
    struct deed *deed = attic.deeds[attic.oldest];
    LAW(is_painted(&deed->op, sizeof deed->op), "the operation of a %s was written to after it",
        deed_names[deed->kind]);
    LAW(is_painted(deed->data, deed->bytes), "the blocks of a %s were written to after it",
        deed_names[deed->kind]);
    attic.oldest = (attic.oldest + 1) % ATTIC_DEEDS;
    attic.count--;
    attic.bytes -= deed->bytes;
    free(deed->data);
    free(deed);
}

static void attic_put(struct deed *deed)
{
    deed->seal = 0;
    memset(&deed->op, PAINT, sizeof deed->op);
    if (deed->data)
        memset(deed->data, PAINT, deed->bytes);
    pthread_mutex_lock(&attic.lock);
    while (attic.count == ATTIC_DEEDS || (attic.count > 0 && attic.bytes > ATTIC_BYTES))
        attic_clear_one();
    attic.deeds[(attic.oldest + attic.count++) % ATTIC_DEEDS] = deed;
    attic.bytes += deed->bytes;
    pthread_mutex_unlock(&attic.lock);
}

static void attic_clear(void)
{
    pthread_mutex_lock(&attic.lock);
    while (attic.count > 0)
        attic_clear_one();
    pthread_mutex_unlock(&attic.lock);
}

/* ---- ways ---------------------------------------------------------------------------------- */

static void way_init(struct way *way, struct dice *dice)
{
    *way = (struct way){.dice = dice_child(dice)};
    pthread_mutex_init(&way->lock, NULL);
}

static void way_push(struct way *way, struct deed *deed)
{
    deed->older = way->newest;
    deed->newer = NULL;
    *(way->newest ? &way->newest->newer : &way->oldest) = deed;
    way->newest = deed;
}

static void way_remove(struct way *way, struct deed *deed)
{
    *(deed->older ? &deed->older->newer : &way->oldest) = deed->newer;
    *(deed->newer ? &deed->newer->older : &way->newest) = deed->older;
}

/* After the port is gone: what it never delivered is the caller's again. */
static void way_free(struct way *way)
{
    for (struct deed *deed; (deed = way->oldest);) {
        way_remove(way, deed);
        attic_put(deed);
    }
    if (way->spare)
        attic_put(way->spare);
    pthread_mutex_destroy(&way->lock);
}

/* ---- a deed's life ------------------------------------------------------------------------- */

static void *get_memory(size_t bytes)
{
    void *memory = calloc(1, bytes);
    LAW(memory, "no memory for the test itself");
    return memory;
}

/* The way's lock is held. */
static struct deed *deed_new(struct way *way, struct side *side, struct end *end,
                             enum deed_kind kind)
{
    struct deed *deed = way->spare;
    way->spare = NULL;
    struct cp_op op = {0};
    if (deed)
        op = deed->op;
    else
        deed = get_memory(sizeof *deed);
    *deed = (struct deed){.op = op, .kind = kind, .side = side, .end = end, .seal = SEALED};
    deed->dice = dice_child(&way->dice);
    deed->key = (uintptr_t)end;
    return deed;
}

/* Memory for the deed, painted, and cut into `count` blocks at random. */
static void deed_fill_blocks(struct deed *deed, unsigned count, size_t bytes)
{
    deed->bytes = bytes;
    deed->data = get_memory(bytes);
    memset(deed->data, PAINT, bytes);
    size_t cut = 0;
    for (unsigned index = 0; index < count; index++) {
        size_t left = bytes - cut, rest = count - 1 - index;
        size_t piece = rest == 0 ? left : 1 + (size_t)(dice_roll(&deed->dice) % (left - rest));
        deed->blocks[index] = (struct cp_block){deed->data + cut, piece};
        cut += piece;
    }
}

/* Just before it is submitted, for its packet may come before the submission returns. */
static void deed_begin(struct way *way, struct deed *deed)
{
    deed->was_closed = atomic_load(&deed->side->closed);
    atomic_store(&deed->in_flight, true);
    atomic_fetch_add(&deed->side->in_flight[deed->kind], 1);
    way_push(way, deed);
    way->in_flight++;
}

static void deed_retire(struct way *way, struct deed *deed)
{
    bool keep = !way->spare && dice_chance(&deed->dice, 30);
    if (!keep) {
        attic_put(deed);
        return;
    }
    free(deed->data);
    deed->data = NULL;
    deed->bytes = 0;
    deed->seal = 0;
    way->spare = deed;
}

static bool is_code(int64_t result)
{
    return result > CP_ERROR_BASE && result < CP_ERROR_END;
}

/* The submission was refused: no packet may have come. */
static void deed_withdraw(struct way *way, struct deed *deed, int code)
{
    LAW(is_code(code), "submitting a %s returned %d, no code", deed_names[deed->kind], code);
    LAW(atomic_exchange(&deed->in_flight, false), "a refused %s has completed",
        deed_names[deed->kind]);
    atomic_fetch_sub(&deed->side->in_flight[deed->kind], 1);
    way_remove(way, deed);
    way->in_flight--;
    attic_put(deed);
    count(&tally.refused);
}

/* The submission has returned `code`: 0, or it is refused. True: it is accepted. */
static bool deed_accepted(struct way *way, struct deed *deed, int code)
{
    if (code == 0) {
        LAW(!deed->was_closed, "a closed port took a %s", deed_names[deed->kind]);
        count(&tally.deeds[deed->kind]);
        return true;
    }
    LAW(!deed->was_closed || code == CP_ECLOSED, "a closed port refused a %s with %s",
        deed_names[deed->kind], cp_error_name(code));
    LAW(code != CP_ECLOSED || atomic_load(&deed->side->closing), "an open port said it is closed");
    deed_withdraw(way, deed, code);
    return false;
}

/* The deed of a packet, which is in flight no more. */
static struct deed *deed_delivered(const struct cp_packet *packet, struct side *side)
{
    struct deed *deed = (struct deed *)packet->op;
    LAW(deed, "a packet without an operation");
    LAW(deed->seal == SEALED, "a packet came twice, or for an operation that was refused");
    LAW(atomic_exchange(&deed->in_flight, false), "a second packet for one %s",
        deed_names[deed->kind]);
    LAW(deed->side == side, "a %s came out of the other port", deed_names[deed->kind]);
    LAW(packet->key == deed->key, "a %s came with another's key", deed_names[deed->kind]);
    atomic_fetch_sub(&side->in_flight[deed->kind], 1);
    return deed;
}

static unsigned side_in_flight(struct side *side)
{
    unsigned sum = 0;
    for (unsigned kind = 0; kind < DEED_KINDS; kind++)
        sum += atomic_load(&side->in_flight[kind]);
    return sum;
}

#endif
