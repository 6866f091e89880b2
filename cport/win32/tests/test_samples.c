/* The sample programs between callers and targets that this test plays. What they print is the same
 * here and on Windows: .ci/windows runs this test on the Windows builds under Wine, by
 * SAMPLES="COMMAND OF THE FOLDER" SAMPLES_SUFFIX=.exe. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/random.h"
#include "base/tests/test.h"

enum { BYTES_MAX = 200000, CALLERS = 8, CALLS_EACH = 15, OUTPUT_BYTES = 4096, LIMIT_MS = 120000 };

/* ---- a running sample ------------------------------------------------------------------------ */

struct sample {
    pid_t pid;
    int input, output;
    unsigned port;
};

static void run(const char *name, const char *arguments)
{
    char command[4096], directory[2048];
    const char *where = getenv("SAMPLES"), *suffix = getenv("SAMPLES_SUFFIX");
    if (!where && os_program_directory(directory, sizeof directory) == 0) {
        strcat(directory, "/../samples/");
        where = directory;
    }
    snprintf(command, sizeof command, "exec %s%s%s %s", where, name, suffix ? suffix : "",
             arguments);
    execl("/bin/sh", "sh", "-c", command, NULL);
    _exit(127);
}

/* The next line of its output. */
static void line_read(const struct sample *sample, char *line, size_t bytes)
{
    size_t used = 0;
    char byte = 0;
    while (used + 1 < bytes && read(sample->output, &byte, 1) == 1 && byte != '\n')
        if (byte != '\r')
            line[used++] = byte;
    line[used] = '\0';
}

static struct sample sample_start(const char *name, const char *arguments)
{
    struct sample sample;
    char line[64];
    int in[2], out[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    sample.pid = fork();
    if (sample.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        run(name, arguments);
    }
    close(in[0]);
    close(out[1]);
    sample.input = in[1];
    sample.output = out[0];
    line_read(&sample, line, sizeof line);
    assert_int_equal(sscanf(line, "port %u", &sample.port), 1);
    return sample;
}

/* Ends it and asserts what it says. */
static void sample_end(struct sample *sample, const char *expected)
{
    char text[OUTPUT_BYTES] = "", line[256];
    int status = -1;
    close(sample->input);
    for (line_read(sample, line, sizeof line); line[0]; line_read(sample, line, sizeof line)) {
        strcat(text, line);
        strcat(text, "\n");
    }
    close(sample->output);
    assert_int_equal(waitpid(sample->pid, &status, 0), sample->pid);
    assert_string_equal(text, expected);
    assert_int_equal(status, 0);
}

/* ---- callers ------------------------------------------------------------------------------- */

static int dial(unsigned port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(caller, (const struct sockaddr *)&address, sizeof address) == 0)
        return caller;
    close(caller);
    return -1;
}

static int listen_on_loopback(unsigned *port, bool listens)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(made, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listens ? listen(made, 100) : 0, 0);
    getsockname(made, (struct sockaddr *)&address, &bytes);
    *port = ntohs(address.sin_port);
    return made;
}

/* Waits until the socket can be read or (out) written; false: never. */
static bool ready(int socket, short events)
{
    struct pollfd one = {.fd = socket, .events = events};
    return poll(&one, 1, LIMIT_MS) == 1;
}

/* Sends all the bytes and receives `expected` of them, at the same time; how many came. */
static size_t talk(int socket, const char *out, size_t bytes, char *in, size_t expected)
{
    size_t sent = 0, got = 0;
    while (got < expected) {
        ssize_t count = sent < bytes ? send(socket, out + sent, bytes - sent, MSG_DONTWAIT) : 0;
        if (count > 0 && (sent += (size_t)count) == bytes)
            shutdown(socket, SHUT_WR);
        if (!ready(socket, (short)(POLLIN | (sent < bytes ? POLLOUT : 0))))
            break;
        count = recv(socket, in + got, expected - got, MSG_DONTWAIT);
        if (count > 0)
            got += (size_t)count;
        else if (count == 0 || errno != EAGAIN)
            break;
    }
    return got;
}

/* Sends until the other side takes no more, then resets: what it has still to send is lost. */
static void flood_and_reset(int socket)
{
    static const char data[65536] = "x";
    const struct linger hard = {.l_onoff = 1};
    struct pollfd one = {.fd = socket, .events = POLLOUT};
    while (poll(&one, 1, 200) == 1 && send(socket, data, sizeof data, MSG_DONTWAIT) > 0)
        continue;
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(socket);
}

struct crowd {
    unsigned port;
    bool in_brackets;
    uint64_t bytes, mistakes; /* atomic */
};

static void fill(char *data, size_t bytes, uint64_t *state)
{
    for (size_t index = 0; index < bytes; index++)
        data[index] = (char)('a' + random_next(state) % 26);
}

/* What came back is what was sent; a relay puts the first piece into brackets. */
static bool is_same(const char *sent, size_t bytes, const char *got, bool in_brackets)
{
    if (!in_brackets)
        return memcmp(sent, got, bytes) == 0;
    const char *closed = memchr(got, ']', bytes + 2);
    if (got[0] != '[' || !closed)
        return false;
    const size_t piece = (size_t)(closed - got) - 1;
    return memcmp(got + 1, sent, piece) == 0 &&
           memcmp(closed + 1, sent + piece, bytes - piece) == 0;
}

static void *call(void *argument)
{
    struct crowd *crowd = argument;
    uint64_t state = (uint64_t)(uintptr_t)&state;
    char *sent = malloc(BYTES_MAX), *got = malloc(BYTES_MAX + 3);
    for (unsigned turn = 0; turn < CALLS_EACH; turn++) {
        const size_t bytes = 1 + random_next(&state) % BYTES_MAX;
        const size_t expected = bytes + (crowd->in_brackets ? 2 : 0);
        const int socket = dial(crowd->port);
        fill(sent, bytes, &state);
        const bool whole = talk(socket, sent, bytes, got, expected + 1) == expected &&
                           is_same(sent, bytes, got, crowd->in_brackets);
        __atomic_add_fetch(&crowd->bytes, bytes, __ATOMIC_RELAXED);
        __atomic_add_fetch(&crowd->mistakes, !whole, __ATOMIC_RELAXED);
        close(socket);
    }
    free(sent);
    free(got);
    return NULL;
}

/* Many callers at once, each call whole; their bytes. */
static unsigned call_all(unsigned port, bool in_brackets)
{
    struct crowd crowd = {.port = port, .in_brackets = in_brackets};
    pthread_t threads[CALLERS];
    for (unsigned index = 0; index < CALLERS; index++)
        assert_int_equal(pthread_create(&threads[index], NULL, call, &crowd), 0);
    for (unsigned index = 0; index < CALLERS; index++)
        pthread_join(threads[index], NULL);
    assert_int_equal(crowd.mistakes, 0);
    return (unsigned)crowd.bytes;
}

/* ---- the echo server ------------------------------------------------------------------------- */

TEST(the_echo_server_does_here_what_it_does_on_windows)
{
    enum { SILENT = 5, RESETS = 4, CALLS = 2 * CALLERS * CALLS_EACH };
    struct sample sample = sample_start("echo_server", "");
    int silent[SILENT];
    char expected[OUTPUT_BYTES];
    for (unsigned index = 0; index < SILENT; index++)
        assert_true((silent[index] = dial(sample.port)) >= 0);
    unsigned bytes = call_all(sample.port, false);
    for (unsigned index = 0; index < RESETS; index++)
        flood_and_reset(dial(sample.port));
    bytes += call_all(sample.port, false);
    snprintf(expected, sizeof expected,
             "accepted %d\npeers named %d\nbytes echoed %u\nended %d\nreset %d\ncancelled %d\n"
             "failed 0\n",
             CALLS + SILENT + RESETS, CALLS + SILENT + RESETS, bytes, CALLS, RESETS, SILENT);
    sample_end(&sample, expected);
    for (unsigned index = 0; index < SILENT; index++)
        close(silent[index]);
}

/* ---- the relay ----------------------------------------------------------------------------- */

/* A target hears a caller out, then says the same. */
static void *answer(void *argument)
{
    const int socket = (int)(intptr_t)argument;
    char *data = malloc(BYTES_MAX + 2);
    size_t got = 0;
    ssize_t count;
    while (got < BYTES_MAX + 2 && (count = recv(socket, data + got, BYTES_MAX + 2 - got, 0)) > 0)
        got += (size_t)count;
    send(socket, data, got, MSG_NOSIGNAL);
    close(socket);
    free(data);
    return NULL;
}

/* Until the listener is shut. */
static void *take_calls(void *argument)
{
    pthread_t threads[CALLERS * CALLS_EACH * 2 + 100];
    unsigned count = 0;
    int socket;
    while ((socket = accept4(*(int *)argument, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        pthread_create(&threads[count++], NULL, answer, (void *)(intptr_t)socket);
    while (count > 0)
        pthread_join(threads[--count], NULL);
    return NULL;
}

static void assert_refused(unsigned port)
{
    char got[16] = "";
    const int caller = dial(port);
    assert_int_equal(talk(caller, "!", 1, got, sizeof got - 1), 12);
    assert_string_equal(got, "nobody there");
    close(caller);
}

TEST(the_relay_does_here_what_it_does_on_windows)
{
    enum { SILENT = 3, REFUSED = 4, STUCK = 5, CALLS = CALLERS * CALLS_EACH, ACCEPTS = 8 };
    unsigned target_port, other_port, bytes;
    int target = listen_on_loopback(&target_port, true), callers[SILENT + STUCK];
    const int nobody = listen_on_loopback(&other_port, false);
    char text[OUTPUT_BYTES];
    pthread_t thread;
    pthread_create(&thread, NULL, take_calls, &target);
    snprintf(text, sizeof text, "%u %u", target_port, other_port);
    struct sample sample = sample_start("relay", text);
    for (unsigned index = 0; index < SILENT + STUCK; index++)
        assert_true((callers[index] = dial(sample.port)) >= 0);
    for (unsigned index = 0; index < STUCK; index++) /* they say something, and do not end */
        assert_int_equal(send(callers[index], "well", 4, 0), 4);
    for (unsigned index = 0; index < REFUSED; index++)
        assert_refused(sample.port);
    bytes = call_all(sample.port, true);
    snprintf(text, sizeof text,
             "whole %d\nrefused %d\nreset 0\ncancelled %d\nsilent %d\nbytes there %u\nbytes back "
             "%u\n",
             CALLS, REFUSED, STUCK, ACCEPTS, bytes, bytes + 2 * CALLS);
    sample_end(&sample, text);
    shutdown(target, SHUT_RDWR);
    pthread_join(thread, NULL);
    for (unsigned index = 0; index < SILENT + STUCK; index++)
        close(callers[index]);
    close(target);
    close(nobody);
}
