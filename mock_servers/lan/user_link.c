/* A link in user space. One thread, three descriptors, no lock:
 *
 *      near end --- read --> split --> shaper --> delay queue --> merge --- write --> far end
 *      far end  --- read --> split --> shaper --> delay queue --> merge --- write --> near end
 *
 * Each pass delivers what is due, takes what has come, and sleeps until the next frame is due or
 * another comes. Delivery comes first: others set their clocks by it, and a write into a TAP device
 * runs the receiver's side of TCP, whose answer the same pass can take.
 *
 * Three things keep it exact, and cheap:
 * - The thread learns how late timers wake it, and sets them that much earlier. A frame that
 *   woke it is taken to have come that much earlier.
 * - Under dense traffic the thread does not wake for each frame. It pauses, as a network card does
 *   that moderates its interrupts: for an eighth of the time that frames wait in the queue anyway,
 *   within limits. The first frame after a pause is on time.
 * - While a direction is busy beyond the pause, frames for it do not wake the thread. */
#include "mock_servers/lan/link_kinds.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/segment.h"

enum {
    TAKEN_PER_PASS_MAX = 64,
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
    struct delay_queue queue;
    uint64_t delivered_ns, next_ns; /* time of the last delivery and of the next */
    uint64_t unread;                /* packets that a packet socket has dropped so far */
    /* Written by the thread alone. */
    _Atomic uint64_t frames, bytes, missed, fates[SHAPER_FATES];
};

/* Lies in shared memory: the session is a process of its own and takes the link down and up. */
struct user_link {
    struct direction directions[LINK_DIRECTIONS];
    int ends[LAN_SIDES];
    int stop;
    atomic_bool down;
    bool running, realtime;
    pthread_t thread;
    clockid_t clock; /* of the thread's CPU time */
    double late_ns;  /* by which timers wake the thread late, on average */
    const struct namespaces *namespaces;
    struct { /* the packet that was read last */
        struct virtio_net_hdr header;
        uint8_t packet[PACKET_BYTES_MAX];
    } __attribute__((packed)) taken;
};

/* ---- taking --------------------------------------------------------------------------------- */

static void frame_take(struct direction *direction, struct segment_splitter *splitter,
                       uint64_t now_ns)
{
    uint32_t bytes = segment_next_bytes(splitter);
    uint64_t due_ns = 0;
    enum shaper_fate fate = shaper_take(&direction->shaper, now_ns, bytes, &due_ns);
    struct queued_frame *frame = NULL;

    if (fate == SHAPER_CARRIED) {
        frame = delay_queue_put(&direction->queue, bytes);
        if (frame != NULL)
            frame->due_ns = due_ns;
        else
            fate = SHAPER_OVERFLOWED; /* an unlimited rate has no other limit */
    }
    segment_next(splitter, frame);
    if (fate != SHAPER_CARRIED)
        direction->fates[fate]++;
}

static bool packet_take(struct user_link *link, struct direction *direction, uint64_t now_ns)
{
    struct segment_splitter splitter;
    ssize_t got = read(direction->from, &link->taken, sizeof link->taken);

    if (got < (ssize_t)sizeof link->taken.header)
        return false;
    struct virtio_net_hdr header;
    memcpy(&header, &link->taken.header, sizeof header);
    if (!segment_split(&splitter, &header, link->taken.packet,
                       (uint32_t)((size_t)got - sizeof header)))
        direction->missed++;
    else
        while (segment_next_bytes(&splitter) > 0)
            frame_take(direction, &splitter, now_ns);
    return true;
}

static void packets_take(struct user_link *link, struct direction *direction, uint64_t now_ns)
{
    int taken = 0;

    direction->shaper.down = link->down;
    while (taken < TAKEN_PER_PASS_MAX && packet_take(link, direction, now_ns))
        taken++;
}

/* ---- delivering ----------------------------------------------------------------------------- */

/* A wire that has been cut loses the frames on their way too. */
static void packet_deliver(struct direction *direction, const struct segment_packet *packet)
{
    if (direction->shaper.down) {
        direction->fates[SHAPER_CUT] += packet->frames;
    } else if (writev(direction->to, packet->pieces, packet->piece_count) < 0) {
        direction->missed += packet->frames;
    } else {
        direction->frames += packet->frames;
        direction->bytes += packet->frame_bytes;
    }
}

static void packets_deliver(struct direction *direction, uint64_t until_ns)
{
    struct segment_packet packet;
    struct queued_frame *first;

    while ((first = delay_queue_first(&direction->queue)) != NULL && first->due_ns <= until_ns) {
        segment_merge(&packet, &direction->queue, until_ns);
        packet_deliver(direction, &packet);
        for (uint32_t i = 0; i < packet.frames; i++)
            delay_queue_pop(&direction->queue);
        direction->delivered_ns = until_ns;
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Time of the next delivery. */
static uint64_t next_ns(const struct direction *direction, uint64_t now_ns)
{
    const struct queued_frame *first = delay_queue_first(&direction->queue);
    uint64_t busy_until_ns = direction->shaper.free_at_ns;
    uint64_t pause_ns = busy_until_ns > now_ns ? (busy_until_ns - now_ns) / MODERATION_SHARE : 0;

    if (first == NULL)
        return UINT64_MAX;
    if (pause_ns < moderation_ns_min)
        pause_ns = moderation_ns_min;
    if (pause_ns > moderation_ns_max)
        pause_ns = moderation_ns_max;
    uint64_t earliest_ns = direction->delivered_ns + pause_ns;
    return first->due_ns > earliest_ns ? first->due_ns : earliest_ns;
}

/* A frame that comes while its direction is busy for longer than the thread sleeps need not wake
 * it: it would wait for the wire anyway, and be due at the same time. */
static int watched(const struct direction *direction, uint64_t until_ns)
{
    return direction->shaper.free_at_ns < until_ns ? direction->from : -1;
}

static void lateness_learn(struct user_link *link, uint64_t late_ns)
{
    double late = late_ns < LATE_NS_MAX ? (double)late_ns : LATE_NS_MAX;

    link->late_ns += (late - link->late_ns) / LATE_WEIGHT;
}

/* A frame that woke the thread came as much earlier as waking takes, but not before the sleep. */
static void wakers_take(struct user_link *link, const struct pollfd polled[LINK_DIRECTIONS],
                        uint64_t slept_ns, uint64_t woken_ns)
{
    uint64_t came_ns = woken_ns - (uint64_t)link->late_ns;

    if (came_ns < slept_ns)
        came_ns = slept_ns;
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        if (polled[i].revents)
            packets_take(link, &link->directions[i], came_ns);
}

/* Sleeps until then, or until a frame has come, and takes it. Returns the time up to which frames
 * are due; 0: the thread must end. */
static uint64_t sleep_until(struct user_link *link, uint64_t until_ns)
{
    struct pollfd polled[] = {
        {.fd = watched(&link->directions[LINK_UP], until_ns), .events = POLLIN},
        {.fd = watched(&link->directions[LINK_DOWN], until_ns), .events = POLLIN},
        {.fd = link->stop, .events = POLLIN}};
    uint64_t now_ns = os_now_ns(), timer_ns = until_ns - (uint64_t)link->late_ns;
    uint64_t left_ns = timer_ns > now_ns ? timer_ns - now_ns : 0;
    struct timespec timeout = os_timespec(left_ns);

    if (left_ns == 0)
        return until_ns;
    int ready = ppoll(polled, sizeof polled / sizeof *polled,
                      until_ns == UINT64_MAX ? NULL : &timeout, NULL);
    uint64_t woken_ns = os_now_ns();
    if (ready <= 0) {
        lateness_learn(link, woken_ns - timer_ns);
        return woken_ns > until_ns ? woken_ns : until_ns;
    }
    wakers_take(link, polled, now_ns, woken_ns);
    return polled[STOP].revents ? 0 : woken_ns;
}

/* Delivers what is due by then, takes what has come, and returns the time of the next delivery. */
static uint64_t link_pass(struct user_link *link, uint64_t until_ns)
{
    uint64_t next = UINT64_MAX;

    for (int i = 0; i < LINK_DIRECTIONS; i++)
        if (link->directions[i].next_ns <= until_ns)
            packets_deliver(&link->directions[i], until_ns);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        struct direction *direction = &link->directions[i];
        uint64_t now_ns = os_now_ns();
        packets_take(link, direction, now_ns);
        direction->next_ns = next_ns(direction, now_ns);
        if (direction->next_ns < next)
            next = direction->next_ns;
    }
    return next;
}

static void *user_link_run(void *state)
{
    struct user_link *link = state;
    uint64_t until_ns = 1;

    /* By default a timer may be late by 50 us, as much as half of a short round trip. */
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    while (until_ns > 0)
        until_ns = sleep_until(link, link_pass(link, until_ns));
    return NULL;
}

int user_link_start(struct user_link *link)
{
    struct sched_param priority = {.sched_priority = REALTIME_PRIORITY};
    int result = os_thread_start(&link->thread, "fanin-link", 0, user_link_run, link);

    if (result < 0)
        return result;
    link->running = true;
    pthread_getcpuclockid(link->thread, &link->clock);
    /* A wire does not wait for a free processor. Only root may ask for this. */
    link->realtime = pthread_setschedparam(link->thread, SCHED_FIFO, &priority) == 0;
    return 0;
}

/* ---- the rest ------------------------------------------------------------------------------- */

struct user_link *user_link_open(const struct link_request *request, const int ends[LAN_SIDES],
                                 const struct namespaces *namespaces)
{
    struct user_link *link =
        mmap(NULL, sizeof *link, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (link == MAP_FAILED)
        return NULL;
    *link = (struct user_link){.namespaces = namespaces, .ends = {-1, -1}};
    link->stop = eventfd(0, EFD_CLOEXEC);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        struct direction *direction = &link->directions[i];
        direction->from = ends[i == LINK_UP ? LAN_NEAR : LAN_FAR];
        direction->to = ends[i == LINK_UP ? LAN_FAR : LAN_NEAR];
        shaper_start(&direction->shaper, &request->path[i]);
        if (link->stop < 0 ||
            delay_queue_open(&direction->queue, shaper_held_bytes_max(&request->path[i])) < 0) {
            user_link_close(link);
            return NULL;
        }
    }
    memcpy(link->ends, ends, sizeof link->ends);
    return link;
}

void user_link_set_down(struct user_link *link, bool down)
{
    link->down = down;
}

/* Frames that a packet socket had no room for, which the kernel counts from 0 after each reading; a
 * TAP device has no such figure. */
static uint64_t unread_count(struct direction *direction)
{
    struct tpacket_stats stats = {0};
    socklen_t bytes = sizeof stats;

    if (getsockopt(direction->from, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0)
        direction->unread += stats.tp_drops;
    return direction->unread;
}

void user_link_read(struct user_link *link, struct link_figures *figures)
{
    struct interface_drops drops[LAN_SIDES];
    struct timespec cpu = {0};

    *figures = (struct link_figures){.counted = true, .realtime = link->realtime};
    for (int side = 0; side < LAN_SIDES; side++)
        drops[side] = interface_drops_read(link->namespaces, side);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        struct direction *direction = &link->directions[i];
        struct link_counts *counts = &figures->counts[i];
        counts->frames = direction->frames;
        counts->bytes = direction->bytes;
        counts->missed = drops[i == LINK_UP ? LAN_NEAR : LAN_FAR].sent + unread_count(direction) +
                         direction->missed + drops[i == LINK_UP ? LAN_FAR : LAN_NEAR].received;
        for (int fate = 0; fate < SHAPER_FATES; fate++)
            counts->fates[fate] = direction->fates[fate];
    }
    if (link->running && clock_gettime(link->clock, &cpu) == 0)
        figures->cpu_ns = os_timespec_ns(cpu);
}

void user_link_close(struct user_link *link)
{
    if (link->running) {
        eventfd_write(link->stop, 1);
        pthread_join(link->thread, NULL);
    }
    if (link->stop >= 0)
        close(link->stop);
    for (int side = 0; side < LAN_SIDES; side++)
        if (link->ends[side] >= 0)
            close(link->ends[side]);
    for (int i = 0; i < LINK_DIRECTIONS; i++)
        delay_queue_close(&link->directions[i].queue);
    munmap(link, sizeof *link);
}
