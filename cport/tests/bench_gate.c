/* The cost of the gate beside the simplest ways to hand something to another thread: a condition
 * variable and an eventfd.
 *
 *     bench_gate        REQUIRE=1: exit code 1 when a target is missed
 *
 * Hand-over: two threads pass a token back and forth. Half of a round trip is the time from cp_post
 * until the waiting worker runs. The threads are pinned to one processor or to two, since the
 * scheduler's choice would weigh more than what is compared. On a port the worker that is woken is
 * parked, while another one polls ("parked"), or polls itself ("polling").
 *
 * Busy port: more packets than its workers can take, more workers than places; what a watcher
 * (cp_config.watch) costs there, where it looks all the time and finds nobody asleep: CPU time of
 * the process for a packet. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cport.h>
#include "base/os.h"
#include "base/tests/rounds.h"

enum {
    ROUNDS = 25,
    TRIPS = 200, /* of one way's turn in a round */
    WARM_UP = 50,
    TAKES = 20000,
    BUSY_WORKERS = 4,
    BUSY_PLACES = 2,
    BUSY_PACKETS = 64,
    BUSY_TAKES = 40000,
    BUSY_WORDS = 2048, /* that a worker adds up for each packet, for a microsecond or two */
};

#define TARGET       1.3 /* times the better of the plain ways */
#define WATCH_TARGET 1.05

/* A thread waits here for one thing at a time. */
struct box {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool full;
    struct cp_packet packet; /* what a condition variable hands over, as a port does */
    int descriptor;          /* of an eventfd */
    struct cport *port;
    struct cp_op op;
    pthread_t poller;
};

struct way {
    const char *name;
    bool has_port, is_polled;
    void (*put)(struct box *box);
    void (*take)(struct box *box, bool there); /* there: it must not wait */
};

/* ---- a condition variable ------------------------------------------------------------------ */

static void condition_put(struct box *box)
{
    pthread_mutex_lock(&box->lock);
    box->packet = (struct cp_packet){.op = &box->op};
    box->full = true;
    pthread_mutex_unlock(&box->lock);
    pthread_cond_signal(&box->changed);
}

static void condition_take(struct box *box, bool there)
{
    pthread_mutex_lock(&box->lock);
    while (!box->full)
        pthread_cond_wait(&box->changed, &box->lock);
    struct cp_packet packet = box->packet;
    box->full = false;
    pthread_mutex_unlock(&box->lock);
    need(packet.op == &box->op, "wrong packet");
}

/* ---- an eventfd ---------------------------------------------------------------------------- */

static void event_put(struct box *box)
{
    ssize_t bytes = write(box->descriptor, &(uint64_t){1}, sizeof(uint64_t));
    need(bytes == sizeof(uint64_t), "cannot write to an eventfd");
}

static void event_take(struct box *box, bool there)
{
    uint64_t count;
    need(read(box->descriptor, &count, sizeof count) == sizeof count, "cannot read an eventfd");
}

/* ---- a port -------------------------------------------------------------------------------- */

static void port_put(struct box *box)
{
    need(cp_post(box->port, &box->op, 0, 0) == 0, "cannot post");
}

static void port_take(struct box *box, bool there)
{
    struct cp_packet packet;
    need(cp_wait(box->port, &packet, 1, there ? 0 : CP_FOREVER) == 1, "no packet");
}

static void *poll_until_closed(void *argument)
{
    struct box *box = argument;
    struct cp_packet packet;
    int code = cp_wait(box->port, &packet, 1, CP_FOREVER);
    need(code == CP_ECLOSED, "the wrong worker was woken");
    return NULL;
}

enum { CONDITION, EVENT, PARKED, POLLING, WAYS };

static const struct way ways[WAYS] = {
    {"condition variable", false, false, condition_put, condition_take},
    {"eventfd", false, false, event_put, event_take},
    {"port, parked", true, true, port_put, port_take},
    {"port, polling", true, false, port_put, port_take},
};

static void box_open(struct box *box, const struct way *way)
{
    char why[256];
    struct cp_config config = {.concurrency = 1};
    *box = (struct box){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    box->descriptor = eventfd(0, EFD_CLOEXEC);
    need(box->descriptor >= 0, "no eventfd");
    if (way->has_port)
        need(cp_open(&config, &box->port, why, sizeof why) == 0, why);
    if (way->is_polled) {
        need(os_thread_start(&box->poller, OS_ROLE_WORKER, 0, poll_until_closed, box) == 0,
             "no thread");
        os_sleep_ns(5 * OS_NS_PER_MS); /* it polls now; later waiters are woken before it */
    }
}

static void box_close(struct box *box, const struct way *way)
{
    cp_close(box->port);
    if (way->is_polled)
        pthread_join(box->poller, NULL);
    cp_free(box->port);
    close(box->descriptor);
}

/* Called first by the thread that will take. From now on it is a running worker of its port:
 * packets are queued until it takes them. */
static void box_enter(struct box *box)
{
    struct cp_packet packet;
    if (box->port)
        need(cp_wait(box->port, &packet, 1, 0) == 0, "an unexpected packet");
}

/* ---- processors ---------------------------------------------------------------------------- */

static cpu_set_t allowed; /* before a thread is pinned */

enum { NO_PROCESSOR = -1, ALONE = -2 };

/* The `index`-th that the process may use. */
static int processor(unsigned index)
{
    for (int each = 0; each < CPU_SETSIZE; each++)
        if (CPU_ISSET(each, &allowed) && index-- == 0)
            return each;
    return NO_PROCESSOR;
}

static void keep_to(int number)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(number, &one);
    need(pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0, "no processor");
}

/* ---- measuring ----------------------------------------------------------------------------- */

struct rally {
    const struct way *way;
    struct box here, there;
    struct os_parker entered;
    int processor; /* of the returning thread */
};

static void *return_all(void *argument)
{
    struct rally *rally = argument;
    keep_to(rally->processor);
    box_enter(&rally->there);
    os_unpark(&rally->entered);
    for (unsigned trip = 0; trip < WARM_UP + TRIPS; trip++) {
        rally->way->take(&rally->there, false);
        rally->way->put(&rally->here);
    }
    return NULL;
}

static void trips(struct rally *rally, unsigned count)
{
    while (count-- > 0) {
        rally->way->put(&rally->there);
        rally->way->take(&rally->here, false);
    }
}

static double hand_over_ns(const struct way *way, int returns_on)
{
    struct rally rally = {.way = way, .processor = returns_on};
    pthread_t returner;
    box_open(&rally.here, way);
    box_open(&rally.there, way);
    need(os_thread_start(&returner, OS_ROLE_WORKER, 0, return_all, &rally) == 0, "no thread");
    box_enter(&rally.here);
    os_park(&rally.entered, UINT64_MAX);
    trips(&rally, WARM_UP);
    uint64_t started_ns = os_now_ns();
    trips(&rally, TRIPS);
    uint64_t took_ns = os_now_ns() - started_ns;
    pthread_join(returner, NULL);
    box_close(&rally.there, way);
    box_close(&rally.here, way);
    return (double)took_ns / (2 * TRIPS);
}

/* One thread puts something in and takes it out again. */
static double alone_ns(const struct way *way)
{
    struct box box;
    box_open(&box, way);
    box_enter(&box);
    way->put(&box);
    way->take(&box, false);
    uint64_t started_ns = os_now_ns();
    for (unsigned take = 0; take < TAKES; take++) {
        way->put(&box);
        way->take(&box, true);
    }
    uint64_t took_ns = os_now_ns() - started_ns;
    box_close(&box, way);
    return (double)took_ns / TAKES;
}

/* ---- a busy port --------------------------------------------------------------------------- */

struct busy {
    struct cport *port;
    struct cp_op ops[BUSY_PACKETS];
    atomic_uint takes;
    atomic_ulong sums;
    struct os_parker done;
};

/* Posts each packet again. */
static void *keep_busy(void *argument)
{
    struct busy *busy = argument;
    struct cp_packet packet;
    unsigned long words[BUSY_WORDS];
    memset(words, 1, sizeof words);
    sched_setaffinity(0, sizeof allowed, &allowed);
    while (cp_wait(busy->port, &packet, 1, CP_FOREVER) == 1) {
        unsigned long sum = 0;
        for (unsigned index = 0; index < BUSY_WORDS; index++)
            sum += words[index] ^ sum >> 1;
        atomic_fetch_add(&busy->sums, sum);
        cp_post(busy->port, packet.op, 0, 0);
        if (atomic_fetch_add(&busy->takes, 1) == BUSY_TAKES)
            os_unpark(&busy->done);
    }
    return NULL;
}

static double busy_ns(bool watch)
{
    static struct busy busy;
    struct cp_config config = {.concurrency = BUSY_PLACES, .watch = watch};
    pthread_t threads[BUSY_WORKERS];
    char why[256];
    memset(&busy, 0, sizeof busy);
    need(cp_open(&config, &busy.port, why, sizeof why) == 0, why);
    for (unsigned index = 0; index < BUSY_PACKETS; index++)
        need(cp_post(busy.port, &busy.ops[index], 0, 0) == 0, "cannot post");
    uint64_t started_ns = os_cpu_ns();
    for (unsigned index = 0; index < BUSY_WORKERS; index++)
        need(os_thread_start(&threads[index], OS_ROLE_WORKER, 0, keep_busy, &busy) == 0,
             "no thread");
    os_park(&busy.done, UINT64_MAX);
    uint64_t took_ns = os_cpu_ns() - started_ns;
    cp_close(busy.port);
    for (unsigned index = 0; index < BUSY_WORKERS; index++)
        pthread_join(threads[index], NULL);
    cp_free(busy.port);
    return (double)took_ns / BUSY_TAKES;
}

/* False: the target is missed. */
static bool compare_watch(void)
{
    double without[ROUNDS], with[ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        double *both[] = {&without[round], &with[round]};
        bool first = round % 2;
        *both[first] = busy_ns(first);
        *both[!first] = busy_ns(!first);
    }
    double ratio = ratio_of(with, without, ROUNDS).median;
    bool reached = ratio <= WATCH_TARGET;
    printf("busy port, %d workers for %d places\n", BUSY_WORKERS, BUSY_PLACES);
    printf("  %-26s %10.0f\n", "without a watcher", summary_of(without, ROUNDS).median);
    printf("  %-26s %10.0f %10.2f  <= %.2f  %s\n", "with one", summary_of(with, ROUNDS).median,
           ratio, WATCH_TARGET, reached ? "reached" : "MISSED");
    return reached;
}

/* ---- the report ---------------------------------------------------------------------------- */

struct subject {
    const char *title;
    int processor; /* of the other thread; ALONE: there is none */
    unsigned ways;
};

static double measure_ns(const struct subject *subject, const struct way *way)
{
    return subject->processor == ALONE ? alone_ns(way) : hand_over_ns(way, subject->processor);
}

/* False: the target, which a parked worker has, is missed. */
static bool compare(const struct subject *subject)
{
    double figures[WAYS][ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned way = 0; way < subject->ways; way++)
            figures[way][round] = measure_ns(subject, &ways[way]);
    const double *event = figures[EVENT], *condition = figures[CONDITION];
    bool event_is_better = ratio_of(event, condition, ROUNDS).median < 1;
    const double *better = event_is_better ? event : condition;
    bool reached = ratio_of(figures[PARKED], better, ROUNDS).median <= TARGET;
    printf("%-28s %10s %10s %10s\n", subject->title, "median ns", "x better", "target");
    for (unsigned way = 0; way < subject->ways; way++) {
        printf("  %-26s %10.0f %10.2f", ways[way].name, summary_of(figures[way], ROUNDS).median,
               ratio_of(figures[way], better, ROUNDS).median);
        if (way == PARKED)
            printf(" %7s%.1f  %s", "<= ", TARGET, reached ? "reached" : "MISSED");
        printf("\n");
    }
    return reached;
}

int main(void)
{
    need(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "no processors");
    const struct subject subjects[] = {
        {"hand-over, one processor", processor(0), WAYS},
        {"hand-over, two processors", processor(1), WAYS},
        {"put and take, one thread", ALONE, POLLING},
    };
    bool reached = true;
    keep_to(processor(0));
    for (unsigned index = 0; index < 3; index++) {
        if (subjects[index].processor == NO_PROCESSOR)
            printf("%s: skipped, there is one\n", subjects[index].title);
        else
            reached &= compare(&subjects[index]);
    }
    reached &= compare_watch();
    printf("%d rounds; x better: the median of the rounds' ratios to the better of the first two\n",
           ROUNDS);
    return reached || !getenv("REQUIRE") ? 0 : 1;
}
