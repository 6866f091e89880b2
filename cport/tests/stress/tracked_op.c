/* Tracked operations: each completes exactly once, and the port leaves it alone before and after.
 * One that is over stays in quarantine for a while, filled with a pattern; a late write to it
 * shows. */
#include "cport/tests/stress/stress.h"

enum { PAINT = 0xdb, QUARANTINE_OPS = 256, QUARANTINE_BYTES = 8 << 20 };

static struct {
    pthread_mutex_t lock;
    struct tracked_op *ops[QUARANTINE_OPS];
    unsigned oldest, count;
    size_t bytes;
} quarantine = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the quarantine ------------------------------------------------------------------------ */

bool is_painted(const void *memory, size_t bytes)
{
    const uint8_t *byte = memory;
    return bytes == 0 || (byte[0] == PAINT && memcmp(byte, byte + 1, bytes - 1) == 0);
}

static void quarantine_clear_one(void)
{
    struct tracked_op *tracked = quarantine.ops[quarantine.oldest];
    LAW(is_painted(&tracked->op, sizeof tracked->op),
        "the operation of a %s was written to after it", op_names[tracked->kind]);
    LAW(is_painted(tracked->data, tracked->bytes), "the blocks of a %s were written to after it",
        op_names[tracked->kind]);
    quarantine.oldest = (quarantine.oldest + 1) % QUARANTINE_OPS;
    quarantine.count--;
    quarantine.bytes -= tracked->bytes;
    free(tracked->data);
    free(tracked);
}

static void quarantine_put(struct tracked_op *tracked)
{
    tracked->seal = 0;
    memset(&tracked->op, PAINT, sizeof tracked->op);
    if (tracked->data)
        memset(tracked->data, PAINT, tracked->bytes);
    pthread_mutex_lock(&quarantine.lock);
    while (quarantine.count == QUARANTINE_OPS ||
           (quarantine.count > 0 && quarantine.bytes > QUARANTINE_BYTES))
        quarantine_clear_one();
    quarantine.ops[(quarantine.oldest + quarantine.count++) % QUARANTINE_OPS] = tracked;
    quarantine.bytes += tracked->bytes;
    pthread_mutex_unlock(&quarantine.lock);
}

void quarantine_clear(void)
{
    pthread_mutex_lock(&quarantine.lock);
    while (quarantine.count > 0)
        quarantine_clear_one();
    pthread_mutex_unlock(&quarantine.lock);
}

/* ---- ways ---------------------------------------------------------------------------------- */

void way_init(struct way *way, struct rng *rng)
{
    *way = (struct way){.rng = rng_child(rng)};
    list_init(&way->ops);
    pthread_mutex_init(&way->lock, NULL);
}

struct tracked_op *way_oldest(const struct way *way)
{
    struct list_node *first = list_first(&way->ops);
    return first ? LIST_MEMBER(first, struct tracked_op, in_way) : NULL;
}

void way_free(struct way *way)
{
    for (struct tracked_op *tracked; (tracked = way_oldest(way));) {
        list_remove(&tracked->in_way);
        quarantine_put(tracked);
    }
    if (way->spare)
        quarantine_put(way->spare);
    pthread_mutex_destroy(&way->lock);
}

/* ---- an operation's life ------------------------------------------------------------------- */

void *get_memory(size_t bytes)
{
    void *memory = calloc(1, bytes);
    LAW(memory, "no memory for the test itself");
    return memory;
}

void thread_start(pthread_t *thread, const char *role, void *(*run)(void *), void *argument)
{
    LAW(os_thread_start(thread, role, 0, run, argument) == 0, "no thread for the test itself");
}

struct tracked_op *tracked_op_new(struct way *way, struct side *side, struct end *end,
                                  enum op_kind kind)
{
    struct tracked_op *tracked = way->spare;
    way->spare = NULL;
    struct cp_op op = {0};
    if (tracked)
        op = tracked->op;
    else
        tracked = get_memory(sizeof *tracked);
    *tracked =
        (struct tracked_op){.op = op, .kind = kind, .side = side, .end = end, .seal = SEALED};
    tracked->rng = rng_child(&way->rng);
    tracked->key = (uintptr_t)end;
    return tracked;
}

void tracked_op_fill_blocks(struct tracked_op *tracked, unsigned count, size_t bytes)
{
    tracked->bytes = bytes;
    tracked->data = get_memory(bytes);
    memset(tracked->data, PAINT, bytes);
    size_t cut = 0;
    for (unsigned index = 0; index < count; index++) {
        size_t left = bytes - cut, rest = count - 1 - index;
        size_t piece = rest == 0 ? left : 1 + (size_t)(rng_next(&tracked->rng) % (left - rest));
        tracked->blocks[index] = (struct cp_block){tracked->data + cut, piece};
        cut += piece;
    }
}

void tracked_op_begin(struct way *way, struct tracked_op *tracked)
{
    tracked->was_closed = atomic_load(&tracked->side->closed);
    atomic_store(&tracked->in_flight, true);
    atomic_fetch_add(&tracked->side->in_flight[tracked->kind], 1);
    list_append(&way->ops, &tracked->in_way);
    way->in_flight++;
}

void tracked_op_retire(struct way *way, struct tracked_op *tracked)
{
    bool keep = !way->spare && rng_chance(&tracked->rng, 30);
    if (!keep) {
        quarantine_put(tracked);
        return;
    }
    free(tracked->data);
    tracked->data = NULL;
    tracked->bytes = 0;
    tracked->seal = 0;
    way->spare = tracked;
}

bool is_code(int64_t result)
{
    return result > CP_ERROR_BASE && result < CP_ERROR_END;
}

void tracked_op_withdraw(struct way *way, struct tracked_op *tracked, int code)
{
    LAW(is_code(code), "submitting a %s returned %d, no code", op_names[tracked->kind], code);
    LAW(atomic_exchange(&tracked->in_flight, false), "a refused %s has completed",
        op_names[tracked->kind]);
    atomic_fetch_sub(&tracked->side->in_flight[tracked->kind], 1);
    list_remove(&tracked->in_way);
    way->in_flight--;
    quarantine_put(tracked);
    count(&tally.refused);
}

bool tracked_op_accepted(struct way *way, struct tracked_op *tracked, int code)
{
    if (code == 0) {
        LAW(!tracked->was_closed, "a closed port took a %s", op_names[tracked->kind]);
        count(&tally.ops[tracked->kind]);
        return true;
    }
    LAW(!tracked->was_closed || code == CP_ECLOSED, "a closed port refused a %s with %s",
        op_names[tracked->kind], cp_error_name(code));
    LAW(code != CP_ECLOSED || atomic_load(&tracked->side->closing),
        "an open port said it is closed");
    tracked_op_withdraw(way, tracked, code);
    return false;
}

struct tracked_op *tracked_op_delivered(const struct cp_packet *packet, struct side *side)
{
    struct tracked_op *tracked = (struct tracked_op *)packet->op;
    LAW(tracked, "a packet without an operation");
    LAW(tracked->seal == SEALED, "a packet came twice, or for an operation that was refused");
    LAW(atomic_exchange(&tracked->in_flight, false), "a second packet for one %s",
        op_names[tracked->kind]);
    LAW(tracked->side == side, "a %s came out of the other port", op_names[tracked->kind]);
    LAW(packet->key == tracked->key, "a %s came with another's key", op_names[tracked->kind]);
    atomic_fetch_sub(&side->in_flight[tracked->kind], 1);
    return tracked;
}

/* ---- content ------------------------------------------------------------------------------- */

/* What streams carry: first the stream's key, then bytes that depend on key and position, so that a
 * byte that is lost, doubled, moved or of another stream shows. */
enum { CONTENT_PERIOD = 65521 }; /* prime: no block size divides it */

static uint8_t pattern[CONTENT_PERIOD + (1 << RUN_BITS)];

void content_init(void)
{
    struct rng rng = {1};
    for (size_t index = 0; index < sizeof pattern; index++)
        pattern[index] =
            index < CONTENT_PERIOD ? (uint8_t)rng_next(&rng) : pattern[index - CONTENT_PERIOD];
}

static const uint8_t *content_at(uint64_t key, uint64_t position)
{
    return pattern + (key + position) % CONTENT_PERIOD;
}

void content_write(uint64_t key, uint64_t position, uint8_t *data, size_t bytes)
{
    for (; bytes > 0 && position < KEY_BYTES; bytes--)
        *data++ = (uint8_t)(key >> 8 * position++);
    memcpy(data, content_at(key, position), bytes);
}

size_t content_right(uint64_t key, uint64_t position, const uint8_t *data, size_t bytes)
{
    const uint8_t *expected = content_at(key, position);
    if (memcmp(data, expected, bytes) == 0)
        return bytes;
    size_t right = 0;
    while (data[right] == expected[right])
        right++;
    return right;
}
