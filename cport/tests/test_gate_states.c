/* Every state of the gate, with the world around it (stress/gate_machine.h): breadth-first from an
 * empty port over every event that can happen, up to 4 workers, 4 packets and limits of 1 to 3. The
 * law is checked in each state, so no interleaving of that size breaks it; if one did, the test
 * would print the shortest. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"
#include "cport/tests/stress/gate_machine.h"

enum { WORKERS = 4, PACKETS = 4 };

/* A state in two words. Packets are told apart by their order alone, and workers by what they do:
 * those that wait come first, the newest first. */
struct key {
    uint64_t workers, rest;
};

struct found {
    struct key key;
    uint32_t parent;
    struct machine_event event; /* that led here from the parent */
};

static struct {
    struct found *list;
    size_t count, room;
    uint32_t *slots; /* index + 1; 0: free */
    size_t slot_count;
    unsigned long long events;
} states;

/* ---- states as keys ------------------------------------------------------------------------ */

enum { STATE_BITS = 4, WORKER_BITS = 16 };

static uint64_t worker_bits(const struct machine_worker *worker)
{
    return (uint64_t)worker->gate.state | (uint64_t)worker->unpark << 4 |
           (uint64_t)worker->back << 5 | (uint64_t)worker->over << 6;
}

/* The workers' order in the key: order[place] is the worker. How many of them wait. */
static unsigned order_of(const struct machine *machine, unsigned order[WORKERS])
{
    unsigned placed = 0, waiting;
    bool waits[WORKERS] = {false};
    for (const struct gate_worker *each = machine->gate.newest; each; each = each->older) {
        order[placed] = (unsigned)((const struct machine_worker *)each - machine->workers);
        waits[order[placed++]] = true;
    }
    waiting = placed;
    for (unsigned index = 0; index < machine->workers_max; index++) {
        if (waits[index])
            continue;
        unsigned place = placed++;
        uint64_t bits = worker_bits(&machine->workers[index]);
        for (; place > waiting && worker_bits(&machine->workers[order[place - 1]]) > bits; place--)
            order[place] = order[place - 1];
        order[place] = index;
    }
    return waiting;
}

static uint64_t mask_in_order(unsigned mask, const unsigned *order, unsigned count)
{
    uint64_t bits = 0;
    for (unsigned place = 0; place < count; place++)
        bits |= (uint64_t)(mask >> order[place] & 1) << place;
    return bits;
}

static struct key key_of(const struct machine *machine)
{
    unsigned order[WORKERS], count = machine->workers_max;
    unsigned waiting = order_of(machine, order);
    const struct gate *gate = &machine->gate;
    struct key key = {0};
    for (unsigned place = 0; place < count; place++) {
        const struct machine_worker *worker = &machine->workers[order[place]];
        uint64_t bits = worker_bits(worker) | mask_in_order(worker->ran_before, order, count) << 7;
        key.workers |= bits << place * WORKER_BITS;
    }
    key.rest = waiting | gate->grants << 4 | gate_queue_count(&gate->queue) << 8 |
               gate->running << 12 | gate->pollers << 16 | (unsigned)gate->closed << 20 |
               (unsigned)machine->wake_up << 21 | (unsigned)gate->looking << 22;
    return key;
}

static struct cp_node *new_packet(struct machine *machine)
{
    struct machine_packet *packet = &machine->packets[machine->packets_live++];
    packet->number = ++machine->posted;
    return &packet->node;
}

/* `machine` has been initialised for the same workers, packets and limit. */
static void unpack(struct key key, struct machine *machine)
{
    struct gate *gate = &machine->gate;
    struct gate_worker *newer = NULL;
    for (unsigned place = 0; place < machine->workers_max; place++) {
        struct machine_worker *worker = &machine->workers[place];
        unsigned bits = (unsigned)(key.workers >> place * WORKER_BITS);
        *worker = (struct machine_worker){.gate.state = (enum gate_state)(bits & 15),
                                          .unpark = bits >> 4 & 1,
                                          .back = bits >> 5 & 1,
                                          .over = bits >> 6 & 1,
                                          .ran_before = bits >> 7 & 15};
        if (worker->gate.state == GATE_WOKEN)
            worker->gate.bound = new_packet(machine);
        if (place >= (key.rest & 15))
            continue;
        worker->gate.newer = newer;
        *(newer ? &newer->older : &gate->newest) = &worker->gate;
        newer = &worker->gate;
    }
    gate->grants = key.rest >> 4 & 15;
    for (unsigned each = 0; each < gate->grants; each++)
        gate_queue_push(&gate->granted, new_packet(machine));
    for (unsigned each = 0; each < (key.rest >> 8 & 15); each++)
        gate_queue_push(&gate->queue, new_packet(machine));
    gate->running = key.rest >> 12 & 15;
    gate->pollers = key.rest >> 16 & 15;
    gate->closed = key.rest >> 20 & 1;
    machine->wake_up = key.rest >> 21 & 1;
    gate->looking = key.rest >> 22 & 1;
}

/* ---- the set of states --------------------------------------------------------------------- */

static bool same(struct key a, struct key b)
{
    return a.workers == b.workers && a.rest == b.rest;
}

static uint32_t *slot_of(struct key key)
{
    size_t at = random_mix(key.workers ^ random_mix(key.rest)) & (states.slot_count - 1);
    while (states.slots[at] != 0 && !same(states.list[states.slots[at] - 1].key, key))
        at = (at + 1) & (states.slot_count - 1);
    return &states.slots[at];
}

static void states_grow(void)
{
    states.room = states.room ? states.room * 2 : 1 << 12;
    states.slot_count = states.room * 2;
    free(states.slots);
    states.slots = calloc(states.slot_count, sizeof *states.slots);
    states.list = realloc(states.list, states.room * sizeof *states.list);
    assert_non_null(states.slots);
    assert_non_null(states.list);
    for (size_t index = 0; index < states.count; index++)
        *slot_of(states.list[index].key) = (uint32_t)index + 1;
}

static void states_add(struct key key, uint32_t parent, const struct machine_event *event)
{
    if (states.count == states.room)
        states_grow();
    uint32_t *slot = slot_of(key);
    if (*slot != 0)
        return;
    states.list[states.count++] = (struct found){key, parent, *event};
    *slot = (uint32_t)states.count;
}

static void states_clear(void)
{
    free(states.list);
    free(states.slots);
    memset(&states, 0, sizeof states);
}

/* ---- exploring ----------------------------------------------------------------------------- */

static const char *const event_names[EVENT_KINDS] = {
    "post",  "arrive",       "polls first",  "arrives after that",
    "woken", "slept enough", "poll returns", "back from its poll",
    "block", "unblock",      "found asleep", "found awake",
    "rests", "leave",        "close"};

static void print_states(const struct machine *machine)
{
    static const char *const names[] = {"outside", "running",  "blocked", "asleep", "arrived",
                                        "parked",  "promoted", "polling", "awake",  "woken"};
    print_message("   ");
    for (unsigned index = 0; index < machine->workers_max; index++)
        print_message(" %s", names[machine->workers[index].gate.state]);
    print_message("; %u run, %u granted, %u queued\n", machine->gate.running, machine->gate.grants,
                  gate_queue_count(&machine->gate.queue));
}

static void print_event(const struct machine_event *event)
{
    print_message("# worker %u: %s (up to %u packets, %u reported%s%s)\n", event->worker,
                  event_names[event->kind], event->max, event->reports,
                  event->sees ? ", sees the wake-up" : "",
                  event->gives_up ? ", its time is up" : "");
}

/* Workers are numbered by their place in the state before the event. */
static void print_history(uint32_t index, const struct machine *empty)
{
    struct machine machine = *empty;
    if (index > 0) {
        print_history(states.list[index].parent, empty);
        print_event(&states.list[index].event);
    }
    unpack(states.list[index].key, &machine);
    print_states(&machine);
}

static void try_event(const struct machine *empty, uint32_t parent,
                      const struct machine_event *event)
{
    struct machine machine = *empty;
    unpack(states.list[parent].key, &machine);
    if (!machine_apply(&machine, event))
        return;
    states.events++;
    if (machine.broken) {
        print_history(parent, empty);
        print_event(event);
        print_states(&machine);
        fail_msg("%s", machine.broken);
    }
    states_add(key_of(&machine), parent, event);
}

static bool decides(unsigned kind)
{
    return kind == EVENT_ARRIVE || kind == EVENT_BUSY_BACK || kind == EVENT_WOKEN ||
           kind == EVENT_SLEPT_ENOUGH || kind == EVENT_POLL_BACK;
}

/* The event with every choice that it leaves. */
static void try_choices(const struct machine *empty, uint32_t parent, struct machine_event event)
{
    bool polls = event.kind == EVENT_BUSY_POLL || event.kind == EVENT_POLL_RETURNS;
    bool reports = event.kind == EVENT_BUSY_BACK || event.kind == EVENT_POLL_BACK;
    for (event.max = 1; event.max <= (decides(event.kind) ? 3 : 1); event.max += 2)
        for (event.reports = 0; event.reports <= (reports ? 2 : 0); event.reports++)
            for (unsigned give_up = 0; give_up <= decides(event.kind); give_up++)
                for (unsigned see = 0; see <= polls; see++) {
                    event.gives_up = give_up;
                    event.sees = see;
                    try_event(empty, parent, &event);
                }
}

static void explore(const struct machine_shape *shape)
{
    struct machine empty;
    machine_init(&empty, shape);
    states_add(key_of(&empty), 0, &(struct machine_event){0});
    for (uint32_t index = 0; index < states.count; index++)
        for (uint8_t kind = 0; kind < EVENT_KINDS; kind++) {
            bool anyone = kind == EVENT_POST || kind == EVENT_REST || kind == EVENT_CLOSE;
            for (uint8_t who = 0; who < (anyone ? 1 : shape->workers); who++)
                try_choices(&empty, index, (struct machine_event){.kind = kind, .worker = who});
        }
}

/* How many states there are. */
static size_t explore_all(unsigned workers_max, bool watched)
{
    size_t all = 0;
    unsigned long long events = 0;
    if (THREAD_SANITIZED) {
        print_message("skip: there is one thread\n");
        skip();
    }
    for (unsigned workers = 1; workers <= workers_max; workers++)
        for (unsigned limit = 1; limit <= 3; limit++)
            for (unsigned one_poller = 0; one_poller <= 1; one_poller++) {
                explore(&(struct machine_shape){.workers = workers,
                                                .packets = PACKETS,
                                                .limit = limit,
                                                .pollers_max = one_poller ? 1 : UINT_MAX,
                                                .watched = watched});
                print_message("# workers %u, limit %u, %s: %zu states, %llu events\n", workers,
                              limit, one_poller ? "one poller" : "any may poll", states.count,
                              states.events);
                all += states.count;
                events += states.events;
                states_clear();
            }
    print_message("# every state: %zu, %llu events\n", all, events);
    return all;
}

TEST(every_state_of_the_gate_keeps_the_law)
{
    assert_true(explore_all(SANITIZED ? 3 : 4, false) > (SANITIZED ? 10000 : 100000));
}

TEST(every_state_with_a_watcher_keeps_the_law)
{
    assert_true(explore_all(SANITIZED ? 2 : 3, true) > (SANITIZED ? 1000 : 10000));
}
