/* The threads that process what others have received, and the way there: each stream belongs to one
 * of them, so that its slices stay in order. */
#ifndef FANIN_CREW_H
#define FANIN_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "client/buffers/desk.h"
#include "client/buffers/handover.h"

enum { CREW_MAX = 64 };

/* What the threads do. Called from them. */
struct crew_task {
    /* process: a chain of blocks (linked by next) with the next received bytes of `owner`. */
    void (*process)(void *context, struct processor *processor, void *owner, struct block *blocks);
    /* returned: blocks have gone back to their desks. */
    void (*returned)(void *context);
    void *context;
};

struct crew_member;

struct crew {
    struct crew_task task;
    struct desks *desks;
    struct crew_member *members;
    unsigned count;
    _Atomic bool ending;
};

/* crew_open: starts `count` threads (role OS_ROLE_BUFFER), which may be 0. 0, or -1: no memory or
 * no thread. */
int crew_open(struct crew *crew, unsigned count, const struct crew_task *task, struct desks *desks,
              const struct process_config *config, struct budget *budget);

/* crew_finish: ends the threads after all that was handed over is processed; blocks. */
void crew_finish(struct crew *crew);
const struct processor *crew_processor(const struct crew *crew, unsigned index);
void crew_close(struct crew *crew);

/* crew_hand_over: a chain of `count` blocks of one receive, from a desk that the caller sits at, to
 * the member that `stream_id` belongs to. One atomic exchange. */
void crew_hand_over(struct crew *crew, struct desk *desk, uint32_t stream_id, void *owner,
                    struct block *blocks, unsigned count);

/* crew_keep_pace: waits, sitting nowhere, until no more than `blocks_max` blocks of the desk are on
 * their way: what runs ahead of processing only goes cold. */
void crew_keep_pace(struct crew *crew, struct desk *desk, unsigned blocks_max);

#endif
