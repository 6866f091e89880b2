/* Passwords and TLS between fanin-screens and fanin-monitor, both programs as they are: the right
 * ones bring pictures, anything else ends that connection by its name. And x11vnc, where it is. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/rfb/tests/certificates.h"
#include "base/tests/find.h"
#include "base/tests/test.h"
#include "base/xdisplay.h"

enum {
    PATIENCE_S = 120,
    PATH_BYTES = 256,
    ROW_BYTES = 1 << 16,
    ARGUMENTS_MAX = 24,
    SCREEN_PORT = 5900
};

static struct certificates made;
static char text[ROW_BYTES]; /* the last row */
static char folder[64], right[PATH_BYTES], wrong[PATH_BYTES], ready[PATH_BYTES], row[PATH_BYTES],
    said[PATH_BYTES], address[32];

static int write_line(char path[PATH_BYTES], const char *name, const char *line)
{
    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    return file == NULL || fprintf(file, "%s\n", line) < 0 || fclose(file) != 0 ? -1 : 0;
}

static int make(void **state)
{
    const struct in_addr own = {htonl(0x7f430000u + ((uint32_t)getpid() % 4096 << 4) + 1)};
    certificates_make(&made);
    strcpy(folder, "/tmp/fanin-security-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(address, sizeof address, "%s", inet_ntoa(own));
    snprintf(ready, sizeof ready, "%s/ready", folder);
    snprintf(row, sizeof row, "%s/row", folder);
    snprintf(said, sizeof said, "%s/said", folder);
    return write_line(right, "right", "secret") | write_line(wrong, "wrong", "Secret");
}

static int drop(void **state)
{
    certificates_remove(&made);
    unlink(right), unlink(wrong), unlink(row), unlink(said);
    return rmdir(folder);
}

/* ---- the programs ---------------------------------------------------------------------------- */

/* Options of both sides; NULL: not given. */
struct side {
    const char *password, *tls, *key; /* tls: the screens' certificate, the monitor's authority */
};

static void add(char **argv, const char *option, const char *value)
{
    unsigned count = 0;
    while (argv[count] != NULL)
        count++;
    assert_true(count + 2 < ARGUMENTS_MAX);
    argv[count] = (char *)option;
    argv[count + 1] = (char *)value;
}

static void add_side(char **argv, const struct side *side, const char *tls)
{
    if (side->password != NULL)
        add(argv, "--password-file", side->password);
    if (side->tls != NULL)
        add(argv, tls, side->tls);
    if (side->key != NULL)
        add(argv, "--tls-key", side->key);
}

/* What has ended too early says why at the end of what it has said. */
static void fail_of(const char *path, int code)
{
    file_read(path, text, sizeof text);
    const size_t bytes = strlen(text);
    fail_msg("it ended with %d: %s", code, text + (bytes > 500 ? bytes - 500 : 0));
}

static struct os_process screens_begin(const struct side *side, const char *more)
{
    static char program[PATH_BYTES];
    struct os_process process;
    char *argv[ARGUMENTS_MAX] = {program, "--quiet", "--size=640x480", (char *)more};
    int code;
    assert_true(find_upwards(program, sizeof program, "fanin-screens"));
    add(argv, "--listen", address);
    add(argv, "--ready-file", ready);
    add_side(argv, side, "--tls-certificate");
    assert_int_equal(os_process_start(&process, argv, NULL, said), 0);
    while (access(ready, R_OK) != 0)
        if (os_process_wait(&process, 10 * OS_NS_PER_MS, &code) != 0)
            fail_of(said, code);
    return process;
}

/* `patience`: for a screen that does not come; one in its handshake has as long again. */
static int monitor_run_on(const char *target, const struct side *side, const char *patience)
{
    static char program[PATH_BYTES];
    struct os_process process;
    char *argv[ARGUMENTS_MAX] = {program, "--quiet", "--view=none", "--for=300ms"};
    int code = -1;
    assert_true(find_upwards(program, sizeof program, "fanin-monitor"));
    add(argv, "--connect", target);
    add(argv, "--json", row);
    add(argv, "--handshake-timeout", patience);
    add_side(argv, side, "--tls-authority");
    assert_int_equal(os_process_start(&process, argv, NULL, said), 0);
    assert_int_equal(os_process_wait(&process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &code), 1);
    file_read(row, text, ROW_BYTES);
    return code;
}

static void process_end(struct os_process *process)
{
    int code = -1;
    assert_int_equal(kill((pid_t)process->handle, SIGTERM), 0);
    assert_int_equal(os_process_wait(process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &code), 1);
}

static void assert_row_has(const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("%s is not in %s", words, text);
}

static void assert_met(const struct side *screens, const struct side *monitor, const char *cause)
{
    char target[64], words[64];
    struct os_process process = screens_begin(screens, NULL);
    snprintf(target, sizeof target, "%s:%u", address, SCREEN_PORT);
    const int code = monitor_run_on(target, monitor, cause == NULL ? "60s" : "500ms");
    if (cause == NULL) {
        assert_row_has("\"screens_connected\":1");
        assert_int_equal(code, 0);
    } else {
        snprintf(words, sizeof words, "\"%s\":1", cause);
        assert_row_has(words);
        assert_row_has("\"screens_connected\":0");
        assert_int_equal(code, 1);
    }
    process_end(&process);
}

/* ---- ours ------------------------------------------------------------------------------------ */

static const struct side nothing, password = {.password = right},
                                  other_password = {.password = wrong};

TEST(a_password_must_be_the_screens)
{
    assert_met(&password, &password, NULL);
    assert_met(&password, &other_password, "wrong-password");
    assert_met(&password, &nothing, "no-security");
    assert_met(&nothing, &password, "no-security");
}

TEST(tls_needs_the_screens_authority)
{
    const struct side screens = {NULL, made.screen, made.screen_key};
    const struct side late = {NULL, made.late, made.screen_key};
    const struct side monitor = {NULL, made.authority, NULL};
    const struct side other = {NULL, made.other_authority, NULL};
    assert_met(&screens, &monitor, NULL);
    assert_met(&screens, &other, "bad-certificate");
    assert_met(&late, &monitor, "bad-certificate");
    assert_met(&screens, &nothing, "no-security");
    assert_met(&nothing, &monitor, "no-security");
}

TEST(a_password_goes_through_tls)
{
    const struct side screens = {right, made.screen, made.screen_key};
    const struct side monitor = {right, made.authority, NULL};
    const struct side other = {wrong, made.authority, NULL};
    const struct side without = {NULL, made.authority, NULL};
    assert_met(&screens, &monitor, NULL);
    assert_met(&screens, &other, "wrong-password");
    assert_met(&screens, &without, "no-security");
    assert_met(&screens, &password, "no-security"); /* it would go over the wire */
}

/* ---- TLS that breaks in the middle ----------------------------------------------------------- */

enum { BROKEN_AFTER_BYTES = 50000 }; /* in the first picture */

/* Between both: passes all on, but for one bit of what the screen sends. */
struct meddler {
    pthread_t thread;
    int listener;
    char target[32];
};

static int socket_to(const char *host, uint16_t port, bool listens)
{
    const int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_true(handle >= 0 && inet_aton(host, &at.sin_addr) != 0);
    assert_int_equal(listens ? bind(handle, (struct sockaddr *)&at, sizeof at)
                             : connect(handle, (struct sockaddr *)&at, sizeof at),
                     0);
    assert_true(!listens || listen(handle, 1) == 0);
    return handle;
}

static bool pass_on(int from, int to, size_t *passed, size_t broken_after)
{
    uint8_t data[4096];
    const ssize_t got = recv(from, data, sizeof data, 0);
    if (got <= 0)
        return false;
    if (*passed <= broken_after && broken_after < *passed + (size_t)got)
        data[broken_after - *passed] ^= 1;
    *passed += (size_t)got;
    return send(to, data, (size_t)got, MSG_NOSIGNAL) == got;
}

static void *meddle(void *argument)
{
    struct meddler *meddler = argument;
    const int viewer = accept(meddler->listener, NULL, NULL);
    const int screen = socket_to(address, SCREEN_PORT, false);
    struct pollfd both[2] = {{.fd = viewer, .events = POLLIN}, {.fd = screen, .events = POLLIN}};
    size_t up = 0, down = 0;
    bool open = true;
    while (open && poll(both, 2, PATIENCE_S * 1000) > 0) {
        if (both[0].revents != 0)
            open = pass_on(viewer, screen, &up, SIZE_MAX);
        if (open && both[1].revents != 0)
            open = pass_on(screen, viewer, &down, BROKEN_AFTER_BYTES);
    }
    close(viewer), close(screen);
    return NULL;
}

static void meddler_begin(struct meddler *meddler)
{
    struct sockaddr_in at;
    socklen_t bytes = sizeof at;
    meddler->listener = socket_to("127.0.0.1", 0, true);
    getsockname(meddler->listener, (struct sockaddr *)&at, &bytes);
    snprintf(meddler->target, sizeof meddler->target, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&meddler->thread, NULL, meddle, meddler), 0);
}

TEST(tls_that_is_changed_on_the_way_ends_that_connection)
{
    const struct side screens = {NULL, made.screen, made.screen_key};
    const struct side monitor = {NULL, made.authority, NULL};
    struct os_process process = screens_begin(&screens, "--scene=video");
    struct meddler meddler;
    meddler_begin(&meddler);
    assert_int_equal(monitor_run_on(meddler.target, &monitor, "60s"), 1);
    pthread_join(meddler.thread, NULL);
    close(meddler.listener);
    assert_row_has("\"screens_connected\":1");
    assert_row_has("\"bad-tls\":1");
    process_end(&process);
}

/* ---- x11vnc ---------------------------------------------------------------------------------- */

static struct os_process x_server;
static char display[XDISPLAY_BYTES];

/* Its TLS wants certificate and key in one file. */
static void join_files(const char *path)
{
    char both[ROW_BYTES];
    file_read(made.screen_key, both, sizeof both);
    file_read(made.screen, both + strlen(both), sizeof both - strlen(both));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(both, file) >= 0 && fclose(file) == 0);
}

static bool is_listening(const char *host, uint16_t port)
{
    const int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_aton(host, &at.sin_addr);
    const bool is = connect(handle, (struct sockaddr *)&at, sizeof at) == 0;
    close(handle);
    return is;
}

static void assert_x11vnc(char *const *options, const struct side *monitor, const char *cause)
{
    char *argv[ARGUMENTS_MAX] = {"x11vnc", "-norc", "-noipv6", "-no6", "-forever", "-shared", "-q"};
    char target[64], words[64];
    struct os_process process;
    int code;
    add(argv, "-display", display);
    add(argv, "-listen", address);
    add(argv, "-rfbport", "5900");
    for (; *options != NULL; options += 2)
        add(argv, options[0], options[1]);
    assert_int_equal(os_process_start(&process, argv, said, said), 0);
    while (!is_listening(address, SCREEN_PORT))
        if (os_process_wait(&process, 50 * OS_NS_PER_MS, &code) != 0)
            fail_of(said, code);
    snprintf(target, sizeof target, "%s:%u", address, SCREEN_PORT);
    monitor_run_on(target, monitor, "60s");
    os_process_stop(&process, PATIENCE_S * (uint64_t)OS_NS_PER_S);
    snprintf(words, sizeof words, "\"%s\":1", cause);
    assert_row_has(words);
}

TEST(x11vnc_is_let_in_by_password_and_by_tls)
{
    char both[PATH_BYTES], why[128];
    snprintf(both, sizeof both, "%s/both", folder);
    if (system("command -v x11vnc Xvfb >/dev/null") != 0 ||
        xdisplay_xvfb(&x_server, 640, 480, NULL, NULL, display, why, sizeof why) != 0) {
        print_message("x11vnc or Xvfb is not here\n");
        skip();
    }
    join_files(both);
    const struct side monitor = {right, made.authority, NULL};
    char *const plain[] = {"-passwdfile", right, NULL};
    char *const secure[] = {"-passwdfile", right, "-ssl", both, "-vencrypt", "only", NULL};
    assert_x11vnc(plain, &password, "screens_connected");
    assert_x11vnc(secure, &monitor, "screens_connected");
    os_process_stop(&x_server, PATIENCE_S * (uint64_t)OS_NS_PER_S);
    unlink(both);
}

/* ---- files ----------------------------------------------------------------------------------- */

TEST(files_that_cannot_be_used_are_named)
{
    const struct side no_file = {.password = "/nowhere/password"};
    const struct side no_authority = {NULL, "/nowhere/authority", NULL};
    assert_int_equal(monitor_run_on("127.0.0.1:1", &no_file, "60s"), 3);
    assert_row_has("/nowhere/password");
    assert_int_equal(monitor_run_on("127.0.0.1:1", &no_authority, "60s"), 3);
    assert_row_has("/nowhere/authority");
}

int main(void)
{
    return tests_run(make, drop);
}
