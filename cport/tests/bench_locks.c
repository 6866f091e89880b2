/* How often a port's locks are taken for a frame, and how long workers wait for them: 200
 * connections that always have data, and a receive posted again for each packet, as in
 * fanin-client. The linker puts the wrappers in place of the port's calls (Makefile). What is held
 * includes one reading of the clock.
 *
 *   bench_locks [MILLISECONDS A POINT] */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cport.h>
#include "base/os.h"
#include "base/tests/rounds.h"
#include "cport/port.h"

enum {
    CONNECTIONS = 200,
    FRAME_BYTES = 4096,
    SENT_BYTES = 65536, /* at once: the sender must stay ahead of the workers */
    BATCH = 4,
    WORKERS_MAX = 16,
    WARM_UP_MS = 100,
};

struct connection {
    struct cp_socket socket;
    struct cp_op op;
    struct cp_block block;
};

/* Of one worker. Others only read them. */
struct counts {
    _Atomic uint64_t frames, takes, waits, waited_ns;
    _Atomic uint64_t gate_takes, gate_held_ns; /* of the gate's lock alone */
};

static struct connection connections[CONNECTIONS];
static struct cport *port;
static struct counts counts[WORKERS_MAX];
static _Thread_local struct counts *mine;

static void add(_Atomic uint64_t *count, uint64_t more)
{
    uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + more, memory_order_relaxed);
}

/* ---- the locks ----------------------------------------------------------------------------- */

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

static _Thread_local uint64_t gate_taken_ns;

static void count_take(pthread_mutex_t *lock)
{
    add(&mine->takes, 1);
    if (pthread_mutex_trylock(lock) == 0)
        return;
    uint64_t start_ns = os_now_ns();
    __real_pthread_mutex_lock(lock);
    add(&mine->waits, 1);
    add(&mine->waited_ns, os_now_ns() - start_ns);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    if (!mine)
        return __real_pthread_mutex_lock(lock);
    count_take(lock);
    if (lock == &port->lock) {
        add(&mine->gate_takes, 1);
        gate_taken_ns = os_now_ns();
    }
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    if (mine && lock == &port->lock)
        add(&mine->gate_held_ns, os_now_ns() - gate_taken_ns);
    return __real_pthread_mutex_unlock(lock);
}

/* ---- the workers --------------------------------------------------------------------------- */

static unsigned take(void *context, struct cp_block *blocks, unsigned max)
{
    static _Thread_local char frame[FRAME_BYTES];
    blocks[0] = (struct cp_block){frame, sizeof frame};
    return 1;
}

static void give(void *context, struct cp_block *blocks, unsigned count)
{
}

static const struct cp_source source = {take, give, NULL};

static void receive_next(struct connection *connection)
{
    int code = cp_receive_late(connection->socket, &connection->op, &connection->block, 1, &source);
    need(code == 0 || code == CP_ECLOSED, "receive");
}

static void *worker(void *own_counts)
{
    struct cp_packet packets[BATCH];
    int count;
    mine = own_counts;
    while ((count = cp_wait(port, packets, BATCH, CP_FOREVER)) > 0)
        for (int index = 0; index < count; index++) {
            if (packets[index].result <= 0)
                continue; /* the port was closed meanwhile */
            add(&mine->frames, 1);
            receive_next(&connections[packets[index].key]);
        }
    return NULL;
}

/* ---- the sender, a process of its own ------------------------------------------------------- */

static void send_for_ever(const int *descriptors)
{
    static char data[SENT_BYTES];
    struct epoll_event events[CONNECTIONS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned index = 0; index < CONNECTIONS; index++) {
        struct epoll_event event = {.events = EPOLLOUT, .data.fd = descriptors[index]};
        need(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptors[index], &event) == 0, "epoll_ctl");
    }
    for (;;) {
        int count = epoll_wait(epoll, events, CONNECTIONS, -1);
        for (int index = 0; index < count; index++)
            if (send(events[index].data.fd, data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
                events[index].events & (EPOLLERR | EPOLLHUP))
                _exit(0); /* the workers have finished */
    }
}

static pid_t connections_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int near[CONNECTIONS], far[CONNECTIONS];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(listener >= 0 && bind(listener, (struct sockaddr *)&address, bytes) == 0 &&
             listen(listener, CONNECTIONS) == 0 &&
             getsockname(listener, (struct sockaddr *)&address, &bytes) == 0,
         "listen");
    for (unsigned index = 0; index < CONNECTIONS; index++) {
        far[index] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        need(far[index] >= 0 && connect(far[index], (struct sockaddr *)&address, bytes) == 0,
             "connect");
        near[index] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        need(near[index] >= 0, "accept");
    }
    pid_t sender = fork();
    need(sender >= 0, "fork");
    if (sender == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        send_for_ever(far);
    }
    close(listener);
    for (unsigned index = 0; index < CONNECTIONS; index++) {
        struct connection *connection = &connections[index];
        close(far[index]);
        *connection = (struct connection){0};
        need(cp_associate(port, near[index], index, &connection->socket) == 0, "associate");
        receive_next(connection);
    }
    return sender;
}

/* ---- the table ----------------------------------------------------------------------------- */

struct sum {
    double frames, takes, waits, waited_ns, gate_takes, gate_held_ns;
};

static struct sum sum_up(void)
{
    struct sum sum = {0};
    for (struct counts *each = counts; each < counts + WORKERS_MAX; each++) {
        sum.frames += (double)each->frames;
        sum.takes += (double)each->takes;
        sum.waits += (double)each->waits;
        sum.waited_ns += (double)each->waited_ns;
        sum.gate_takes += (double)each->gate_takes;
        sum.gate_held_ns += (double)each->gate_held_ns;
    }
    return sum;
}

static void measure(unsigned workers, unsigned concurrency, uint64_t duration_ns)
{
    pthread_t threads[WORKERS_MAX];
    struct cp_config config = {.engine = "epoll", .concurrency = concurrency};
    need(cp_open(&config, &port, NULL, 0) == 0, "epoll");
    pid_t sender = connections_open();
    for (unsigned index = 0; index < workers; index++)
        need(pthread_create(&threads[index], NULL, worker, &counts[index]) == 0, "thread");
    os_sleep_ns((uint64_t)WARM_UP_MS * OS_NS_PER_MS);
    uint64_t start_ns = os_now_ns();
    struct sum before = sum_up();
    os_sleep_ns(duration_ns);
    struct sum after = sum_up();
    double seconds = (double)(os_now_ns() - start_ns) / 1e9, frames = after.frames - before.frames;
    cp_close(port);
    for (unsigned index = 0; index < workers; index++)
        pthread_join(threads[index], NULL);
    cp_free(port);
    kill(sender, SIGKILL);
    waitpid(sender, NULL, 0);
    double takes = after.takes - before.takes;
    printf("%3u %3u  %9.0f  %11.2f  %12.2f %%  %15.1f  %10.2f  %10.1f\n", workers, concurrency,
           frames / seconds, takes / frames, 100 * (after.waits - before.waits) / takes,
           (after.waited_ns - before.waited_ns) / frames,
           (after.gate_takes - before.gate_takes) / frames,
           (after.gate_held_ns - before.gate_held_ns) / frames);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const unsigned points[][2] = {{2, 2}, {4, 2}, {4, 4}, {16, 2}, {16, 16}};
    unsigned long ms = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    printf(
        "                      all locks, a frame                        the gate's, a frame\n"
        "  W   C   frames/s        takes  of them wait       ns waited       takes     ns held\n");
    for (unsigned index = 0; index < sizeof points / sizeof *points; index++)
        measure(points[index][0], points[index][1], (uint64_t)ms * OS_NS_PER_MS);
    return 0;
}
