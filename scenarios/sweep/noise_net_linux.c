/* What stands in the way of servers and connections. */
#include "scenarios/sweep/noise_look.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PORTS_MIN = 1000, NAMED_MAX = 3, TCP_LISTEN = 0x0A, LINK_BYTES = 64, LINE_BYTES = 512 };

/* ---- listeners ---- */

struct listener {
    unsigned port;
    unsigned long inode; /* of its socket */
};

struct listeners {
    struct listener *items;
    unsigned count;
};

static bool is_wanted(const struct noise_question *question, uint64_t port)
{
    for (unsigned i = 0; i < question->port_count; i++) {
        if (port >= question->ports[i].first &&
            port - question->ports[i].first < question->ports[i].count)
            return true;
    }
    return false;
}

static bool is_known(const struct listeners *listeners, unsigned port)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        if (listeners->items[i].port == port)
            return true;
    }
    return false;
}

/* "sl local:port remote:port state queues timer retransmits uid timeout inode ..." */
static bool read_listener(const char *line, struct listener *listener)
{
    unsigned state;

    return sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &listener->port,
                  &state, &listener->inode) == 3 &&
           state == TCP_LISTEN;
}

static void note_listener(struct look *look, const char *line, struct listeners *listeners)
{
    struct listener listener;

    if (!read_listener(line, &listener) || !is_wanted(look->question, listener.port) ||
        is_known(listeners, listener.port))
        return;
    listeners->items =
        arena_grow(look->arena, listeners->items, listeners->count, sizeof *listeners->items);
    listeners->items[listeners->count++] = listener;
}

/* Line by line: after many connections there may be a hundred thousand. */
static bool collect(struct look *look, const char *path, struct listeners *listeners)
{
    FILE *file = fopen(arena_text(look->arena, "%s%s", look->question->root, path), "rb");
    char line[LINE_BYTES];

    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL)
        note_listener(look, line, listeners);
    fclose(file);
    return true;
}

static bool has_socket(const char *folder, unsigned long inode)
{
    char wanted[LINK_BYTES], target[LINK_BYTES], path[4096];
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    bool found = false;

    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    while (directory != NULL && !found && (entry = readdir(directory)) != NULL) {
        ssize_t bytes;

        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        bytes = readlink(path, target, sizeof target - 1);
        target[bytes > 0 ? bytes : 0] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    if (directory != NULL)
        closedir(directory);
    return found;
}

/* "20000 (name 123)", or the port alone where its process is not ours to see. */
static const char *name_listener(struct look *look, const struct listener *listener)
{
    for (unsigned i = 0; i < look->after.process_count; i++) {
        const struct look_process *process = &look->after.processes[i];
        struct arena scratch = {0};
        bool owns =
            has_socket(arena_text(&scratch, "%s/proc/%ld/fd", look->question->root, process->pid),
                       listener->inode);

        arena_free(&scratch);
        if (owns)
            return arena_text(look->arena, "%u (%s %ld)", listener->port, process->name,
                              process->pid);
    }
    return arena_text(look->arena, "%u", listener->port);
}

static const char *ports_text(struct look *look)
{
    const struct noise_question *question = look->question;
    const char *text = "";

    for (unsigned i = 0; i < question->port_count; i++)
        text = arena_text(
            look->arena, "%s%s%llu to %llu", text, i == 0 ? "" : ", ",
            (unsigned long long)question->ports[i].first,
            (unsigned long long)(question->ports[i].first + question->ports[i].count - 1));
    return text;
}

void look_at_listeners(struct look *look)
{
    const char *ports = ports_text(look), *names = "";
    struct listeners listeners = {0};

    if (!collect(look, "/proc/net/tcp", &listeners)) {
        look_unknown(look, "listeners");
        return;
    }
    collect(look, "/proc/net/tcp6", &listeners);
    if (listeners.count == 0) {
        look_calm(look, "listeners",
                  *ports == '\0' ? "no port of this machine's own is used"
                                 : arena_text(look->arena, "none on ports %s", ports));
        return;
    }
    for (unsigned i = 0; i < listeners.count && i < NAMED_MAX; i++)
        names = arena_text(look->arena, "%s%s%s", names, i == 0 ? "" : ", ",
                           name_listener(look, &listeners.items[i]));
    look_noisy(look, "listeners",
               arena_text(look->arena, "%u on ports %s: %s%s", listeners.count, ports, names,
                          listeners.count > NAMED_MAX ? ", ..." : ""),
               "the servers cannot have these ports, and the sweep would end there",
               "end them, or use other ports: --port=BASE");
}

/* ---- outgoing connections ---- */

static bool is_reserved(const char *list, uint64_t port)
{
    char *end;

    while (list != NULL && isdigit((unsigned char)*list)) {
        uint64_t first = strtoull(list, &end, 10), last = first;

        if (*end == '-')
            last = strtoull(end + 1, &end, 10);
        if (port >= first && port <= last)
            return true;
        list = *end == ',' ? end + 1 : end;
    }
    return false;
}

/* How many of the servers' ports the kernel may give to an outgoing connection. */
static uint64_t count_shared(struct look *look, uint64_t low, uint64_t high)
{
    const char *reserved = look_text(look, "/proc/sys/net/ipv4/ip_local_reserved_ports");
    uint64_t shared = 0;

    for (uint64_t port = low; port <= high; port++)
        shared += is_wanted(look->question, port) && !is_reserved(reserved, port);
    return shared;
}

void look_at_port_range(struct look *look)
{
    const char *text = look_text(look, "/proc/sys/net/ipv4/ip_local_port_range"), *found;
    unsigned long long low, high;
    uint64_t shared;

    if (text == NULL || sscanf(text, "%llu %llu", &low, &high) != 2 || low > high ||
        high > UINT16_MAX) {
        look_unknown(look, "port-range");
        return;
    }
    shared = count_shared(look, low, high);
    found = arena_text(look->arena, "%llu to %llu for connections", low, high);
    if (shared != 0)
        look_noisy(look, "port-range",
                   arena_text(look->arena, "%s, and %llu of the servers' ports are among them",
                              found, (unsigned long long)shared),
                   "a connection may take a port before its server does",
                   "--port=BASE below or above the range, or reserve them in "
                   "net.ipv4.ip_local_reserved_ports");
    else if (high - low + 1 < PORTS_MIN)
        look_noisy(look, "port-range", found,
                   "each row connects to each server anew, and a port rests for a minute after it",
                   "sudo sysctl net.ipv4.ip_local_port_range='32768 60999'");
    else
        look_calm(look, "port-range", found);
}

void look_at_pacing(struct look *look)
{
    const char *control = look_text(look, "/proc/sys/net/ipv4/tcp_congestion_control");

    if (control == NULL)
        look_unknown(look, "pacing");
    else if (strncmp(control, "bbr", strlen("bbr")) != 0)
        look_calm(look, "pacing", arena_text(look->arena, "none, TCP is %s", control));
    else
        look_noisy(look, "pacing", arena_text(look->arena, "TCP is %s", control),
                   "it sends by timers and by what it thinks of the path, not when there is room",
                   "sudo sysctl net.ipv4.tcp_congestion_control=cubic");
}
