/* The gate with the world around it: see gate_machine.h. */
#include "cport/tests/stress/gate_machine.h"

#include <limits.h>
#include <stddef.h>

void machine_init(struct machine *machine, const struct machine_shape *shape)
{
    *machine = (struct machine){.workers_max = shape->workers, .packets_max = shape->packets};
    gate_init(&machine->gate, shape->limit, shape->pollers_max);
    if (shape->watched)
        gate_watch(&machine->gate);
}

static void breaks(struct machine *machine, const char *law)
{
    if (!machine->broken)
        machine->broken = law;
}

static struct machine_packet *packet_of(struct cp_node *node)
{
    return (struct machine_packet *)node; /* its first member */
}

static struct machine_worker *worker_of(struct gate_worker *gate)
{
    return (struct machine_worker *)gate; /* its first member */
}

/* ---- what events are made of --------------------------------------------------------------- */

/* What the port does when it has released the lock. */
static void carry_out(struct machine *machine, const struct gate_effects *effects)
{
    for (struct gate_worker *each = effects->wake; each; each = each->wake_next) {
        if (worker_of(each)->unpark)
            breaks(machine, "a worker is unparked once");
        worker_of(each)->unpark = true;
    }
    machine->wake_up |= effects->wake_poller;
    if (effects->wake_watcher && !machine->gate.looking && !machine->gate.closed)
        breaks(machine, "a watcher that is called looks");
}

static void stops_running(struct machine *machine, unsigned who)
{
    machine->workers[who].over = false;
    for (unsigned index = 0; index < machine->workers_max; index++)
        machine->workers[index].ran_before &= (uint8_t) ~(1u << who);
}

static void runs_over(struct machine_worker *worker)
{
    worker->over = true;
    worker->ran_before = 0;
}

/* The newest waiter that no grant is for. */
static struct gate_worker *next_in_line(const struct gate *gate)
{
    unsigned taken = gate->grants;
    struct gate_worker *worker = gate->newest;
    while (worker && worker->state == GATE_POLLING && taken > 0) {
        worker = worker->older;
        taken--;
    }
    return worker;
}

static void post(struct machine *machine, struct gate_effects *effects)
{
    struct gate *gate = &machine->gate;
    struct machine_packet *packet = machine->packets;
    if (gate->closed || machine->packets_live == machine->packets_max)
        return;
    while (packet->number != 0)
        packet++;
    packet->number = ++machine->posted;
    machine->packets_live++;
    bool at_once = gate->running < gate->limit && !gate->queue.first;
    struct gate_worker *newest = at_once ? next_in_line(gate) : NULL;
    bool polls = newest && newest->state == GATE_POLLING;
    unsigned grants = gate->grants;
    gate_post(gate, &packet->node, effects);
    bool has = newest && (polls ? gate->grants == grants + 1 : newest->bound != NULL);
    if (newest && !has)
        breaks(machine, "the newest waiter is given the packet");
    if (!newest && (gate->grants != grants || gate->queue.last != &packet->node))
        breaks(machine, "without a free place and waiter a packet is queued");
}

static unsigned still_running(const struct machine *machine, unsigned mask)
{
    unsigned count = 0;
    for (; mask; mask >>= 1)
        count += mask & 1;
    return count;
}

static void take(struct machine *machine, struct machine_worker *worker, struct gate_queue *taken,
                 unsigned max)
{
    uint64_t last = 0;
    unsigned count = 0;
    if (still_running(machine, worker->ran_before) >= machine->gate.limit)
        breaks(machine, "no packet is given to a worker while as many as the limit run");
    worker->ran_before = 0;
    worker->over = false;
    for (struct cp_node *node; (node = gate_queue_pop(taken)); count++) {
        struct machine_packet *packet = packet_of(node);
        if (packet->number <= last)
            breaks(machine, "a batch is in order, and has each packet once");
        last = packet->number;
        packet->number = 0;
        machine->packets_live--;
    }
    if (count == 0 || count > max)
        breaks(machine, "a wait takes 1 to max packets");
}

/* The worker holds the lock and decides; then the lock is released. */
static void decide(struct machine *machine, const struct machine_event *event,
                   struct gate_effects *effects)
{
    struct machine_worker *worker = &machine->workers[event->worker];
    struct gate_queue taken = {0};
    enum gate_verdict verdict =
        gate_next(&machine->gate, &worker->gate, event->max, &taken, effects);
    if (verdict == GATE_TAKE) {
        take(machine, worker, &taken, event->max);
    } else if (verdict == GATE_CLOSED) {
        worker->ran_before = 0;
    } else if (event->gives_up) {
        gate_timeout(&machine->gate, &worker->gate, effects);
        runs_over(worker);
    }
    carry_out(machine, effects);
}

static void arrive(struct machine *machine, const struct machine_event *event,
                   struct gate_effects *effects)
{
    struct machine_worker *worker = &machine->workers[event->worker];
    stops_running(machine, event->worker);
    gate_arrive(&machine->gate, &worker->gate);
    for (unsigned index = 0; index < machine->workers_max; index++)
        if (machine->workers[index].gate.state == GATE_RUNNING)
            worker->ran_before |= (uint8_t)(1u << index);
    decide(machine, event, effects);
}

static void report(struct machine *machine, const struct machine_event *event,
                   struct gate_effects *effects)
{
    machine->workers[event->worker].back = false;
    for (unsigned count = 0; count < event->reports; count++)
        post(machine, effects);
}

static void poll_returns(struct machine *machine, const struct machine_event *event)
{
    machine->workers[event->worker].back = true;
    if (event->sees)
        machine->wake_up = false;
}

static void close_gate(struct machine *machine, struct gate_effects *effects)
{
    struct gate_queue dropped = {0};
    gate_close(&machine->gate, &dropped, effects);
    if (effects->wake_watcher != machine->gate.watched)
        breaks(machine, "closing wakes the watcher");
    for (struct cp_node *node; (node = gate_queue_pop(&dropped)); machine->packets_live--)
        packet_of(node)->number = 0;
}

/* ---- events -------------------------------------------------------------------------------- */

static bool possible(const struct machine *machine, const struct machine_event *event)
{
    const struct machine_worker *worker = &machine->workers[event->worker];
    enum gate_state state = worker->gate.state;
    bool member = state >= GATE_RUNNING && state <= GATE_ASLEEP;
    bool runs = state == GATE_RUNNING || state == GATE_ASLEEP; /* the gate may be wrong */
    if (event->sees && !machine->wake_up)
        return false;
    if (machine->packets_live + event->reports > machine->packets_max)
        return false;
    switch ((enum machine_event_kind)event->kind) {
    case EVENT_POST:
        return !machine->gate.closed && machine->packets_live < machine->packets_max;
    case EVENT_ARRIVE:
        return (member && !worker->back) || state == GATE_OUTSIDE;
    case EVENT_BUSY_POLL:
        return state == GATE_RUNNING && !worker->back && machine->gate.queue.first;
    case EVENT_BUSY_BACK:
        return runs && worker->back;
    case EVENT_WOKEN:
        return worker->unpark;
    case EVENT_SLEPT_ENOUGH:
        return state == GATE_PARKED;
    case EVENT_POLL_RETURNS:
        return state == GATE_POLLING && !worker->back;
    case EVENT_POLL_BACK:
        return state == GATE_POLLING && worker->back;
    case EVENT_BLOCK:
        return runs && !worker->back;
    case EVENT_UNBLOCK:
        return state == GATE_BLOCKED || (state == GATE_ASLEEP && !worker->back);
    case EVENT_FOUND_ASLEEP:
        return state == GATE_RUNNING && machine->gate.looking && gate_backlog(&machine->gate);
    case EVENT_FOUND_AWAKE:
        return state == GATE_ASLEEP && machine->gate.looking;
    case EVENT_REST:
        return machine->gate.looking && !gate_backlog(&machine->gate);
    case EVENT_LEAVE:
        return member && !worker->back;
    case EVENT_CLOSE:
        return !machine->gate.closed;
    case EVENT_KINDS:
        break;
    }
    return false;
}

static void perform(struct machine *machine, const struct machine_event *event,
                    struct gate_effects *effects)
{
    struct machine_worker *worker = &machine->workers[event->worker];
    switch ((enum machine_event_kind)event->kind) {
    case EVENT_POST:
        post(machine, effects);
        break;
    case EVENT_BUSY_BACK:
        report(machine, event, effects);
        /* fallthrough */
    case EVENT_ARRIVE:
        arrive(machine, event, effects);
        return;
    case EVENT_WOKEN:
        worker->unpark = false;
        /* fallthrough */
    case EVENT_SLEPT_ENOUGH:
    case EVENT_POLL_BACK:
        gate_back(&machine->gate, &worker->gate);
        report(machine, event, effects);
        decide(machine, event, effects);
        return;
    case EVENT_BUSY_POLL:
    case EVENT_POLL_RETURNS:
        poll_returns(machine, event);
        break;
    case EVENT_BLOCK:
    case EVENT_LEAVE:
        stops_running(machine, event->worker);
        (event->kind == EVENT_BLOCK ? gate_block : gate_leave)(&machine->gate, &worker->gate,
                                                               effects);
        break;
    case EVENT_FOUND_ASLEEP:
        stops_running(machine, event->worker);
        gate_found_asleep(&machine->gate, &worker->gate, effects);
        break;
    case EVENT_UNBLOCK:
    case EVENT_FOUND_AWAKE:
        gate_unblock(&machine->gate, &worker->gate);
        runs_over(worker);
        break;
    case EVENT_REST:
        gate_rest(&machine->gate, effects);
        break;
    case EVENT_CLOSE:
        close_gate(machine, effects);
        break;
    case EVENT_KINDS:
        break;
    }
    carry_out(machine, effects);
}

bool machine_apply(struct machine *machine, const struct machine_event *event)
{
    struct gate_effects effects = {0};
    if (!possible(machine, event))
        return false;
    perform(machine, event, &effects);
    machine_check(machine);
    return true;
}

/* ---- the law ------------------------------------------------------------------------------- */

/* Bound packets are older than granted ones, these than queued ones. */
static void check_packets(struct machine *machine, uint64_t newest_bound, unsigned bound)
{
    const struct gate_queue *queues[] = {&machine->gate.granted, &machine->gate.queue};
    uint64_t last = newest_bound;
    unsigned counts[2] = {0};
    for (unsigned which = 0; which < 2; which++)
        for (struct cp_node *node = queues[which]->first; node; node = node->next) {
            if (packet_of(node)->number <= last)
                breaks(machine, "packets leave in the order they were queued");
            last = packet_of(node)->number;
            counts[which]++;
        }
    if (counts[0] != machine->gate.grants)
        breaks(machine, "as many packets are granted as the gate says");
    if (bound + counts[0] + counts[1] != machine->packets_live)
        breaks(machine, "no packet is lost");
}

static void check_gate(struct machine *machine, unsigned over, unsigned parked)
{
    const struct gate *gate = &machine->gate;
    if (gate->running > gate->limit + over)
        breaks(machine, "never more than the limit run");
    if (!gate->closed && gate->queue.first && gate->running < gate->limit && next_in_line(gate))
        breaks(machine, "no packet waits while a place and a waiter are free");
    if (!gate->closed && parked > 0 && gate->pollers < gate->pollers_max &&
        gate->running + gate->pollers - gate->grants < gate->limit)
        breaks(machine, "while a place is free, a waiter polls");
}

static void check_watcher(struct machine *machine, unsigned parked)
{
    const struct gate *gate = &machine->gate;
    const unsigned polling = gate->pollers - gate->grants;
    if (!gate->watched || gate->looking || gate->closed)
        return;
    if (gate->queue.first && next_in_line(gate))
        breaks(machine, "a backlog calls the watcher");
    if (parked > 0 && gate->pollers < gate->pollers_max &&
        ((polling == 0 && gate->grants == 0) || gate->running + polling <= gate->limit))
        breaks(machine, "while nobody looks, a waiter polls beyond the limit");
}

void machine_check(struct machine *machine)
{
    const struct gate *gate = &machine->gate;
    unsigned states[GATE_WOKEN + 1] = {0}, over = 0, bound = 0, on_their_way = 0, unparks = 0;
    uint64_t newest_bound = 0;
    for (unsigned index = 0; index < machine->workers_max; index++) {
        struct machine_worker *worker = &machine->workers[index];
        enum gate_state state = worker->gate.state;
        struct machine_packet *packet = worker->gate.bound ? packet_of(worker->gate.bound) : NULL;
        states[state]++;
        over += worker->over;
        bound += packet != NULL;
        on_their_way += worker->back;
        unparks += worker->unpark;
        if (packet && packet->number > newest_bound)
            newest_bound = packet->number;
        if (worker->unpark != (state == GATE_PROMOTED || state == GATE_WOKEN))
            breaks(machine, "a sleeping worker with a task is woken, and no other");
        if ((packet != NULL) != (state == GATE_WOKEN))
            breaks(machine, "a worker that is woken for a packet has it");
    }
    if (states[GATE_ARRIVED] + states[GATE_AWAKE] > 0)
        breaks(machine, "a worker decides before it releases the lock");
    if (gate->running != states[GATE_RUNNING] + bound + gate->grants)
        breaks(machine, "those that run are counted");
    if (gate->pollers != states[GATE_POLLING] + states[GATE_PROMOTED])
        breaks(machine, "those that poll are counted");
    if (gate->grants > states[GATE_POLLING])
        breaks(machine, "each granted packet has a poller that comes for it");
    if (gate->grants > 0 && !machine->wake_up && on_their_way == 0)
        breaks(machine, "a granted packet has a wake-up on its way");
    if (gate->closed && (states[GATE_PARKED] > 0 ||
                         (gate->pollers > 0 && !machine->wake_up && on_their_way + unparks == 0)))
        breaks(machine, "every worker of a closed port returns");
    check_packets(machine, newest_bound, bound);
    check_gate(machine, over, states[GATE_PARKED]);
    check_watcher(machine, states[GATE_PARKED]);
}

/* ---- random walks -------------------------------------------------------------------------- */

/* Something that a worker in this state may be able to do. */
static enum machine_event_kind random_kind(const struct machine_worker *worker, unsigned number)
{
    static const uint8_t running[] = {EVENT_ARRIVE, EVENT_ARRIVE, EVENT_ARRIVE, EVENT_BUSY_POLL,
                                      EVENT_BLOCK,  EVENT_BLOCK,  EVENT_LEAVE,  EVENT_FOUND_ASLEEP};
    switch (worker->gate.state) {
    case GATE_RUNNING:
        return worker->back ? EVENT_BUSY_BACK : running[number & 7];
    case GATE_BLOCKED:
        return number & 6 ? EVENT_UNBLOCK : number & 1 ? EVENT_LEAVE : EVENT_ARRIVE;
    case GATE_ASLEEP:
        return worker->back ? EVENT_BUSY_BACK : number & 4 ? EVENT_FOUND_AWAKE : EVENT_ARRIVE;
    case GATE_PARKED:
        return EVENT_SLEPT_ENOUGH;
    case GATE_POLLING:
        return worker->back ? EVENT_POLL_BACK : EVENT_POLL_RETURNS;
    case GATE_PROMOTED:
    case GATE_WOKEN:
        return EVENT_WOKEN;
    default:
        return EVENT_ARRIVE;
    }
}

void machine_random(struct machine *machine, uint64_t *random)
{
    struct machine_event event;
    do {
        uint64_t number = random_next(random);
        unsigned who = (unsigned)((number & 0xff) * machine->workers_max >> 8);
        event = (struct machine_event){
            .kind = (uint8_t)random_kind(&machine->workers[who], number >> 8 & 7),
            .worker = (uint8_t)who,
            .max = (uint8_t)(1 + (number >> 16 & 3)),
            .sees = machine->wake_up && number >> 18 & 1,
            .gives_up = (number >> 19 & 7) == 0,
        };
        if ((number >> 24 & 3) == 0)
            event.kind = EVENT_POST;
        if ((number >> 26 & 0x1f) == 0)
            event.kind = EVENT_REST;
        if ((number >> 32 & 0xfff) == 0)
            event.kind = EVENT_CLOSE;
        if (event.kind == EVENT_POLL_BACK || event.kind == EVENT_BUSY_BACK)
            event.reports = number >> 22 & 3;
    } while (!machine_apply(machine, &event));
}

static bool is_over(const struct machine *machine)
{
    bool outside = machine->gate.closed;
    for (unsigned index = 0; outside && index < machine->workers_max; index++)
        outside = machine->workers[index].gate.state == GATE_OUTSIDE;
    return outside;
}

const char *machine_walk(uint64_t events, uint64_t *seed)
{
    while (events > 0) {
        struct machine machine;
        uint64_t random = *seed;
        uint64_t shape = random_next(&random);
        machine_init(&machine, &(struct machine_shape){.workers = 1 + (shape & 7),
                                                       .packets = 1 + (shape >> 3 & 7),
                                                       .limit = 1 + (shape >> 6 & 3),
                                                       .pollers_max = shape >> 8 & 1 ? UINT_MAX : 1,
                                                       .watched = shape >> 9 & 1});
        for (; events > 0 && !machine.broken && !is_over(&machine); events--)
            machine_random(&machine, &random);
        if (machine.broken)
            return machine.broken;
        *seed = random_mix(*seed);
    }
    return NULL;
}
