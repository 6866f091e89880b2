/* A launcher's two pipes: what this host is goes up, signs of life go both ways, and the end of
 * either ends the servers, so that nothing is left on a host however its launcher ends.
 *
 * A thread of its own looks after them: a pipe that is full or an address list that takes long
 * never keeps the devices waiting. It polls before it writes: a pipe that takes a line at all takes
 * a short one whole. */
#include "mock_servers/hosted.h"

#include <assert.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/options.h"
#include "base/os.h"

#ifndef FANIN_COMMIT
#define FANIN_COMMIT "unknown"
#endif

enum { WORD_BYTES = 96, TEXT_BYTES = 4096, MS_PER_S = 1000, MB_KB = 1024 };

static const char unknown[] = "unknown";

/* ---- standard error until the servers run ---- */

static int said = -1, spoken = -1; /* what was said so far, and the real standard error */

int hosted_begin(void)
{
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        return -errno;
    said = memfd_create("fanin-said", MFD_CLOEXEC);
    spoken = said < 0 ? -1 : dup(STDERR_FILENO);
    if (spoken < 0 || dup2(said, STDERR_FILENO) < 0)
        return -errno;
    return 0;
}

/* Says what was kept, which is now in `text`. */
static void say_kept(char text[TEXT_BYTES])
{
    text[0] = '\0';
    if (spoken < 0)
        return;
    const ssize_t bytes = pread(said, text, TEXT_BYTES - 1, 0);
    text[bytes > 0 ? bytes : 0] = '\0';
    dup2(spoken, STDERR_FILENO);
    fputs(text, stderr);
    close(spoken);
    close(said);
    spoken = said = -1;
}

static void host_read(char host[WORD_BYTES])
{
    if (gethostname(host, WORD_BYTES - 1) != 0)
        strcpy(host, unknown);
    host[WORD_BYTES - 1] = '\0';
}

void hosted_end(int code)
{
    char text[TEXT_BYTES], host[WORD_BYTES], line[HOSTED_LINE_BYTES_MAX + 1];
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    const bool ran = spoken < 0;
    say_kept(text);
    if (ran || code == EXIT_DONE)
        return;
    const char *words = strstr(text, ": "); /* behind the program's name */
    words = words == NULL ? text : words + 2;
    host_read(host);
    const int bytes =
        snprintf(line, sizeof line - 1, "FAILED %s %.*s", host, (int)strcspn(words, "\n"), words);
    strcpy(line + (bytes < HOSTED_LINE_BYTES_MAX ? bytes : HOSTED_LINE_BYTES_MAX - 1), "\n");
    if (poll(&out, 1, MS_PER_S) > 0 && write(STDOUT_FILENO, line, strlen(line)) < 0)
        return; /* nobody listens */
}

/* ---- what this host is ---- */

struct facts {
    char host[WORD_BYTES], kernel[WORD_BYTES], cpu[WORD_BYTES], cpus[WORD_BYTES];
    char memory_kb[WORD_BYTES], tcp_congestion_control[WORD_BYTES];
    uint32_t address;
    char interface[IFNAMSIZ];
    unsigned mtu;
    char speed_mbit[WORD_BYTES];
};

/* One word: blanks and controls become '_'. */
static void word_copy(char word[WORD_BYTES], const char *text)
{
    snprintf(word, WORD_BYTES, "%s", *text != '\0' ? text : unknown);
    for (char *at = word; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            *at = '_';
}

static void fact_take(void *context, const char *name, const char *value)
{
    struct facts *facts = context;
    const struct {
        const char *name;
        char *word;
    } wanted[] = {
        {"kernel", facts->kernel},
        {"cpu", facts->cpu},
        {"cpus", facts->cpus},
        {"memory_kb", facts->memory_kb},
        {"tcp_congestion_control", facts->tcp_congestion_control},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strcmp(name, wanted[i].name) == 0)
            word_copy(wanted[i].word, value);
}

static void interface_take(void *context, uint32_t host, const char *interface)
{
    struct facts *facts = context;
    if (host == facts->address)
        snprintf(facts->interface, sizeof facts->interface, "%s", interface);
}

/* By system calls: /sys may show another network namespace's interfaces. */
static void interface_read(struct facts *facts)
{
    struct ifreq request = {.ifr_mtu = 0};
    struct ethtool_cmd link = {.cmd = ETHTOOL_GSET};
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(request.ifr_name, facts->interface, sizeof facts->interface);
    if (any >= 0 && ioctl(any, SIOCGIFMTU, &request) == 0)
        facts->mtu = (unsigned)request.ifr_mtu;
    request.ifr_data = (char *)&link;
    if (any >= 0 && ioctl(any, SIOCETHTOOL, &request) == 0) {
        const uint32_t speed_mbit = ethtool_cmd_speed(&link);
        if (speed_mbit != 0 && speed_mbit != (uint32_t)SPEED_UNKNOWN)
            snprintf(facts->speed_mbit, sizeof facts->speed_mbit, "%u", speed_mbit);
    }
    if (any >= 0)
        close(any);
}

/* Whether something keeps the clock right, by the kernel's own account. */
static const char *clock_state(void)
{
    struct timex asked = {.modes = 0};
    const int state = adjtimex(&asked);
    if (state < 0)
        return unknown;
    return state == TIME_ERROR || asked.status & STA_UNSYNC ? "free" : "synchronised";
}

static void facts_read(struct facts *facts, const struct fleet_config *config)
{
    char host[WORD_BYTES];
    *facts = (struct facts){.address = config->host};
    strcpy(facts->kernel, unknown);
    strcpy(facts->cpu, unknown);
    strcpy(facts->cpus, unknown);
    strcpy(facts->interface, unknown);
    strcpy(facts->speed_mbit, unknown);
    strcpy(facts->tcp_congestion_control, unknown);
    host_read(host);
    word_copy(facts->host, host);
    os_machine_describe(fact_take, facts);
    net_own_each(interface_take, facts);
    interface_read(facts);
}

const char *hosted_ready(const struct fleet *fleet, const struct fleet_config *config,
                         char line[HOSTED_LINE_BYTES_MAX + 1])
{
    char head[HOSTED_LINE_BYTES_MAX], tail[HOSTED_LINE_BYTES_MAX], address[NET_TEXT_BYTES];
    struct rlimit descriptors = {0};
    struct facts facts;
    const struct net_address first = net_ipv4(config->host, (uint16_t)fleet_port(fleet));
    const bool by_system = strcmp(config->congestion, "system") == 0;
    facts_read(&facts, config);
    getrlimit(RLIMIT_NOFILE, &descriptors);
    net_address_text(&first, address);
    *strrchr(address, ':') = '\0';
    snprintf(head, sizeof head,
             "READY %.64s %s %d %llu process=%016llx pid=%ld commit=%.40s version=%s kernel=%.48s "
             "cpu=",
             facts.host, address, fleet_port(fleet), (unsigned long long)config->count,
             (unsigned long long)fleet_identity(fleet), (long)getpid(), FANIN_COMMIT, FANIN_VERSION,
             facts.kernel);
    snprintf(tail, sizeof tail,
             " cpus=%.8s memory_mb=%lld interface=%s mtu=%u speed_mbit=%.10s congestion=%.16s "
             "descriptors=%llu clock=%s utc_ns=%llu\n",
             facts.cpus, atoll(facts.memory_kb) / MB_KB, facts.interface, facts.mtu,
             facts.speed_mbit, by_system ? facts.tcp_congestion_control : config->congestion,
             (unsigned long long)descriptors.rlim_max, clock_state(),
             (unsigned long long)os_wall_ns());
    const int room = HOSTED_LINE_BYTES_MAX - (int)(strlen(head) + strlen(tail));
    const int bytes = snprintf(line, HOSTED_LINE_BYTES_MAX + 1, "%s%.*s%s", head,
                               room > 0 ? room : 0, facts.cpu, tail);
    assert(bytes <= HOSTED_LINE_BYTES_MAX);
    return line;
}

/* ---- the two pipes ---- */

/* NULL: something came, or nothing to speak of. */
static const char *hear(int in, uint64_t *heard_ns)
{
    char bytes[TEXT_BYTES];
    const ssize_t got = read(in, bytes, sizeof bytes);
    if (got > 0)
        *heard_ns = os_active_ns();
    if (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
        return NULL;
    return "standard input has ended: the launcher is gone";
}

static const char nobody_reads[] = "nobody reads standard output: the launcher is gone";

/* NULL: the line is out, or dropped. */
static const char *tell(int out, const char *line)
{
    const ssize_t sent = write(out, line, strlen(line));
    return sent < 0 && errno != EINTR && errno != EAGAIN ? nobody_reads : NULL;
}

const char *hosted_watch(struct hosted_link *link)
{
    char host[WORD_BYTES], pulse[WORD_BYTES + 16];
    const char *line = link->first, *end = NULL;
    host_read(host);
    snprintf(pulse, sizeof pulse, "PULSE %s\n", host);
    os_pauses_begin();
    uint64_t heard_ns = os_active_ns(), due_ns = heard_ns + link->pulse_ns;
    while (end == NULL && !atomic_load(&link->over)) {
        struct pollfd pipes[2] = {{.fd = link->in, .events = POLLIN},
                                  {.fd = link->out, .events = line != NULL ? POLLOUT : 0}};
        poll(pipes, 2, OS_SLICE_MS);
        if (pipes[0].revents != 0)
            end = hear(link->in, &heard_ns);
        if (end == NULL && pipes[1].revents & (POLLERR | POLLHUP | POLLNVAL))
            end = nobody_reads;
        if (end == NULL && pipes[1].revents & POLLOUT) {
            end = tell(link->out, line);
            line = NULL;
        }
        const uint64_t now_ns = os_active_ns();
        if (now_ns >= due_ns) {
            due_ns = now_ns + link->pulse_ns;
            line = line == NULL ? pulse : line;
        }
        if (end == NULL && now_ns - heard_ns >= link->silence_ns)
            end = "no sign of life on standard input: the launcher is lost";
    }
    return end;
}

/* ---- servers between them ---- */

struct watcher {
    struct hosted_link link;
    const char *end;
};

static void *watch(void *argument)
{
    struct watcher *watcher = argument;
    watcher->end = hosted_watch(&watcher->link);
    if (watcher->end != NULL)
        kill(getpid(), SIGTERM); /* the loop's own way to its end */
    return NULL;
}

int hosted_run(struct fleet *fleet, const struct fleet_config *config, const char **end)
{
    char line[HOSTED_LINE_BYTES_MAX + 1], text[TEXT_BYTES];
    pthread_t thread;
    struct watcher watcher = {.link = {.in = STDIN_FILENO,
                                       .out = STDOUT_FILENO,
                                       .first = hosted_ready(fleet, config, line),
                                       .pulse_ns = OS_NS_PER_S / 2,
                                       .silence_ns = 10 * (uint64_t)OS_NS_PER_S}};
    const int result = os_thread_start(&thread, "fanin-hosted", 0, watch, &watcher);
    if (result < 0)
        return result;
    say_kept(text);
    fleet_run(fleet);
    atomic_store(&watcher.link.over, true);
    pthread_join(thread, NULL);
    *end = watcher.end;
    return 0;
}
