/* The link. In user space it is one thread, two descriptors, and no lock:
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
#include "mock_servers/lan/link.h"

#include <linux/if_packet.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/frames.h"

enum {
    TAKEN_PER_PASS_MAX = 64,
    PACKET_BYTES_MAX = 65536 + SEGMENT_HEADERS_BYTES_MAX,
    TIMER_SLACK_NS = 1,
    REALTIME_PRIORITY = 2,
    LATE_NS_MAX = 50000,
    LATE_WEIGHT = 16,
    MODERATION_SHARE = 8,
    MODERATION_NS_MIN = 50000,
    MODERATION_NS_MAX = 1000000,
};

/* "auto" tries the others in this order. */
enum { AUTO, KERNEL, TUN, PACKET, NAMES };
const char *const link_names[] = {"auto", "kernel", "tun", "packet", NULL};

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
struct link {
    int name;
    struct shaper_config paths[LINK_DIRECTIONS];
    /* Of a link in user space: */
    struct direction directions[LINK_DIRECTIONS];
    atomic_bool down;
    bool running, realtime;
    clockid_t clock; /* of the thread's CPU time */
    double late_ns;  /* by which timers wake the thread late, on average */
    struct {         /* the packet that was read last */
        struct virtio_net_hdr header;
        uint8_t packet[PACKET_BYTES_MAX];
    } taken;
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

static void packets_take(struct link *link, struct direction *direction, uint64_t now_ns)
{
    struct segment_splitter splitter;
    direction->shaper.down = link->down;
    for (int taken = 0; taken < TAKEN_PER_PASS_MAX; taken++) {
        ssize_t got = read(direction->from, &link->taken, sizeof link->taken);
        if (got < (ssize_t)sizeof link->taken.header)
            return;
        uint32_t bytes = (uint32_t)((size_t)got - sizeof link->taken.header);
        if (!segment_split(&splitter, &link->taken.header, link->taken.packet, bytes))
            direction->missed++;
        else
            while (segment_next_bytes(&splitter) > 0)
                frame_take(direction, &splitter, now_ns);
    }
}

/* ---- delivering ----------------------------------------------------------------------------- */

static void packets_deliver(struct direction *direction, uint64_t until_ns)
{
    struct segment_packet packet;
    struct queued_frame *first;
    while ((first = delay_queue_first(&direction->queue)) != NULL && first->due_ns <= until_ns) {
        segment_merge(&packet, &direction->queue, until_ns);
        if (direction->shaper.down) { /* a cut wire loses the frames on their way too */
            direction->fates[SHAPER_CUT] += packet.frames;
        } else if (writev(direction->to, packet.pieces, packet.piece_count) < 0) {
            direction->missed += packet.frames;
        } else {
            direction->frames += packet.frames;
            direction->bytes += packet.frame_bytes;
        }
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
    if (pause_ns < MODERATION_NS_MIN)
        pause_ns = MODERATION_NS_MIN;
    if (pause_ns > MODERATION_NS_MAX)
        pause_ns = MODERATION_NS_MAX;
    uint64_t earliest_ns = direction->delivered_ns + pause_ns;
    return first->due_ns > earliest_ns ? first->due_ns : earliest_ns;
}

/* A frame that comes while its direction is busy for longer than the thread sleeps need not wake
 * it: it would wait for the wire anyway, and be due at the same time. */
static int watched(const struct direction *direction, uint64_t until_ns)
{
    return direction->shaper.free_at_ns < until_ns ? direction->from : -1;
}

/* A frame that woke the thread came as much earlier as waking takes, but not before the sleep. */
static void wakers_take(struct link *link, const struct pollfd polled[LINK_DIRECTIONS],
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
 * are due. */
static uint64_t sleep_until(struct link *link, uint64_t until_ns)
{
    struct pollfd polled[] = {
        {.fd = watched(&link->directions[LINK_UP], until_ns), .events = POLLIN},
        {.fd = watched(&link->directions[LINK_DOWN], until_ns), .events = POLLIN}};
    uint64_t now_ns = os_now_ns(), timer_ns = until_ns - (uint64_t)link->late_ns;
    uint64_t left_ns = timer_ns > now_ns ? timer_ns - now_ns : 0;
    struct timespec timeout = os_timespec(left_ns);
    if (left_ns == 0)
        return until_ns;
    int ready = ppoll(polled, LINK_DIRECTIONS, until_ns == UINT64_MAX ? NULL : &timeout, NULL);
    uint64_t woken_ns = os_now_ns();
    if (ready <= 0) {
        double late_ns = fmin((double)(woken_ns - timer_ns), LATE_NS_MAX);
        link->late_ns += (late_ns - link->late_ns) / LATE_WEIGHT;
        return woken_ns > until_ns ? woken_ns : until_ns;
    }
    wakers_take(link, polled, now_ns, woken_ns);
    return woken_ns;
}

/* Delivers what is due by then, takes what has come, and returns the time of the next delivery. */
static uint64_t link_pass(struct link *link, uint64_t until_ns)
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

static void *link_run(void *link)
{
    uint64_t until_ns = 0;
    /* By default a timer may be late by 50 us, as much as half of a short round trip. */
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    for (;;)
        until_ns = sleep_until(link, link_pass(link, until_ns));
    return NULL;
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool user_open(struct link *link)
{
    int ends[LAN_SIDES] = {-1, -1};
    bool opened = link->name == TUN ? tap_ends_open(ends) : packet_ends_open(ends);
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        struct direction *direction = &link->directions[i];
        direction->from = ends[i];
        direction->to = ends[!i];
        shaper_start(&direction->shaper, &link->paths[i]);
        if (opened &&
            delay_queue_open(&direction->queue, shaper_held_bytes_max(&link->paths[i])) < 0)
            opened = lan_fail("no memory for its queues");
    }
    return opened;
}

static bool kind_open(struct link *link)
{
    return (link->name == KERNEL ? kernel_link_open(link->paths) : user_open(link)) &&
           interface_configure(LAN_NEAR) && interface_configure(LAN_FAR);
}

/* What a kind that failed has left, so that the next one can be tried. */
static void kind_close(struct link *link)
{
    for (int i = 0; i < LINK_DIRECTIONS; i++) {
        if (link->name != KERNEL && link->directions[i].from >= 0)
            close(link->directions[i].from);
        delay_queue_close(&link->directions[i].queue);
        interface_delete(i);
    }
}

struct link *link_open(int name, const struct shaper_config paths[LINK_DIRECTIONS])
{
    struct link *link =
        mmap(NULL, sizeof *link, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char reasons[LAN_REASON_BYTES] = "";
    if (link == MAP_FAILED) {
        lan_fail("no memory");
        return NULL;
    }
    memcpy(link->paths, paths, sizeof link->paths);
    for (link->name = KERNEL; link->name < NAMES; link->name++) {
        size_t used = strlen(reasons);
        if (name != AUTO && name != link->name)
            continue;
        if (kind_open(link))
            return link;
        snprintf(reasons + used, sizeof reasons - used, "%s%s: %s", used > 0 ? "; " : "",
                 link_names[link->name], lan_reason());
        kind_close(link);
    }
    munmap(link, sizeof *link);
    lan_fail("%s", reasons);
    return NULL;
}

bool link_start(struct link *link)
{
    struct sched_param priority = {.sched_priority = REALTIME_PRIORITY};
    pthread_t thread;
    if (link->name == KERNEL)
        return true;
    int result = os_thread_start(&thread, "fanin-link", 0, link_run, link);
    if (result < 0)
        return lan_fail("cannot start the link: %s", strerror(-result));
    link->running = true;
    pthread_getcpuclockid(thread, &link->clock);
    /* A wire does not wait for a free processor. Only root may ask for this. */
    link->realtime = pthread_setschedparam(thread, SCHED_FIFO, &priority) == 0;
    pthread_detach(thread);
    return true;
}

/* ---- an open link --------------------------------------------------------------------------- */

const char *link_name(const struct link *link)
{
    return link_names[link->name];
}

bool link_set_down(struct link *link, bool down)
{
    link->down = down;
    return link->name != KERNEL || kernel_link_set_down(link->paths, down);
}

void link_read(struct link *link, struct link_figures *figures)
{
    struct timespec cpu = {0};
    struct interface_drops drops[LAN_SIDES] = {0};
    *figures = (struct link_figures){.counted = link->name != KERNEL, .realtime = link->realtime};
    for (int side = 0; side < LAN_SIDES && figures->counted; side++)
        drops[side] = interface_drops_read(side);
    for (int i = 0; i < LINK_DIRECTIONS && figures->counted; i++) {
        struct direction *direction = &link->directions[i];
        struct link_counts *counts = &figures->counts[i];
        struct tpacket_stats stats = {0};
        socklen_t bytes = sizeof stats;
        /* Frames that a packet socket had no room for, counted from 0 after each reading; a TAP
         * device has no such figure. */
        if (getsockopt(direction->from, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0)
            direction->unread += stats.tp_drops;
        counts->frames = direction->frames;
        counts->bytes = direction->bytes;
        counts->missed = direction->missed + direction->unread + drops[i].sent + drops[!i].received;
        for (int fate = 0; fate < SHAPER_FATES; fate++)
            counts->fates[fate] = direction->fates[fate];
    }
    if (link->running && clock_gettime(link->clock, &cpu) == 0)
        figures->cpu_ns = os_timespec_ns(cpu);
}
