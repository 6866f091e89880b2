/* Echo servers side by side: cport, libuv, asio and a bare epoll loop. Each runs in a process of
 * its own, so that its processor time is exact; one load drives them in turns, in another order
 * each repeat. Prints medians; FILE gets a line of JSON for each measurement (plot/bench_echo.py).
 *
 *   bench_echo [REPEATS [MILLISECONDS A MEASUREMENT [FILE]]] */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cport.h>
#include "base/os.h"
#include "base/tests/rounds.h"
#include "cport/tests/echo/echo.h"
#include "cport/tests/echo/load.h"

enum { REPEATS_MAX = 64, BACKLOG = 1024, SEND_BUFFER_BYTES = 262144, DESCRIPTORS = 1100 };

/* W/C: workers, and how many of them may run at once. */
static const struct echo_server servers[] = {
    {.name = "cport", .serve = serve_cport, .threads = 1, .concurrency = 1, .engine = "epoll"},
    {.name = "cport 4/2", .serve = serve_cport, .threads = 4, .concurrency = 2, .engine = "epoll"},
    {.name = "uring", .serve = serve_cport, .threads = 1, .concurrency = 1, .engine = "uring"},
    {.name = "uring 4/2", .serve = serve_cport, .threads = 4, .concurrency = 2, .engine = "uring"},
    {.name = "libuv", .serve = serve_libuv, .threads = 1, .package = "libuv1-dev"},
    {.name = "asio", .serve = serve_asio, .threads = 1, .package = "libasio-dev"},
    {.name = "asio 4", .serve = serve_asio, .threads = 4, .package = "libasio-dev"},
    {.name = "bare", .serve = serve_epoll, .threads = 1},
};

enum { SERVERS = sizeof servers / sizeof *servers };

static const struct load loads[] = {
    {"echo-1", 1, 64, false},        {"echo-100", 100, 64, false}, {"echo-1000", 1000, 64, false},
    {"echo-16k", 100, 16384, false}, {"echo-open", 16, 64, true}, /* connect, echo, close */
};

enum { LOADS = sizeof loads / sizeof *loads };

static struct {
    pid_t pid; /* 0: it does not run here */
    uint16_t port;
} running[SERVERS];

static FILE *lines;

/* ---- the servers --------------------------------------------------------------------------- */

static int listener_open(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int on = 1, buffer_bytes = SEND_BUFFER_BYTES;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    need(listener >= 0, "socket");
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    need(bind(listener, (struct sockaddr *)&address, bytes) == 0 &&
             listen(listener, BACKLOG) == 0 &&
             getsockname(listener, (struct sockaddr *)&address, &bytes) == 0,
         "listen");
    *port = ntohs(address.sin_port);
    return listener;
}

/* False, with the reason, if it cannot run here. */
static bool can_run(const struct echo_server *server, char *why, size_t why_bytes)
{
    struct cport *port;
    struct cp_config config = {.engine = server->engine};
    if (!server->serve) {
        snprintf(why, why_bytes, "%s is not installed", server->package);
        return false;
    }
    if (!server->engine)
        return true;
    if (cp_open(&config, &port, why, why_bytes) != 0)
        return false;
    cp_free(port);
    return true;
}

static void server_start(unsigned index)
{
    const struct echo_server *server = &servers[index];
    char why[256];
    if (!can_run(server, why, sizeof why)) {
        printf("%s: skipped: %s\n", server->name, why);
        if (lines)
            fprintf(lines, "{\"server\": \"%s\", \"skipped\": \"%s\"}\n", server->name, why);
        return;
    }
    int listener = listener_open(&running[index].port);
    running[index].pid = fork();
    need(running[index].pid >= 0, "fork");
    if (running[index].pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        server->serve(server, listener);
        _exit(EXIT_FAILURE);
    }
    close(listener);
}

static void servers_stop(void)
{
    for (unsigned index = 0; index < SERVERS; index++)
        if (running[index].pid > 0) {
            kill(running[index].pid, SIGKILL);
            waitpid(running[index].pid, NULL, 0);
        }
}

/* ---- the table ----------------------------------------------------------------------------- */

static double per_cpu_s[SERVERS][REPEATS_MAX], per_s[SERVERS][REPEATS_MAX];

static void measure(const struct load *load, unsigned index, unsigned repeat, uint64_t duration_ns)
{
    struct load_figures figures =
        load_run(load, running[index].pid, running[index].port, duration_ns);
    need(figures.messages > 0 && figures.server_cpu_s > 0, "nothing was measured");
    per_cpu_s[index][repeat] = (double)figures.messages / figures.server_cpu_s;
    per_s[index][repeat] = (double)figures.messages / figures.seconds;
    if (lines)
        fprintf(lines,
                "{\"load\": \"%s\", \"server\": \"%s\", \"repeat\": %u, \"messages\": %llu, "
                "\"seconds\": %.6f, \"server_cpu_s\": %.6f}\n",
                load->name, servers[index].name, repeat, (unsigned long long)figures.messages,
                figures.seconds, figures.server_cpu_s);
}

/* Every repeat begins with another server, every other one goes backwards. */
static void measure_all(const struct load *load, unsigned repeats, uint64_t duration_ns)
{
    for (unsigned repeat = 0; repeat < repeats; repeat++)
        for (unsigned step = 0; step < SERVERS; step++) {
            unsigned index = (repeat + (repeat % 2 ? SERVERS - step : step)) % SERVERS;
            if (running[index].pid > 0)
                measure(load, index, repeat, duration_ns);
        }
}

static void print(const struct load *load, unsigned repeats)
{
    for (unsigned index = 0; index < SERVERS; index++) {
        if (running[index].pid == 0)
            continue;
        struct summary cpu = summary_of(per_cpu_s[index], repeats);
        printf("%-10s  %-10s  %9.0f  %9.0f..%-9.0f  %9.0f\n", load->name, servers[index].name,
               cpu.median, cpu.least, cpu.most, summary_of(per_s[index], repeats).median);
    }
    fflush(stdout);
}

static unsigned number(char **arguments, int count, int which, unsigned otherwise, unsigned most)
{
    unsigned value = which < count ? (unsigned)strtoul(arguments[which], NULL, 10) : otherwise;
    return value < 1 ? 1 : value > most ? most : value;
}

int main(int argc, char **argv)
{
    unsigned repeats = number(argv, argc, 1, 9, REPEATS_MAX);
    uint64_t duration_ns = (uint64_t)number(argv, argc, 2, 120, 60000) * OS_NS_PER_MS;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < DESCRIPTORS ? files.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &files);
    lines = argc > 3 ? fopen(argv[3], "w") : NULL;
    need(argc <= 3 || lines, argv[3]);
    if (lines)
        setvbuf(lines, NULL, _IOLBF, 0); /* nothing is left in the buffer that a server inherits */
    atexit(servers_stop);
    for (unsigned index = 0; index < SERVERS; index++)
        server_start(index);
    printf("%-10s  %-10s  %9s  %-20s  %9s   (medians)\n", "load", "server", "per CPU s", "range",
           "per s");
    for (unsigned index = 0; index < LOADS; index++) {
        measure_all(&loads[index], repeats, duration_ns);
        print(&loads[index], repeats);
    }
    return 0;
}
