/* bench_echo's load: see load.h. */
#include "cport/tests/echo/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/rounds.h"

enum {
    CONNECTIONS_MAX = 1000,
    MESSAGE_MAX = 65536,
    EVENTS_MAX = 256,
    WARM_UP_MS = 50,
    SEND_BUFFER_BYTES = 4 * MESSAGE_MAX, /* a whole message always fits */
    SILENCE_MS = 10000,                  /* a server that says nothing for so long has failed */
};

static struct {
    const struct load *load;
    uint16_t port;
    int epoll;
    int descriptors[CONNECTIONS_MAX];
    size_t received[CONNECTIONS_MAX]; /* of the message in flight */
    unsigned in_flight;
    uint64_t messages;
    bool stops; /* sends nothing more */
} run;

static char message[MESSAGE_MAX];

static void send_message(unsigned index)
{
    ssize_t sent = send(run.descriptors[index], message, run.load->message_bytes, MSG_NOSIGNAL);
    need(sent == (ssize_t)run.load->message_bytes, "the load cannot send a whole message");
    run.received[index] = 0;
    run.in_flight++;
}

/* On loopback a connect to a listener that has room returns at once. */
static void open_one(unsigned index)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(run.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    int on = 1, bytes = SEND_BUFFER_BYTES;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(descriptor >= 0, "socket");
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    need(connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    need(epoll_ctl(run.epoll, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
    run.descriptors[index] = descriptor;
}

static void came_back(unsigned index)
{
    run.messages++;
    run.in_flight--;
    if (run.stops)
        return;
    if (run.load->reconnects) {
        close(run.descriptors[index]);
        open_one(index);
    }
    send_message(index);
}

static void receive_some(unsigned index)
{
    char received[MESSAGE_MAX];
    ssize_t bytes = recv(run.descriptors[index], received, sizeof received, MSG_DONTWAIT);
    if (bytes < 0 && errno == EAGAIN)
        return;
    need(bytes > 0, "the server closed a connection");
    run.received[index] += (size_t)bytes;
    need(run.received[index] <= run.load->message_bytes, "the server sent more than it was sent");
    if (run.received[index] == run.load->message_bytes)
        came_back(index);
}

static void turn(void)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(run.epoll, events, EVENTS_MAX, SILENCE_MS);
    need(count > 0 || (count < 0 && errno == EINTR), "the server is silent");
    for (int index = 0; index < count; index++)
        receive_some(events[index].data.u32);
}

static void turns(uint64_t duration_ns)
{
    for (uint64_t until_ns = os_now_ns() + duration_ns; os_now_ns() < until_ns;)
        turn();
}

static double server_cpu_s(pid_t server)
{
    clockid_t clock;
    struct timespec spent;
    need(clock_getcpuclockid(server, &clock) == 0 && clock_gettime(clock, &spent) == 0,
         "the server's processor time");
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

static struct load_figures measure(pid_t server, uint64_t duration_ns)
{
    uint64_t messages = run.messages, start_ns = os_now_ns();
    double cpu_s = server_cpu_s(server);
    turns(duration_ns);
    return (struct load_figures){.messages = run.messages - messages,
                                 .seconds = (double)(os_now_ns() - start_ns) / 1e9,
                                 .server_cpu_s = server_cpu_s(server) - cpu_s};
}

struct load_figures load_run(const struct load *load, pid_t server, uint16_t port,
                             uint64_t duration_ns)
{
    need(load->connections <= CONNECTIONS_MAX && load->message_bytes <= MESSAGE_MAX, "too large");
    run.load = load;
    run.port = port;
    run.stops = false;
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    need(run.epoll >= 0, "epoll");
    for (unsigned index = 0; index < load->connections; index++) {
        open_one(index);
        send_message(index);
    }
    turns((uint64_t)WARM_UP_MS * OS_NS_PER_MS);
    struct load_figures figures = measure(server, duration_ns);
    run.stops = true;
    while (run.in_flight > 0)
        turn();
    for (unsigned index = 0; index < load->connections; index++)
        close(run.descriptors[index]);
    close(run.epoll);
    return figures;
}
