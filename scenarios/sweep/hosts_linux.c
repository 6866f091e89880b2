/* A launcher's children and the thread that talks with them:
 *
 *   start --> child, pipes --> [thread: read lines, PULSE down each second, who is silent?]
 *                                    |-- slot: READY --> ready --(ended, FAILED, silent)--> lost
 *                                    `-- slot: FAILED, ended, time is up --> failed
 *   end   --> thread ends, pipes close --> wait, SIGTERM, SIGKILL
 *
 * The lock guards the slots and the arena. A text that stands in a slot once stays as it is. */
#include "scenarios/sweep/hosts_parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 4096 };

#define PULSE_NS      ((uint64_t)OS_NS_PER_S)
#define LOOK_AGAIN_NS ((uint64_t)2 * OS_NS_PER_MS)
#define CLOSED_NS     ((uint64_t)2 * OS_NS_PER_S)    /* an end grace: of a closed input */
#define TERM_NS       ((uint64_t)OS_NS_PER_S)        /* of SIGTERM */
#define ENDING_NS     ((uint64_t)500 * OS_NS_PER_MS) /* between a closed output and an exit code */

static void read_child(struct hosts *hosts, struct child *child)
{
    char bytes[READ_BYTES];
    ssize_t count;
    while (child->output >= 0 && (count = read(child->output, bytes, sizeof bytes)) != 0) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        if (count < 0)
            break;
        hosts_take_bytes(hosts, child, bytes, (size_t)count);
    }
    if (child->output < 0)
        return;
    if (child->line_bytes > 0)
        hosts_take_line(hosts, child);
    close(child->output);
    child->output = -1;
    child->closed_ns = os_now_ns();
}

static void look_at_child(struct hosts *hosts, struct child *child, uint64_t now_ns)
{
    int exit_code = EXIT_UNKNOWN;
    if (child->process.handle == 0)
        return;
    if (os_process_wait(&child->process, 0, &exit_code) == 1) {
        child->process.handle = 0;
        read_child(hosts, child); /* what it wrote last */
        hosts_note_end(hosts, child, exit_code);
    } else if (child->closed_ns != 0 && now_ns - child->closed_ns > ENDING_NS) {
        child->closed_ns = UINT64_MAX;
        hosts_note_end(hosts, child, EXIT_UNKNOWN);
    }
}

/* ---- the thread ---- */

static void send_pulses(struct hosts *hosts)
{
    static const char pulse[] = "PULSE\n";
    for (unsigned i = 0; i < hosts->child_count; i++) {
        /* A pipe that is full or has no reader: other signs tell. */
        if (hosts->children[i].input >= 0 &&
            write(hosts->children[i].input, pulse, sizeof pulse - 1) < 0)
            continue;
    }
}

static bool is_ending(const struct hosts *hosts)
{
    for (unsigned i = 0; i < hosts->child_count; i++)
        if (hosts->children[i].closed_ns != 0 && hosts->children[i].closed_ns != UINT64_MAX &&
            hosts->children[i].process.handle != 0)
            return true;
    return false;
}

/* Returns after how long to look again. */
static uint64_t look(struct hosts *hosts, uint64_t late_ns)
{
    pthread_mutex_lock(&hosts->lock);
    if (late_ns > PULSE_NS)
        hosts_forgive(hosts, late_ns);
    for (unsigned i = 0; i < hosts->child_count; i++)
        read_child(hosts, &hosts->children[i]);
    const uint64_t now_ns = os_now_ns();
    for (unsigned i = 0; i < hosts->child_count; i++)
        look_at_child(hosts, &hosts->children[i], now_ns);
    const uint64_t again_ns = hosts_find_silent(hosts, now_ns);
    pthread_mutex_unlock(&hosts->lock);
    return is_ending(hosts) && again_ns > LOOK_AGAIN_NS ? LOOK_AGAIN_NS : again_ns;
}

static void *run(void *argument)
{
    struct hosts *hosts = argument;
    struct pollfd *polled = calloc(hosts->child_count + 1, sizeof *polled);
    uint64_t pulse_ns = os_now_ns(), again_ns = UINT64_MAX;
    while (polled != NULL) {
        uint64_t now_ns = os_now_ns();
        if (now_ns >= pulse_ns) {
            send_pulses(hosts);
            pulse_ns = now_ns + PULSE_NS;
        }
        uint64_t wait_ns = pulse_ns - now_ns < again_ns ? pulse_ns - now_ns : again_ns;
        polled[0] = (struct pollfd){.fd = hosts->wake[0], .events = POLLIN};
        for (unsigned i = 0; i < hosts->child_count; i++)
            polled[i + 1] = (struct pollfd){.fd = hosts->children[i].output, .events = POLLIN};
        poll(polled, hosts->child_count + 1, (int)(wait_ns / OS_NS_PER_MS) + 1);
        if (polled[0].revents != 0)
            break;
        const uint64_t waited_ns = os_now_ns() - now_ns;
        again_ns = look(hosts, waited_ns > wait_ns ? waited_ns - wait_ns : 0);
    }
    free(polled);
    return NULL;
}

/* ---- start ---- */

static int start_child(struct hosts *hosts, const struct hosts_request *request, unsigned index,
                       struct error *error)
{
    struct child *child = &hosts->children[index];
    const char *host = hosts->each ? request->names[index] : NULL;
    struct command command = launcher_command(&hosts->arena, request->launcher, host,
                                              request->names, request->count, request->servers);
    child->input = child->output = -1;
    child->log_path = host == NULL ? arena_text(&hosts->arena, "%s.txt", request->log)
                                   : arena_text(&hosts->arena, "%s-%s.txt", request->log, host);
    remove(child->log_path);
    int result = os_process_start_piped(&child->process, command.argv, child->log_path,
                                        &child->input, &child->output);
    if (result != 0)
        return error_set(error, &request->launcher->place, "launcher %s: %s",
                         request->launcher->name,
                         command_unstarted(&hosts->arena, &command, result));
    hosts->child_count = index + 1;
    return 0;
}

struct hosts *hosts_start(const struct hosts_request *request, struct error *error)
{
    struct hosts *hosts = calloc(1, sizeof *hosts);
    const unsigned children = request->launcher->each ? request->count : 1;
    assert(request->count > 0 && (request->names != NULL || !request->launcher->named));
    if (hosts == NULL || pipe2(hosts->wake, O_CLOEXEC) != 0) {
        free(hosts);
        error_system(error, NULL, errno, "cannot start launcher %s", request->launcher->name);
        return NULL;
    }
    pthread_mutex_init(&hosts->lock, NULL);
    hosts->each = request->launcher->each;
    hosts->numbers = request->names == NULL;
    hosts->children = arena_take(&hosts->arena, children * sizeof *hosts->children);
    hosts->slots = arena_take(&hosts->arena, request->count * sizeof *hosts->slots);
    hosts->slot_count = request->count;
    for (unsigned i = 0; i < request->count; i++)
        hosts->slots[i].host = (struct host){
            .name = hosts->numbers ? "" : arena_text(&hosts->arena, "%s", request->names[i]),
            .exit_code = EXIT_UNKNOWN};
    int result = 0;
    for (unsigned i = 0; i < children && result == 0; i++)
        result = start_child(hosts, request, i, error);
    if (result == 0) {
        int code = os_thread_start(&hosts->thread, "fanin-hosts", 0, run, hosts);
        if (code == 0)
            return hosts;
        error_system(error, NULL, -code, "cannot start the thread that listens to the hosts");
    }
    close(hosts->wake[1]);
    hosts->wake[1] = -1;
    hosts_end(hosts);
    return NULL;
}

/* ---- end ---- */

/* Waits for the children's end until then; what they still write is dropped. */
static bool drain(struct hosts *hosts, uint64_t deadline_ns)
{
    char bytes[READ_BYTES];
    int exit_code;
    for (;;) {
        unsigned left = 0;
        for (unsigned i = 0; i < hosts->child_count; i++) {
            struct child *child = &hosts->children[i];
            while (child->output >= 0 && read(child->output, bytes, sizeof bytes) > 0)
                continue;
            if (child->process.handle != 0 && os_process_wait(&child->process, 0, &exit_code) == 0)
                left++;
        }
        if (left == 0 || os_now_ns() > deadline_ns)
            return left == 0;
        os_sleep_ns(LOOK_AGAIN_NS);
    }
}

void hosts_end(struct hosts *hosts)
{
    if (hosts == NULL)
        return;
    if (hosts->wake[1] >= 0) {
        close(hosts->wake[1]);
        pthread_join(hosts->thread, NULL);
    }
    close(hosts->wake[0]);
    for (unsigned i = 0; i < hosts->child_count; i++)
        close(hosts->children[i].input);
    if (!drain(hosts, os_deadline_ns(CLOSED_NS))) {
        for (unsigned i = 0; i < hosts->child_count; i++) {
            const pid_t pid = (pid_t)hosts->children[i].process.handle;
            if (pid > 0) {
                kill(-pid, SIGTERM);
                kill(-pid, SIGCONT); /* a stopped one would not see it */
            }
        }
        drain(hosts, os_deadline_ns(TERM_NS));
    }
    for (unsigned i = 0; i < hosts->child_count; i++) {
        os_process_stop(&hosts->children[i].process, 0);
        if (hosts->children[i].output >= 0)
            close(hosts->children[i].output);
    }
    pthread_mutex_destroy(&hosts->lock);
    arena_free(&hosts->arena);
    free(hosts);
}
