/* Devices for tests, each connection served on a thread of its own. */
#include "client/collector/tests/devices.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/protocol.h"

struct device_task {
    struct devices *devices;
    unsigned index;
    enum device_fault fault;
    int socket;
};

/* ---- serving --------------------------------------------------------------------------------- */

/* Counted beforehand: a client may have bytes, and ask how many were sent, before send returns. */
static bool device_send(struct device_task *task, const void *data, size_t bytes, bool counted)
{
    const char *next = data;
    if (counted)
        atomic_fetch_add(&task->devices->bytes, bytes);
    while (bytes > 0) {
        ssize_t sent = send(task->socket, next, bytes, MSG_NOSIGNAL);
        if (sent <= 0) {
            if (counted)
                atomic_fetch_sub(&task->devices->bytes, bytes);
            return false;
        }
        next += sent;
        bytes -= (size_t)sent;
    }
    return true;
}

/* Takes the connection down with a reset, and leaves the descriptor to devices_stop. */
static void device_reset(int socket)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    connect(socket, &none, sizeof none);
}

static void device_await_end(int socket)
{
    char byte;
    while (recv(socket, &byte, 1, 0) > 0)
        continue;
}

static uint64_t device_wall_ns(const struct devices *devices)
{
    const int64_t step_ns = atomic_load(&devices->frames) > 0 ? devices->clock_step_ns : 0;
    return os_wall_ns() + (uint64_t)(devices->clock_ahead_ns + step_ns);
}

/* Writes a frame into what is left of a buffer; returns its length. */
static uint32_t device_frame_write(const struct device_task *task, const struct protocol_go *go,
                                   uint32_t seq, uint32_t numbered, uint8_t *frame, size_t room)
{
    uint32_t length = protocol_frame_length(go->seed, seq, go->size_min, go->size_max);
    assert(length <= room);
    protocol_frame_write(frame, length, numbered,
                         go->source == PROTOCOL_LIVE ? device_wall_ns(task->devices) : 0, go->seed,
                         &go->marker);
    return length;
}

/* False: the connection is to be closed. */
static bool device_frame(struct device_task *task, const struct protocol_go *go, uint32_t seq,
                         uint8_t *frame)
{
    bool faulty = seq == 1 && task->fault != DEVICE_GOOD;
    uint32_t numbered = seq + (faulty && task->fault == DEVICE_SKIPS);
    uint32_t length = device_frame_write(task, go, seq, numbered, frame, DEVICE_FRAME_BYTES_MAX);
    if (faulty && task->fault == DEVICE_CLOSES_EARLY)
        return false;
    if (faulty && task->fault == DEVICE_CORRUPTS)
        frame[PROTOCOL_HEADER_BYTES] = frame[PROTOCOL_HEADER_BYTES] == 'x' ? 'y' : 'x';
    if (faulty && (task->fault == DEVICE_RESETS || task->fault == DEVICE_TRUNCATES ||
                   task->fault == DEVICE_STALLS)) {
        device_send(task, frame, length / 2, true);
        if (task->fault == DEVICE_RESETS)
            device_reset(task->socket);
        if (task->fault == DEVICE_STALLS)
            device_await_end(task->socket);
        return false;
    }
    if (faulty && task->fault == DEVICE_NEVER_ENDS) {
        memset(frame, 'x', length);
        while (device_send(task, frame, length, true))
            continue;
        return false;
    }
    if (task->fault == DEVICE_ADDS && seq + 1 == go->frames) /* together: the client ends there */
        length += device_frame_write(task, go, seq + 1, seq + 1, frame + length,
                                     DEVICE_FRAME_BYTES_MAX - length);
    atomic_fetch_add(&task->devices->frames, 1);
    return device_send(task, frame, length, true);
}

static bool device_go(struct device_task *task, const struct protocol_go *go)
{
    uint8_t *frame = malloc(DEVICE_FRAME_BYTES_MAX);
    assert(frame != NULL);
    bool going = true;
    for (uint32_t seq = 0; going && seq < go->frames; seq++)
        going = device_frame(task, go, seq, frame);
    free(frame);
    return going;
}

static bool device_stats(struct device_task *task, uint64_t run)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    const struct protocol_stats stats = {.run = run,
                                         .frames = atomic_load(&task->devices->frames),
                                         .bytes = atomic_load(&task->devices->bytes)};
    int bytes = protocol_write_stats(&stats, line, sizeof line);
    if (task->fault == DEVICE_TELLS_NOTHING)
        return false;
    if (task->fault == DEVICE_ANSWERS_LATE)
        os_sleep_ns(2200 * (uint64_t)OS_NS_PER_MS);
    return device_send(task, line, (size_t)bytes, false);
}

static bool device_time(struct device_task *task)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    int bytes = protocol_write_time(device_wall_ns(task->devices), line, sizeof line);
    return !task->devices->timeless && device_send(task, line, (size_t)bytes, false);
}

static bool device_login(struct device_task *task, const struct protocol_request *request)
{
    const struct devices *devices = task->devices;
    bool right = devices->user != NULL && strcmp(devices->user, request->user) == 0 &&
                 strcmp(devices->password, request->password) == 0;
    return device_send(task, right ? "OK\r\n" : "NO wrong\r\n", right ? 4 : 10, false) && right;
}

static bool device_refuse(struct device_task *task)
{
    static const char *const pieces[] = {"N", "O such frames: ", "x", "\r", "\n"};
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        device_send(task, pieces[i], strlen(pieces[i]), false);
        os_sleep_ns(5 * OS_NS_PER_MS);
    }
    return false;
}

static bool device_answer(struct device_task *task, const char *line)
{
    struct protocol_request request;
    if (protocol_read_request(line, &request) != NULL)
        return false;
    if (request.kind == PROTOCOL_LOGIN)
        return device_login(task, &request);
    if (request.kind == PROTOCOL_STATS)
        return device_stats(task, request.go.run);
    if (request.kind == PROTOCOL_TIME)
        return device_time(task);
    return task->fault == DEVICE_SAYS_NO ? device_refuse(task) : device_go(task, &request.go);
}

static size_t device_read_line(int socket, char *line, size_t line_bytes)
{
    size_t used = 0;
    while (used + 1 < line_bytes && recv(socket, line + used, 1, 0) == 1)
        if (line[used++] == '\n')
            break;
    line[used] = '\0';
    return used;
}

static void device_serve_foreign(struct device_task *task)
{
    char record[FOREIGN_RECORD_BYTES], line[64];
    memset(record, 'r', sizeof record);
    record[sizeof record - 1] = '\x03';
    if (task->fault == DEVICE_FOREIGN &&
        (device_read_line(task->socket, line, sizeof line) == 0 || strcmp(line, "READ\n") != 0))
        return;
    for (int i = 0; i < FOREIGN_RECORDS; i++)
        device_send(task, record, sizeof record, true);
}

/* False: the client is gone. */
static bool device_say(struct device_task *task, const char *text, size_t bytes)
{
    enum { PAUSE_MS = 1 };
    const size_t cut = task->index > 0 ? task->index : bytes;
    for (size_t at = 0; at < bytes; at += cut) {
        if (at > 0)
            os_sleep_ns(PAUSE_MS * OS_NS_PER_MS);
        if (!device_send(task, text + at, bytes - at < cut ? bytes - at : cut, true))
            return false;
    }
    return true;
}

static void device_serve_script(struct device_task *task)
{
    const struct device_script *script = &task->devices->script;
    const int yes = 1;
    char line[64];
    const size_t bytes = script->answer_bytes > 0 ? script->answer_bytes : strlen(script->answer);
    setsockopt(task->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (script->banner != NULL)
        device_say(task, script->banner, strlen(script->banner));
    if (device_read_line(task->socket, line, sizeof line) == 0)
        return;
    bool going = device_say(task, script->answer, bytes);
    while (going && script->repeats)
        going = device_say(task, script->answer, bytes);
    if (script->stays)
        device_await_end(task->socket);
    if (script->resets)
        device_reset(task->socket);
}

static void *device_serve(void *argument)
{
    struct device_task *task = argument;
    char line[PROTOCOL_LINE_BYTES_MAX];
    size_t bytes;
    bool going = true;
    if (task->fault == DEVICE_FOREIGN || task->fault == DEVICE_SENDS_FIRST) {
        device_serve_foreign(task);
        going = false;
    } else if (task->fault == DEVICE_SCRIPTED) {
        device_serve_script(task);
        going = false;
    }
    while (going && (bytes = device_read_line(task->socket, line, sizeof line)) > 2) {
        line[bytes - 2] = '\0';
        if (task->fault == DEVICE_MUTE && strstr(line, "STATS") == NULL &&
            strstr(line, "TIME") == NULL) {
            atomic_fetch_add(&task->devices->unanswered, 1);
            device_await_end(task->socket);
        } else {
            going = device_answer(task, line);
        }
    }
    shutdown(task->socket, SHUT_WR);
    free(task);
    return NULL;
}

/* ---- listening ------------------------------------------------------------------------------- */

static void device_accept(struct devices *devices, unsigned index)
{
    int socket = accept(devices->listeners[index], NULL, NULL);
    struct device_task *task = malloc(sizeof *task);
    assert(socket >= 0);
    assert(task != NULL);
    assert(devices->thread_count < DEVICE_THREADS_MAX);
    *task = (struct device_task){devices, index, devices->faults[index], socket};
    devices->sockets[devices->thread_count] = socket;
    int result = pthread_create(&devices->threads[devices->thread_count], NULL, device_serve, task);
    assert(result == 0);
    (void)result;
    devices->thread_count++;
}

static void *devices_listen(void *argument)
{
    enum { TURN_MS = 20 };
    struct devices *devices = argument;
    struct pollfd polls[DEVICES_MAX];
    while (!atomic_load(&devices->stopping)) {
        for (unsigned i = 0; i < devices->count; i++)
            polls[i] = (struct pollfd){.fd = devices->faults[i] == DEVICE_REFUSES ||
                                                     devices->faults[i] == DEVICE_FULL
                                                 ? -1
                                                 : devices->listeners[i],
                                       .events = POLLIN};
        if (poll(polls, devices->count, TURN_MS) <= 0)
            continue;
        for (unsigned i = 0; i < devices->count; i++)
            if (polls[i].revents & POLLIN)
                device_accept(devices, i);
    }
    return NULL;
}

/* ---- the fleet ------------------------------------------------------------------------------- */

/* A listener's TCP_INFO has the connections that wait to be accepted, and how many may. */
static bool is_full(int listener)
{
    struct tcp_info info = {0};
    socklen_t bytes = sizeof info;
    int result = getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &bytes);
    assert(result == 0);
    (void)result;
    return info.tcpi_unacked > info.tcpi_sacked;
}

/* The kernel may take its time with a handshake: only a queue that says it is full is full. */
static void device_fill(struct devices *devices, int listener, const struct sockaddr_in *address)
{
    for (unsigned i = 0; i < DEVICE_FILLERS; i++) {
        int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert(filler >= 0);
        connect(filler, (const struct sockaddr *)address, sizeof *address);
        devices->fillers[devices->filler_count++] = filler;
    }
    while (!is_full(listener))
        os_sleep_ns(OS_NS_PER_MS);
}

void devices_add(struct devices *devices, enum device_fault fault)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    unsigned index = devices->count;
    assert(index < DEVICES_MAX);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(listener >= 0);
    int result = bind(listener, (struct sockaddr *)&address, bytes);
    assert(result == 0);
    result = fault == DEVICE_REFUSES ? 0 : listen(listener, fault == DEVICE_FULL ? 0 : 64);
    assert(result == 0);
    result = getsockname(listener, (struct sockaddr *)&address, &bytes);
    assert(result == 0);
    (void)result;
    if (fault == DEVICE_FULL)
        device_fill(devices, listener, &address);
    devices->listeners[index] = listener;
    devices->ports[index] = ntohs(address.sin_port);
    devices->faults[index] = fault;
    devices->count++;
}

void devices_start(struct devices *devices)
{
    int result = pthread_create(&devices->listener_thread, NULL, devices_listen, devices);
    assert(result == 0);
    (void)result;
}

void devices_stop(struct devices *devices)
{
    atomic_store(&devices->stopping, true);
    pthread_join(devices->listener_thread, NULL);
    for (unsigned i = 0; i < devices->thread_count; i++) {
        shutdown(devices->sockets[i], SHUT_RDWR);
        pthread_join(devices->threads[i], NULL);
        close(devices->sockets[i]);
    }
    for (unsigned i = 0; i < devices->filler_count; i++)
        close(devices->fillers[i]);
    for (unsigned i = 0; i < devices->count; i++)
        close(devices->listeners[i]);
}

char *devices_option(const struct devices *devices)
{
    static char option[16 + DEVICES_MAX * 24];
    size_t used = (size_t)snprintf(option, sizeof option, "--servers=");
    for (unsigned i = 0; i < devices->count; i++)
        used += (size_t)snprintf(option + used, sizeof option - used, "%s127.0.0.1:%u",
                                 i > 0 ? "," : "", devices->ports[i]);
    assert(used < sizeof option);
    return option;
}
