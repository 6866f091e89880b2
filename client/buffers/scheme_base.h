/* What all schemes share: the base that every scheme's struct scheme_run starts with, and helpers
 * for those with a pool. */
#ifndef FANIN_SCHEME_BASE_H
#define FANIN_SCHEME_BASE_H

#include <pthread.h>

#include "client/buffers/pool.h"
#include "client/buffers/scheme.h"
#include "client/buffers/wait_list.h"

struct scheme_base {
    const struct scheme *scheme;
    struct scheme_config config;
    struct budget budget;
    _Atomic bool hurried;     /* by scheme_hurry */
    struct pool *pool;        /* NULL: none; opened by the scheme, closed by the base */
    struct wait_list waiters; /* for blocks of the pool, unless the scheme sets its resource */

    void *streams; /* streams_max of stream_bytes each; not touched before they are attached */
    struct waiter *waiting; /* of each stream; its memory is not touched before it waits */
    _Atomic uint64_t rewound_scan_bytes; /* searched, and to be searched anew */
};

/* What every scheme's table has: each hook is named after the scheme; `state` is of a stream. */
#define SCHEME(scheme, state)                                                                      \
    .name = #scheme, .run_bytes = sizeof(struct scheme_run), .stream_bytes = sizeof(struct state), \
    .need = scheme##_need, .open = scheme##_open, .release = scheme##_release,                     \
    .offer = scheme##_offer, .received = scheme##_received, .retract = scheme##_retract

/* scheme_stream: with this index, below streams_max; NULL: it was not attached.
 * scheme_waiter: its entry in the base's wait list. */
struct stream *scheme_stream(const struct scheme_base *base, uint32_t index);
struct waiter *scheme_waiter(const struct scheme_base *base, const struct stream *stream);

/* scheme_receive_bytes: the most that one receive brings. */
size_t scheme_receive_bytes(const struct scheme_config *config);

/* scheme_least_holders: how many streams have to be able to hold memory at the same time: under
 * early binding all, else one. scheme_need_each: least_bytes where each of these holds `bytes`,
 * which are called `what`; `late`: what the one under late binding holds them for. */
uint64_t scheme_least_holders(const struct scheme_config *config);
void scheme_need_each(const struct scheme_config *config, uint64_t bytes, const char *what,
                      const char *late, struct scheme_need *need);

/* scheme_pool_open: the base's pool. 0 or -ENOMEM. */
int scheme_pool_open(struct scheme_base *base, size_t block_bytes, unsigned first_blocks,
                     unsigned batch_blocks);

/* scheme_blocks_wanted: how many blocks an offer may have that would like `want`: under early
 * binding with a cap, one, since the cap has one for each stream. */
unsigned scheme_blocks_wanted(const struct scheme_config *config, unsigned want, unsigned max);

/* The blocks of a stream's next receive. scheme_take_blocks: a wait list's `take` from the pool.
 * scheme_blocks_ready: the stream has blocks, up to `want` new ones. False: at the cap, a resume
 * will come. scheme_offer_blocks: offers the stream's blocks, up to `max`; returns how many.
 * scheme_return_blocks: gives them to the pool. */
bool scheme_take_blocks(void *run, struct stream *stream, unsigned want);
bool scheme_blocks_ready(struct scheme_run *run, struct stream *stream, unsigned want);
unsigned scheme_offer_blocks(const struct scheme_config *config, const struct stream *stream,
                             struct cp_block *blocks, unsigned max);
void scheme_return_blocks(struct scheme_run *run, struct stream *stream);

/* The length that a stream's next frame probably has: that of the last two, if it was the same. A
 * receive that ends where a frame ends leaves its memory to the next one while it is hot. */
struct length_guess {
    uint32_t last_bytes : 31;
    uint32_t steady : 1; /* the last two frames were of that length */
};

static inline void length_guess_note(struct length_guess *guess, size_t frame_bytes)
{
    guess->steady = frame_bytes == guess->last_bytes;
    guess->last_bytes = (uint32_t)frame_bytes & INT32_MAX;
}

/* length_guess_room: how many of `room` bytes to offer to a stream that has `partial_bytes` of its
 * unfinished frame: as many whole frames as fit, or all. */
static inline size_t length_guess_room(const struct length_guess *guess, uint64_t partial_bytes,
                                       size_t room)
{
    const uint64_t bytes = guess->last_bytes, end = partial_bytes + room;
    if (!guess->steady || partial_bytes >= bytes || end < bytes)
        return room;
    return (size_t)(end - end % bytes - partial_bytes);
}

#endif
