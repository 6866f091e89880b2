/* Starting fanin-servers for a test, and talking to it. */
#include "mock_servers/tests/fleet_under_test.h"

#include <dirent.h>

void program_path(char path[PATH_BYTES])
{
    assert_true(find_upwards(path, PATH_BYTES, "fanin-servers"));
}

/* Addresses 127.64.0.16 and up, 16 apart, by process and by fleet within it. */
static uint32_t host_next(void)
{
    static uint32_t fleets;
    return 0x7f400000u + ((uint32_t)getpid() % 4096 * 64 + ++fleets % 64) * 16;
}

/* Starts the program with `arguments` (NULL-terminated) and its standard error in a file. */
static void fleet_launch(struct fleet_under_test *fleet, const char *const *arguments)
{
    char program[PATH_BYTES], listen[64], ready[PATH_BYTES + 16];
    char *argv[ARGUMENTS_MAX] = {program, listen, ready};
    unsigned count = 3;
    program_path(program);
    fleet->host = host_next();
    snprintf(fleet->directory, sizeof fleet->directory, "/tmp/fanin-test-XXXXXX");
    assert_non_null(mkdtemp(fleet->directory));
    snprintf(fleet->ready, PATH_BYTES, "%s/ready", fleet->directory);
    snprintf(fleet->errors, PATH_BYTES, "%s/errors", fleet->directory);
    struct in_addr address = {htonl(fleet->host)};
    snprintf(listen, sizeof listen, "--listen=%s", inet_ntoa(address));
    snprintf(ready, sizeof ready, "--ready-file=%s", fleet->ready);
    for (; *arguments != NULL; arguments++) {
        assert_true(count < ARGUMENTS_MAX - 1);
        argv[count++] = (char *)*arguments;
    }
    assert_int_equal(os_process_start(&fleet->process, argv, NULL, fleet->errors), 0);
}

void fleet_forget(struct fleet_under_test *fleet)
{
    remove(fleet->errors);
    assert_int_equal(rmdir(fleet->directory), 0); /* nothing else was left behind, no ready file */
}

struct fleet_under_test fleet_begin_with(const char *const *arguments)
{
    struct fleet_under_test fleet;
    int code;
    fleet_launch(&fleet, arguments);
    for (unsigned i = 0; i < PATIENCE_S * 100 && access(fleet.ready, R_OK) != 0; i++)
        if (os_process_wait(&fleet.process, 10 * OS_NS_PER_MS, &code) != 0) {
            char errors[1024];
            file_read(fleet.errors, errors, sizeof errors);
            fail_msg("fanin-servers ended with %d: %s", code, errors);
        }
    assert_int_equal(access(fleet.ready, R_OK), 0);
    return fleet;
}

int process_end(struct os_process *process)
{
    int code = -1;
    assert_int_equal(os_process_wait(process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &code), 1);
    return code;
}

void fleet_end(struct fleet_under_test *fleet)
{
    assert_int_equal(kill((pid_t)fleet->process.handle, SIGTERM), 0);
    assert_int_equal(process_end(&fleet->process), 0);
    fleet_forget(fleet);
}

void fleet_begin_again(struct fleet_under_test *fleet, const char *count)
{
    char program[PATH_BYTES], listen[64], ready[PATH_BYTES + 16];
    struct in_addr address = {htonl(fleet->host)};
    program_path(program);
    snprintf(listen, sizeof listen, "--listen=%s", inet_ntoa(address));
    snprintf(ready, sizeof ready, "--ready-file=%s", fleet->ready);
    char *argv[] = {program, listen, ready, (char *)count, NULL};
    assert_int_equal(os_process_start(&fleet->process, argv, NULL, fleet->errors), 0);
}

void fleet_kill(struct fleet_under_test *fleet, int number)
{
    kill((pid_t)fleet->process.handle, number);
    process_end(&fleet->process);
    remove(fleet->ready);
}

int fleet_refused(const char *const *arguments, char *errors, size_t errors_bytes)
{
    struct fleet_under_test fleet;
    fleet_launch(&fleet, arguments);
    int code = process_end(&fleet.process);
    file_read(fleet.errors, errors, errors_bytes);
    fleet_forget(&fleet);
    return code;
}

unsigned fleet_connections(const struct fleet_under_test *fleet, unsigned wanted)
{
    char line[256];
    unsigned count = 0, to, port, is;
    FILE *file = fopen("/proc/net/tcp", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, " %*u: %*x:%*x %x:%x %x", &to, &port, &is) == 3 && is == wanted)
            count += ntohl(to) == fleet->host;
    fclose(file);
    return count;
}

void fleet_await_connections(const struct fleet_under_test *fleet, unsigned state, unsigned count)
{
    const uint64_t deadline_ns = os_now_ns() + PATIENCE_S * (uint64_t)OS_NS_PER_S;
    while (fleet_connections(fleet, state) < count && os_now_ns() < deadline_ns)
        os_sleep_ns(OS_NS_PER_MS);
    assert_true(fleet_connections(fleet, state) >= count);
}

unsigned descriptors_of(const struct fleet_under_test *fleet)
{
    char path[PATH_BYTES];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)fleet->process.handle);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

void fleet_await_descriptors(const struct fleet_under_test *fleet, unsigned count)
{
    for (unsigned i = 0; i < PATIENCE_S * 100 && descriptors_of(fleet) != count; i++)
        os_sleep_ns(10 * OS_NS_PER_MS);
    assert_int_equal(descriptors_of(fleet), count);
}

int socket_with_patience(void)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(handle >= 0);
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(handle, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return handle;
}

int fleet_try(const struct fleet_under_test *fleet, int handle, unsigned server)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(PORT + server))};
    to.sin_addr.s_addr = htonl(fleet->host);
    return connect(handle, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : -errno;
}

int fleet_connect(const struct fleet_under_test *fleet, unsigned server)
{
    int handle = socket_with_patience();
    assert_int_equal(fleet_try(fleet, handle, server), 0);
    return handle;
}

void ask(int handle, const char *text)
{
    assert_int_equal(send(handle, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void login(int handle, const char *user, const char *password)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    assert_true(protocol_write_login(user, password, line, sizeof line) > 0);
    ask(handle, line);
}

const enum protocol_source sources[2] = {PROTOCOL_TAPE, PROTOCOL_LIVE};

struct protocol_go go_of(enum protocol_source source, uint64_t frames, uint32_t min, uint32_t max)
{
    return (struct protocol_go){.run = 1,
                                .frames = frames,
                                .size_min = min,
                                .size_max = max,
                                .seed = 1,
                                .source = source,
                                .marker = {"\r\n", 2}};
}

void ask_go(int handle, const struct protocol_go *go)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    assert_true(protocol_write_go(go, line, sizeof line) > 0);
    ask(handle, line);
}

uint64_t go_bytes(const struct protocol_go *go, uint64_t frames)
{
    return protocol_frames_bytes(go, frames, UINT64_MAX);
}

size_t take(int handle, void *data, size_t bytes, int *end)
{
    size_t got = 0;
    *end = -1;
    while (got < bytes) {
        ssize_t received = recv(handle, (char *)data + got, bytes - got, 0);
        if (received <= 0) {
            *end = received < 0 ? errno : 0;
            break;
        }
        got += (size_t)received;
    }
    return got;
}

bool is_silent_for(int handle, unsigned millis)
{
    struct timeval wait = {.tv_usec = millis * 1000}, patience = {.tv_sec = PATIENCE_S};
    char byte;
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    ssize_t received = recv(handle, &byte, 1, 0);
    bool silent = received < 0 && errno == EAGAIN;
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return silent;
}

void take_line(int handle, char line[PROTOCOL_LINE_BYTES_MAX])
{
    unsigned bytes = 0;
    do
        assert_int_equal(recv(handle, line + bytes, 1, 0), 1);
    while (line[bytes++] != '\n' && bytes < PROTOCOL_LINE_BYTES_MAX);
    assert_true(bytes >= 2 && line[bytes - 2] == '\r');
    line[bytes - 2] = '\0';
}

void assert_ends(int handle)
{
    char byte;
    assert_int_equal(recv(handle, &byte, 1, 0), 0);
}

void assert_ok(int handle)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    take_line(handle, line);
    assert_string_equal(line, "OK");
}

void assert_no(int handle, const char *reason)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    take_line(handle, line);
    if (strncmp(line, "NO ", 3) != 0 || strstr(line, reason) == NULL)
        fail_msg("answered \"%s\" instead of NO ... %s", line, reason);
    assert_ends(handle);
}

void assert_refused(const struct fleet_under_test *fleet, const char *data, size_t bytes,
                    const char *reason)
{
    int handle = fleet_connect(fleet, 0);
    assert_int_equal(send(handle, data, bytes, MSG_NOSIGNAL), bytes);
    assert_no(handle, reason);
    close(handle);
}

void assert_go_refused(const struct fleet_under_test *fleet, const struct protocol_go *go,
                       const char *reason)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    int bytes = protocol_write_go(go, line, sizeof line);
    assert_true(bytes > 0);
    assert_refused(fleet, line, (size_t)bytes, reason);
}

struct protocol_stats stats_of(const struct fleet_under_test *fleet, uint64_t run)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    struct protocol_stats stats;
    int handle = fleet_connect(fleet, 0);
    assert_true(protocol_write_stats_request(run, line, sizeof line) > 0);
    ask(handle, line);
    take_line(handle, line);
    assert_null(protocol_read_stats(line, &stats));
    assert_true(stats.run == run);
    close(handle);
    return stats;
}

uint64_t frames_good(const uint8_t *data, size_t bytes, const struct protocol_go *go, size_t *used)
{
    struct protocol_header header;
    uint64_t seq = go->from;
    for (*used = 0; seq < go->frames; seq++) {
        uint32_t length = protocol_frame_length(go->seed, seq, go->size_min, go->size_max);
        const uint8_t *frame = data + *used;
        if (bytes - *used < length || protocol_header_read(frame, &go->marker, &header) < 0 ||
            header.seq != seq || header.length != length ||
            header.check != protocol_frame_check(frame, length, &go->marker) ||
            (const uint8_t *)memmem(frame, length, go->marker.bytes, go->marker.count) !=
                frame + length - go->marker.count)
            break;
        *used += length;
    }
    return seq;
}

uint8_t *frames_take(int handle, const struct protocol_go *go)
{
    size_t bytes = go_bytes(go, go->frames) - go_bytes(go, go->from), used;
    uint8_t *data = malloc(bytes);
    int end;
    assert_non_null(data);
    assert_int_equal(take(handle, data, bytes, &end), bytes);
    assert_int_equal(frames_good(data, bytes, go, &used), go->frames);
    assert_int_equal(used, bytes);
    return data;
}

void frames_check(int handle, const struct protocol_go *go)
{
    ask_go(handle, go);
    free(frames_take(handle, go));
}

void server_check(const struct fleet_under_test *fleet, unsigned server,
                  const struct protocol_go *go)
{
    int handle = fleet_connect(fleet, server);
    frames_check(handle, go);
    close(handle);
}
