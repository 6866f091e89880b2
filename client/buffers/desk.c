/*      a thread's desk                              processing threads
 *     .---------------------.   handed over       .-----------.
 *     | free: a stack       |-------------------->|           |
 *     | back: what returned |<--------------------|  a chain  |
 *     '--^---------------|--'   one exchange      '-----------'
 *        | half          | half, the cold ones
 *     .--'---------------v--.
 *     |        pool         |
 *     '---------------------'
 *
 * AT THE CAP free blocks must not lie at the desk of a thread that has nothing to do while others
 * wait for them: so each desk has a lock, which is hardly ever contended, and who finds nothing
 * clears all of them (desks_gather). Where the pool may have few blocks desks keep none at all. */
#include "client/buffers/desk.h"

#include <assert.h>

#include "client/buffers/scheme.h"
#include "base/os.h"

enum {
    HALF_BYTES = 256 << 10, /* a desk's blocks together stay well within a processor's own cache */
    HALF_BLOCKS_MAX = 16,
    SHARE = 8, /* of what the pool may have, all desks together keep less than one part of four */
};

static atomic_uint threads;              /* that have sat down so far */
static _Thread_local unsigned thread_at; /* this one's number, from 1 */

unsigned desks_half_blocks(size_t block_bytes, uint64_t pool_blocks, unsigned receivers)
{
    uint64_t half = block_bytes < HALF_BYTES ? HALF_BYTES / block_bytes : 1;

    assert(receivers > 0);
    if (half > HALF_BLOCKS_MAX)
        half = HALF_BLOCKS_MAX;
    if (half > pool_blocks / SHARE / receivers)
        half = pool_blocks / SHARE / receivers;
    return (unsigned)half;
}

int desks_open(struct desks *desks, unsigned receivers, struct pool *pool, unsigned half_blocks,
               const struct process_config *config, struct budget *budget)
{
    *desks = (struct desks){.count = receivers < DESKS_MAX ? receivers : DESKS_MAX,
                            .pool = pool,
                            .half_blocks = half_blocks};
    if (desks->count == 0)
        desks->count = 1;
    desks->all = os_pages_map(desks->count * sizeof(struct desk));
    if (desks->all == NULL)
        return -1;
    for (unsigned i = 0; i < desks->count; i++) {
        pthread_mutex_init(&desks->all[i].lock, NULL);
        processor_init(&desks->all[i].processor, config, budget);
        handover_init(&desks->all[i].back);
    }
    return 0;
}

void desks_close(struct desks *desks)
{
    desks_gather(desks);
    for (unsigned i = 0; i < desks->count; i++) {
        assert(desks->all[i].away == 0);
        processor_end(&desks->all[i].processor);
        pthread_mutex_destroy(&desks->all[i].lock);
    }
    os_pages_unmap(desks->all, desks->count * sizeof(struct desk));
}

/* A thread's first choice is the same for its whole life. */
static unsigned first_choice(const struct desks *desks)
{
    if (thread_at == 0)
        thread_at = 1 + atomic_fetch_add(&threads, 1) % DESKS_MAX;
    return (thread_at - 1) % desks->count;
}

struct desk *desks_sit(struct desks *desks)
{
    const unsigned first = first_choice(desks);

    for (unsigned i = 0; i < desks->count; i++) {
        struct desk *desk = &desks->all[(first + i) % desks->count];
        if (pthread_mutex_trylock(&desk->lock) == 0)
            return desk;
    }
    pthread_mutex_lock(&desks->all[first].lock);
    return &desks->all[first];
}

void desk_leave(struct desk *desk)
{
    pthread_mutex_unlock(&desk->lock);
}

uint32_t desk_number(const struct desks *desks, const struct desk *desk)
{
    return (uint32_t)(desk - desks->all);
}

/* Whole halves move, so that the blocks of a desk, here and away, are a multiple of one: else a
 * desk that was emptied and filled in turn would end up with more than the plan has for it. */
static unsigned in_halves(const struct desks *desks, unsigned blocks)
{
    return desks->half_blocks > 0 ? blocks / desks->half_blocks * desks->half_blocks : blocks;
}

/* What comes from the pool is colder than what is here: it goes below. */
static void stock_up(struct desks *desks, struct desk *desk, unsigned want)
{
    const unsigned missing = want - desk->free_count;
    const unsigned spare = desks->half_blocks > 0 ? desks->half_blocks - 1 : 0;
    const unsigned refill = in_halves(desks, missing + spare);
    struct block **end = &desk->free;
    unsigned got;

    for (unsigned i = 0; i < desk->free_count; i++)
        end = &(*end)->next;
    *end = pool_take(desks->pool, refill, 0, &got);
    desk->free_count += got;
}

struct block *desk_take(struct desks *desks, struct desk *desk, unsigned want, unsigned *got)
{
    assert(want > 0);
    if (desk->free_count < want)
        desk_fetch(desks, desk);
    if (desk->free_count < want)
        stock_up(desks, desk, want);
    if (want > desk->free_count)
        want = desk->free_count;
    struct block *first = desk->free, **end = &first;
    for (unsigned i = 0; i < want; i++)
        end = &(*end)->next;
    desk->free = *end;
    *end = NULL;
    desk->free_count -= want;
    *got = want;
    return want > 0 ? first : NULL;
}

static void give_to_pool(struct desks *desks, struct block *first, unsigned count)
{
    struct block *last = first;

    if (count == 0)
        return;
    for (unsigned i = 1; i < count; i++)
        last = last->next;
    pool_give(desks->pool, first, last, count);
}

/* What lies lowest is cold: it goes. */
static void tidy_up(struct desks *desks, struct desk *desk)
{
    struct block **link = &desk->free;

    if (desk->free_count <= 2 * desks->half_blocks)
        return;
    const unsigned keep =
        desk->free_count - in_halves(desks, desk->free_count - desks->half_blocks);
    for (unsigned i = 0; i < keep; i++)
        link = &(*link)->next;
    give_to_pool(desks, *link, desk->free_count - keep);
    *link = NULL;
    desk->free_count = keep;
}

void desk_give(struct desks *desks, struct desk *desk, struct returned *returned)
{
    if (returned->count == 0)
        return;
    returned->last->next = desk->free;
    desk->free = returned->first;
    desk->free_count += returned->count;
    *returned = (struct returned){0};
    tidy_up(desks, desk);
}

void desk_fetch(struct desks *desks, struct desk *desk)
{
    struct returned returned = {0};
    struct block *next;

    for (struct block *block = handover_take(&desk->back); block != NULL; block = next) {
        next = block->queue;
        returned_add(&returned, block);
    }
    assert(desk->away >= returned.count);
    desk->away -= returned.count;
    desk_give(desks, desk, &returned);
}

void desks_gather(struct desks *desks)
{
    for (unsigned i = 0; i < desks->count; i++) {
        struct desk *desk = &desks->all[i];
        pthread_mutex_lock(&desk->lock);
        desk_fetch(desks, desk);
        give_to_pool(desks, desk->free, desk->free_count);
        desk->free = NULL;
        desk->free_count = 0;
        pthread_mutex_unlock(&desk->lock);
    }
}

void desk_sum_up(const struct desk *desk, struct scheme_figures *figures)
{
    figures->scanned_bytes += desk->scanned_bytes;
    figures->hand_overs += desk->hand_overs;
    processor_sum_up(&desk->processor, figures);
}
