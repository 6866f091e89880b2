/* One thread, three descriptors, no lock:
 *
 *      near end --- read --> part --> shaper --> flight --> join --- write --> far end
 *      far end  --- read --> part --> shaper --> flight --> join --- write --> near end
 *
 * A turn gives away what is due, takes what has come, and sleeps until the next frame is due or
 * another comes. Giving comes first, for it is what other people's clocks are set by; and a write
 * into a TAP device runs the receiver's side of TCP, whose answer can be taken in the same turn.
 *
 * Three things keep it exact, and cheap:
 * - How late timers wake the thread is learnt, and they are set so much earlier. A frame that
 *   woke it is taken to have come so much earlier.
 * - Where traffic is dense the thread does not wake for each frame, but pauses as a network card
 *   does that moderates its interrupts: for an eighth of what frames wait in the queue anyway,
 *   within limits. A frame after a pause is given on time.
 * - While a direction is busy beyond the pause, frames for it need not wake the thread. */
#include "mock_servers/lan/cable.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/segment.h"

enum {
    TAKEN_PER_TURN_MAX = 64,
    PACKET_BYTES_MAX = 65536 + SEGMENT_HEADERS_BYTES_MAX,
    STOP = LAN_SIDES, /* index of the descriptor that ends the thread */
    TIMER_SLACK_NS = 1,
    REALTIME_PRIORITY = 2,
    LATE_NS_MAX = 50000,
    LATE_WEIGHT = 16,
    MODERATION_SHARE = 8,
};

static const uint64_t moderation_ns_min = 50000, moderation_ns_max = 1000000;

struct direction {
    int from, to;
    struct shaper shaper;
    struct flight flight;
    uint64_t gave_ns, next_ns; /* when frames were given last, and when they are to be next */
    uint64_t unkept;           /* that a packet socket has dropped so far, by unkept_count */
    /* Written by the thread alone. */
    _Atomic uint64_t frames, bytes, missed, fates[SHAPER_FATES];
};

struct cable {
    struct direction directions[LINK_DIRECTIONS];
    int ends[LAN_SIDES];
    int stop;
    atomic_bool down;
    bool running, realtime;
    pthread_t thread;
    clockid_t clock; /* of the thread's CPU time */
    double late_ns;  /* that timers wake us, on the average */
    const struct namespaces *namespaces;
    struct { /* what a packet is taken into */
        struct virtio_net_hdr header;
        uint8_t packet[PACKET_BYTES_MAX];
    } __attribute__((packed)) taken;
};

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + more, memory_order_relaxed);
}

/* ---- taking --------------------------------------------------------------------------------- */

static void frame_take(struct direction *direction, struct segment_parter *parter, uint64_t now_ns)
{
    uint32_t bytes = segment_next_bytes(parter);
    uint64_t due_ns = 0;
    enum shaper_fate fate = shaper_take(&direction->shaper, now_ns, bytes, &due_ns);
    struct flight_frame *frame = NULL;

    if (fate == SHAPER_CARRIED) {
        frame = flight_put(&direction->flight, bytes);
        if (frame != NULL)
            frame->due_ns = due_ns;
        else
            fate = SHAPER_OVERFLOWED; /* an unlimited rate has no other limit */
    }
    segment_next(parter, frame);
    if (fate != SHAPER_CARRIED)
        count(&direction->fates[fate], 1);
}

static bool packet_take(struct cable *cable, struct direction *direction, uint64_t now_ns)
{
    struct segment_parter parter;
    ssize_t got = read(direction->from, &cable->taken, sizeof cable->taken);

    if (got < (ssize_t)sizeof cable->taken.header)
        return false;
    struct virtio_net_hdr header;
    memcpy(&header, &cable->taken.header, sizeof header);
    if (!segment_part(&parter, &header, cable->taken.packet,
                      (uint32_t)((size_t)got - sizeof header))) {
        count(&direction->missed, 1);
        return true;
    }
    while (segment_next_bytes(&parter) > 0)
        frame_take(direction, &parter, now_ns);
    return true;
}

static void packets_take(struct cable *cable, struct direction *direction, uint64_t now_ns)
{
    int taken = 0;

    direction->shaper.down = atomic_load_explicit(&cable->down, memory_order_relaxed);
    while (taken < TAKEN_PER_TURN_MAX && packet_take(cable, direction, now_ns))
        taken++;
}

/* ---- giving --------------------------------------------------------------------------------- */

/* Frames that find the other end of a wire that has been cut are lost too. */
static void packet_give(struct direction *direction, const struct segment_packet *packet)
{
    if (direction->shaper.down) {
        count(&direction->fates[SHAPER_CUT], packet->frames);
    } else if (writev(direction->to, packet->pieces, packet->piece_count) < 0) {
        count(&direction->missed, packet->frames);
    } else {
        uint32_t headers_bytes = (uint32_t)packet->pieces[1].iov_len;
        uint32_t repeated = packet->frames > 1 ? (packet->frames - 1) * headers_bytes : 0;
        count(&direction->frames, packet->frames);
        count(&direction->bytes, packet->bytes + repeated);
    }
}

static void packets_give(struct direction *direction, uint64_t until_ns)
{
    struct segment_packet packet;
    struct flight_frame *first;

    while ((first = flight_first(&direction->flight)) != NULL && first->due_ns <= until_ns) {
        segment_join(&packet, &direction->flight, until_ns);
        packet_give(direction, &packet);
        for (uint32_t i = 0; i < packet.frames; i++)
            flight_take(&direction->flight);
        direction->gave_ns = until_ns;
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* When frames are to be given next. */
static uint64_t next_ns(const struct direction *direction, uint64_t now_ns)
{
    const struct flight_frame *first = flight_first(&direction->flight);
    uint64_t busy_until_ns = direction->shaper.free_at_ns;
    uint64_t pause_ns = busy_until_ns > now_ns ? (busy_until_ns - now_ns) / MODERATION_SHARE : 0;

    if (first == NULL)
        return UINT64_MAX;
    if (pause_ns < moderation_ns_min)
        pause_ns = moderation_ns_min;
    if (pause_ns > moderation_ns_max)
        pause_ns = moderation_ns_max;
    uint64_t earliest_ns = direction->gave_ns + pause_ns;
    return first->due_ns > earliest_ns ? first->due_ns : earliest_ns;
}

/* What comes while its direction is busy for longer than we sleep need not wake us: it would have
 * to wait for the wire anyway, and be due at the same time. */
static int watched(const struct direction *direction, uint64_t until_ns)
{
    return direction->shaper.free_at_ns < until_ns ? direction->from : -1;
}

/* How late a timer wakes us is learnt, so that it can be set so much earlier. */
static void lateness_learn(struct cable *cable, uint64_t late_ns)
{
    double late = late_ns < LATE_NS_MAX ? (double)late_ns : LATE_NS_MAX;

    cable->late_ns += (late - cable->late_ns) / LATE_WEIGHT;
}

/* A frame that woke us has been there for as long as waking takes; but not before we slept. */
static void wakers_take(struct cable *cable, const struct pollfd polled[LINK_DIRECTIONS],
                        uint64_t slept_ns, uint64_t woken_ns)
{
    uint64_t came_ns = woken_ns - (uint64_t)cable->late_ns;

    if (came_ns < slept_ns)
        came_ns = slept_ns;
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        if (polled[i].revents)
            packets_take(cable, &cable->directions[i], came_ns);
}

/* Sleeps until then, or until a frame has come, and takes that. Returns the time up to which frames
 * are to be given; 0: it is time to end. */
static uint64_t sleep_until(struct cable *cable, uint64_t until_ns)
{
    struct pollfd polled[] = {
        {.fd = watched(&cable->directions[LINK_UP], until_ns), .events = POLLIN},
        {.fd = watched(&cable->directions[LINK_DOWN], until_ns), .events = POLLIN},
        {.fd = cable->stop, .events = POLLIN}};
    uint64_t now_ns = os_now_ns(), timer_ns = until_ns - (uint64_t)cable->late_ns;
    uint64_t left_ns = timer_ns > now_ns ? timer_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left_ns / OS_NS_PER_S),
                               .tv_nsec = (long)(left_ns % OS_NS_PER_S)};

    if (left_ns == 0)
        return until_ns;
    int ready = ppoll(polled, sizeof polled / sizeof *polled,
                      until_ns == UINT64_MAX ? NULL : &timeout, NULL);
    uint64_t woken_ns = os_now_ns();
    if (ready <= 0) {
        lateness_learn(cable, woken_ns - timer_ns);
        return woken_ns > until_ns ? woken_ns : until_ns;
    }
    wakers_take(cable, polled, now_ns, woken_ns);
    return polled[STOP].revents ? 0 : woken_ns;
}

/* Gives what is to be given by then, takes what has come, and returns when there is something to
 * give again. */
static uint64_t turn(struct cable *cable, uint64_t until_ns)
{
    uint64_t next = UINT64_MAX;

    for (int i = 0; i < LINK_DIRECTIONS; i++)
        if (cable->directions[i].next_ns <= until_ns)
            packets_give(&cable->directions[i], until_ns);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        struct direction *direction = &cable->directions[i];
        uint64_t now_ns = os_now_ns();
        packets_take(cable, direction, now_ns);
        direction->next_ns = next_ns(direction, now_ns);
        if (direction->next_ns < next)
            next = direction->next_ns;
    }
    return next;
}

static void *cable_run(void *state)
{
    struct cable *cable = state;
    uint64_t until_ns = 1;

    /* Without this a timer may be late by 50 us, as much as a short round trip's half. */
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    while (until_ns > 0)
        until_ns = sleep_until(cable, turn(cable, until_ns));
    return NULL;
}

int cable_start(void *state)
{
    struct cable *cable = state;
    struct sched_param priority = {.sched_priority = REALTIME_PRIORITY};
    int result = os_thread_start(&cable->thread, "fanin-link", 0, cable_run, cable);

    if (result < 0)
        return result;
    cable->running = true;
    pthread_getcpuclockid(cable->thread, &cable->clock);
    /* A wire does not wait for a free processor. Only root may ask for that. */
    cable->realtime = pthread_setschedparam(cable->thread, SCHED_FIFO, &priority) == 0;
    return 0;
}

/* ---- the rest ------------------------------------------------------------------------------- */

int cable_open(struct cable **opened, const struct link_request *request, const int ends[LAN_SIDES],
               const struct namespaces *namespaces)
{
    struct cable *cable = calloc(1, sizeof *cable);
    int result = -ENOMEM;

    if (cable == NULL)
        return result;
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        struct direction *direction = &cable->directions[i];
        direction->from = ends[i == LINK_UP ? LAN_NEAR : LAN_FAR];
        direction->to = ends[i == LINK_UP ? LAN_FAR : LAN_NEAR];
        shaper_start(&direction->shaper, &request->path[i]);
        result = flight_open(&direction->flight, shaper_held_bytes_max(&request->path[i]));
        if (result < 0)
            goto close_flights;
    }
    cable->stop = eventfd(0, EFD_CLOEXEC);
    if (cable->stop < 0) {
        result = -errno;
        goto close_flights;
    }
    memcpy(cable->ends, ends, sizeof cable->ends);
    cable->namespaces = namespaces;
    *opened = cable;
    return 0;

close_flights:
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        flight_close(&cable->directions[i].flight);
    free(cable);
    return result;
}

int cable_set_down(void *state, bool down)
{
    struct cable *cable = state;

    atomic_store_explicit(&cable->down, down, memory_order_relaxed);
    return 0;
}

static struct interface_missed missed_at(const struct cable *cable, enum lan_side side)
{
    namespaces_enter(cable->namespaces, side);
    struct interface_missed missed = interface_missed_read();
    namespaces_enter(cable->namespaces, LAN_NEAR);
    return missed;
}

/* What a packet socket could not keep for us; a TAP device has no such figure. The kernel counts
 * anew after each look. */
static uint64_t unkept_count(struct direction *direction)
{
    struct tpacket_stats stats = {0};
    socklen_t bytes = sizeof stats;

    if (getsockopt(direction->from, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0)
        direction->unkept += stats.tp_drops;
    return direction->unkept;
}

/* What was dropped before we could take it, by us, and after we gave it. */
static uint64_t missed_in(struct cable *cable, int i)
{
    struct direction *direction = &cable->directions[i];

    return missed_at(cable, i == LINK_UP ? LAN_NEAR : LAN_FAR).sent + unkept_count(direction) +
           atomic_load_explicit(&direction->missed, memory_order_relaxed) +
           missed_at(cable, i == LINK_UP ? LAN_FAR : LAN_NEAR).received;
}

void cable_read(void *state, struct link_figures *figures)
{
    struct cable *cable = state;
    struct timespec cpu = {0};

    *figures = (struct link_figures){.counted = true, .realtime = cable->realtime};
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        struct direction *direction = &cable->directions[i];
        struct link_counts *counts = &figures->counts[i];
        counts->frames = atomic_load_explicit(&direction->frames, memory_order_relaxed);
        counts->bytes = atomic_load_explicit(&direction->bytes, memory_order_relaxed);
        counts->missed = missed_in(cable, i);
        for (int fate = 0; fate < SHAPER_FATES; fate++)
            counts->fates[fate] =
                atomic_load_explicit(&direction->fates[fate], memory_order_relaxed);
    }
    if (cable->running && clock_gettime(cable->clock, &cpu) == 0)
        figures->cpu_ns = (uint64_t)cpu.tv_sec * OS_NS_PER_S + (uint64_t)cpu.tv_nsec;
}

void cable_close(void *state)
{
    struct cable *cable = state;

    if (cable->running) {
        eventfd_write(cable->stop, 1);
        pthread_join(cable->thread, NULL);
    }
    close(cable->stop);
    for (int side = 0; side < LAN_SIDES; side++)
        close(cable->ends[side]);
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        flight_close(&cable->directions[i].flight);
    free(cable);
}
