/* RECEIVES travel whole: the blocks of one receive, linked by next, are one entry of the queue, and
 * so one exchange publishes all frames and pieces of frames in them. Blocks go back one by one,
 * linked by queue, a chain for each desk. */
#include "client/buffers/crew.h"

#include <assert.h>
#include <stdlib.h>

enum { RETURN_BLOCKS = 8 }; /* go back together */

struct crew_member {
    struct handover inbox;
    struct crew *crew;
    pthread_t thread;
    struct processor processor;
};

/* Blocks on their way back to one desk. */
struct parcel {
    struct block *first, *last;
    unsigned count;
};

static void send_back(struct crew *crew, struct parcel *parcel)
{
    if (parcel->count == 0)
        return;
    handover_push(&crew->desks->all[parcel->first->home].back, parcel->first, parcel->last);
    *parcel = (struct parcel){0};
    crew->task.returned(crew->task.context);
}

static void pack(struct crew *crew, struct parcel *parcel, struct block *block)
{
    if (parcel->count > 0 && parcel->first->home != block->home)
        send_back(crew, parcel);
    block->queue = parcel->first;
    parcel->first = block;
    if (parcel->count++ == 0)
        parcel->last = block;
    if (parcel->count == RETURN_BLOCKS)
        send_back(crew, parcel);
}

/* The queue comes last in, first out. */
static struct block *in_order(struct block *receives)
{
    struct block *first = NULL;

    while (receives != NULL) {
        struct block *below = receives->queue;
        receives->queue = first;
        first = receives;
        receives = below;
    }
    return first;
}

static void work_off(struct crew_member *member, struct block *receives)
{
    struct crew *crew = member->crew;
    struct parcel parcel = {0};
    struct block *following, *next;

    for (struct block *receive = in_order(receives); receive != NULL; receive = following) {
        following = receive->queue;
        crew->task.process(crew->task.context, &member->processor, receive->owner, receive);
        for (struct block *block = receive; block != NULL; block = next) {
            next = block->next;
            pack(crew, &parcel, block);
        }
    }
    send_back(crew, &parcel);
}

static void *work(void *argument)
{
    struct crew_member *member = argument;

    for (;;) {
        const bool ending = atomic_load(&member->crew->ending); /* before the look, not after it */
        struct block *receives = handover_take(&member->inbox);
        if (receives != NULL)
            work_off(member, receives);
        else if (ending)
            return NULL;
        else if (handover_doze(&member->inbox) && !atomic_load(&member->crew->ending))
            handover_sleep(&member->inbox);
        else
            handover_wake(&member->inbox);
    }
}

int crew_open(struct crew *crew, unsigned count, const struct crew_task *task, struct desks *desks,
              const struct process_config *config, struct budget *budget)
{
    assert(count <= CREW_MAX);
    *crew = (struct crew){.task = *task, .desks = desks};
    if (count == 0)
        return 0;
    crew->members = os_pages_map(CREW_MAX * sizeof(struct crew_member));
    if (crew->members == NULL)
        return -1;
    while (crew->count < count) {
        struct crew_member *member = &crew->members[crew->count];
        member->crew = crew;
        handover_init(&member->inbox);
        processor_init(&member->processor, config, budget);
        if (os_thread_start(&member->thread, OS_ROLE_BUFFER, 0, work, member) != 0)
            break;
        crew->count++;
    }
    if (crew->count == count)
        return 0;
    crew_finish(crew);
    crew_close(crew);
    return -1;
}

void crew_finish(struct crew *crew)
{
    atomic_store(&crew->ending, true);
    for (unsigned i = 0; i < crew->count; i++) {
        handover_wake(&crew->members[i].inbox);
        pthread_join(crew->members[i].thread, NULL);
    }
}

const struct processor *crew_processor(const struct crew *crew, unsigned index)
{
    assert(index < crew->count);
    return &crew->members[index].processor;
}

void crew_close(struct crew *crew)
{
    if (crew->members != NULL)
        os_pages_unmap(crew->members, CREW_MAX * sizeof(struct crew_member));
    crew->members = NULL;
}

void crew_hand_over(struct crew *crew, struct desk *desk, uint32_t stream_id, void *owner,
                    struct block *blocks, unsigned count)
{
    assert(count > 0);
    for (struct block *block = blocks; block != NULL; block = block->next)
        block->home = desk_number(crew->desks, desk);
    blocks->owner = owner;
    desk->away += count;
    desk->hand_overs++;
    handover_push(&crew->members[stream_id % crew->count].inbox, blocks, blocks);
}

/* Who lies down does so under the desk's lock, after a look: whoever takes blocks in for the desk
 * meanwhile was before that look, or finds only blocks whose coming has woken the sleeper. */
void crew_keep_pace(struct crew *crew, struct desk *desk, unsigned blocks_max)
{
    bool sleeping = true;

    while (sleeping) {
        pthread_mutex_lock(&desk->lock);
        desk_fetch(crew->desks, desk);
        sleeping = desk->away > blocks_max && !desk->resting;
        if (sleeping && handover_doze(&desk->back))
            desk->resting = true;
        const bool dozes = sleeping && desk->resting;
        pthread_mutex_unlock(&desk->lock);
        if (!dozes)
            continue;
        handover_sleep(&desk->back);
        pthread_mutex_lock(&desk->lock);
        desk->resting = false;
        pthread_mutex_unlock(&desk->lock);
    }
}
