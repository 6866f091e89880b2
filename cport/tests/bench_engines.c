/* The engines that run here, side by side: bytes per CPU second of the workers. A sender in this
 * process keeps one frame in flight on each connection, so that small frames arrive as small
 * pieces; its own CPU time is not counted. Each repeat measures every engine; the ratio is that to
 * the first engine in the same repeat. Prints medians.
 *
 *   bench_engines [REPEATS [MILLISECONDS A POINT]] */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cport.h>
#include "base/os.h"
#include "base/tests/rounds.h"

enum {
    LINES = 200,
    BLOCK_BYTES = 65536,
    BATCH_MAX = 64,
    WORKERS_MAX = 16,
    ENGINES_MAX = 4,
    REPEATS_MAX = 64,
    WARM_UP_MS = 100,
};

struct line {
    struct cp_socket near;
    struct cp_op op;
    struct cp_block block;
    int far;
    uint64_t sent_bytes;
    _Atomic uint64_t received_bytes;
};

static struct line lines[LINES];
static struct cport *port;
static char frame[BLOCK_BYTES];

/* ---- the receiving side -------------------------------------------------------------------- */

/* As scheme drain: each worker receives into one block that stays in its cache. */
static unsigned hot_take(void *context, struct cp_block *blocks, unsigned max)
{
    static _Thread_local char hot[BLOCK_BYTES];
    blocks[0] = (struct cp_block){hot, sizeof hot};
    return 1;
}

static void hot_give(void *context, struct cp_block *blocks, unsigned count)
{
}

static const struct cp_source hot_source = {hot_take, hot_give, NULL};

static void line_receive(struct line *line)
{
    int code = cp_receive_late(line->near, &line->op, &line->block, 1, &hot_source);
    need(code == 0 || code == CP_ECLOSED, "receive");
}

static void *worker(void *unused)
{
    struct cp_packet packets[BATCH_MAX];
    int count;
    while ((count = cp_wait(port, packets, BATCH_MAX, CP_FOREVER)) > 0)
        for (int index = 0; index < count; index++) {
            struct line *line = &lines[packets[index].key];
            if (packets[index].result == CP_EABORTED)
                continue; /* the port was closed meanwhile */
            need(packets[index].result > 0, "a receive failed");
            line_receive(line);
            atomic_fetch_add(&line->received_bytes, (uint64_t)packets[index].result);
        }
    return unused;
}

/* ---- the sending side ---------------------------------------------------------------------- */

static void line_open(unsigned index, int listener, const struct sockaddr_in *address)
{
    struct line *line = &lines[index];
    int on = 1, near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(near >= 0 && connect(near, (const struct sockaddr *)address, sizeof *address) == 0,
         "connect");
    *line = (struct line){.far = accept(listener, NULL, NULL)};
    need(line->far >= 0, "accept");
    setsockopt(line->far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    need(cp_associate(port, near, index, &line->near) == 0, "associate");
    line_receive(line);
}

static void lines_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(listener >= 0 && bind(listener, (struct sockaddr *)&address, bytes) == 0 &&
             listen(listener, LINES) == 0 &&
             getsockname(listener, (struct sockaddr *)&address, &bytes) == 0,
         "listen");
    for (unsigned index = 0; index < LINES; index++)
        line_open(index, listener, &address);
    close(listener);
}

static bool line_send(struct line *line, size_t frame_bytes)
{
    if (atomic_load(&line->received_bytes) != line->sent_bytes)
        return false;
    for (size_t sent = 0; sent < frame_bytes;) {
        ssize_t part = send(line->far, frame + sent, frame_bytes - sent, MSG_NOSIGNAL);
        need(part > 0, "send");
        sent += (size_t)part;
    }
    line->sent_bytes += frame_bytes;
    return true;
}

/* Sends for that long. Returns the bytes. */
static uint64_t lines_feed(size_t frame_bytes, uint64_t duration_ns)
{
    uint64_t bytes = 0, until_ns = os_now_ns() + duration_ns;
    while (os_now_ns() < until_ns)
        for (unsigned index = 0; index < LINES; index++)
            bytes += line_send(&lines[index], frame_bytes) ? frame_bytes : 0;
    return bytes;
}

/* ---- one measurement ----------------------------------------------------------------------- */

static double cpu_s(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double others_cpu_s(void)
{
    return cpu_s(RUSAGE_SELF) - cpu_s(RUSAGE_THREAD);
}

struct point {
    size_t frame_bytes;
    unsigned workers, concurrency;
};

/* GB per CPU second of the workers. */
static double measure(const char *engine, const struct point *point, uint64_t duration_ns)
{
    pthread_t threads[WORKERS_MAX];
    struct cp_config config = {.engine = engine, .concurrency = point->concurrency};
    need(cp_open(&config, &port, NULL, 0) == 0, engine);
    lines_open();
    for (unsigned index = 0; index < point->workers; index++)
        need(os_thread_start(&threads[index], OS_ROLE_WORKER, 0, worker, NULL) == 0, "thread");
    lines_feed(point->frame_bytes, (uint64_t)WARM_UP_MS * OS_NS_PER_MS);
    double before_s = others_cpu_s();
    uint64_t bytes = lines_feed(point->frame_bytes, duration_ns);
    double spent_s = others_cpu_s() - before_s;
    cp_close(port);
    for (unsigned index = 0; index < point->workers; index++)
        pthread_join(threads[index], NULL);
    cp_free(port);
    for (unsigned index = 0; index < LINES; index++)
        close(lines[index].far);
    return (double)bytes / 1e9 / spent_s;
}

/* ---- the table ----------------------------------------------------------------------------- */

static const char *names[ENGINES_MAX];
static unsigned engines;

static void engines_find(void)
{
    const char *name;
    char why[256];
    for (unsigned index = 0; engines < ENGINES_MAX && (name = cp_engine_list(index, NULL));
         index++) {
        struct cp_config config = {.engine = name};
        if (cp_open(&config, &port, why, sizeof why) == 0) {
            cp_free(port);
            names[engines++] = name;
        } else {
            printf("%s does not run here: %s\n", name, why);
        }
    }
}

static void point_print(const struct point *point, unsigned repeats, uint64_t duration_ns)
{
    static double speeds[ENGINES_MAX][REPEATS_MAX];
    for (unsigned repeat = 0; repeat < repeats; repeat++)
        for (unsigned index = 0; index < engines; index++)
            speeds[index][repeat] = measure(names[index], point, duration_ns);
    printf("%6zu %3u %3u ", point->frame_bytes, point->workers, point->concurrency);
    for (unsigned index = 0; index < engines; index++) {
        struct summary ratio = ratio_of(speeds[index], speeds[0], repeats);
        printf("  %7.3f x%.2f (%.2f..%.2f)", summary_of(speeds[index], repeats).median,
               ratio.median, ratio.least, ratio.most);
    }
    printf("\n");
    fflush(stdout);
}

static unsigned number(char **arguments, int count, int which, unsigned otherwise, unsigned most)
{
    unsigned value = which < count ? (unsigned)strtoul(arguments[which], NULL, 10) : otherwise;
    return value < 1 ? 1 : value > most ? most : value;
}

int main(int argc, char **argv)
{
    const size_t sizes[] = {256, 4096, 65536};
    const struct point workers[] = {{0, 1, 1}, {0, 2, 2}, {0, 4, 2}, {0, 8, 2}, {0, 16, 2}};
    unsigned repeats = number(argv, argc, 1, 5, REPEATS_MAX);
    uint64_t duration_ns = (uint64_t)number(argv, argc, 2, 200, 60000) * OS_NS_PER_MS;
    engines_find();
    printf("GB per CPU second of the workers, and the ratio to the first engine (median, range)\n");
    printf(" frame   W   C ");
    for (unsigned index = 0; index < engines; index++)
        printf("  %-26s", names[index]);
    printf("\n");
    for (unsigned size = 0; size < 3; size++)
        for (unsigned index = 0; index < 5; index++) {
            struct point point = workers[index];
            point.frame_bytes = sizes[size];
            point_print(&point, repeats, duration_ns);
        }
    return 0;
}
