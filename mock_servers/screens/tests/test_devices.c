/* Real screens as fanin-screens runs them: what they show, what goes in, and how they end. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/find.h"
#include "base/tests/ports.h"
#include "base/tests/test.h"
#include "mock_servers/screens/tests/raw_viewer.h"

enum { PATH_BYTES = 512, TEXT_BYTES = 4096, PATIENCE_S = 120, CHILDREN_MAX = 32, FRAMES = 10 };
static const uint64_t patience_ns = (uint64_t)PATIENCE_S * OS_NS_PER_S;

static char program[PATH_BYTES], directory[PATH_BYTES], ready[PATH_BYTES + 16],
    log_path[PATH_BYTES + 16];

static struct {
    struct os_process process;
    long children[CHILDREN_MAX];
    unsigned count;
} fleet;

/* ---- a fleet --------------------------------------------------------------------------------- */

static const char *log_text(void)
{
    static char text[TEXT_BYTES];
    file_read(log_path, text, sizeof text);
    return text;
}

static void launch(const char *device, const char *direction, unsigned port, const char *more)
{
    char option[2][PATH_BYTES + 32], ready_option[PATH_BYTES + 32];
    snprintf(option[0], sizeof option[0], direction, port);
    snprintf(option[1], sizeof option[1], "--device=%s", device);
    snprintf(ready_option, sizeof ready_option, "--ready-file=%s", ready);
    unlink(ready);
    unlink(log_path);
    fleet.count = 0;
    char *const argv[] = {program,        "--count=2",  "--size=640x200",
                          "--scene=type", option[0],    option[1],
                          ready_option,   (char *)more, NULL};
    assert_int_equal(os_process_start(&fleet.process, argv, log_path, log_path), 0);
}

static int ended_with(void)
{
    int code = -1;
    assert_int_equal(os_process_wait(&fleet.process, patience_ns, &code), 1);
    return code;
}

/* Skips the test where a program of the device is not there. */
static void ready_await(void)
{
    int code;
    while (access(ready, R_OK) != 0)
        if (os_process_wait(&fleet.process, 10 * OS_NS_PER_MS, &code) == 1) {
            if (strstr(log_text(), "not installed") == NULL)
                fail_msg("exit code %d: %s", code, log_text());
            print_message("skipped: %s", log_text());
            skip();
        }
}

static long parent_of(const char *pid)
{
    char path[64], text[TEXT_BYTES];
    snprintf(path, sizeof path, "/proc/%.32s/stat", pid);
    file_read(path, text, sizeof text);
    const char *behind = strrchr(text, ')');
    return behind == NULL || behind[2] == 'Z' ? -1 : strtol(behind + 3, NULL, 10);
}

static void children_read(void)
{
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    struct dirent *entry;
    fleet.count = 0;
    while ((entry = readdir(processes)) != NULL)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && fleet.count < CHILDREN_MAX &&
            parent_of(entry->d_name) == fleet.process.handle)
            fleet.children[fleet.count++] = atol(entry->d_name);
    closedir(processes);
    assert_true(fleet.count > 0);
}

/* How many children run the program; *last is one of them. */
static unsigned children_named(const char *name, long *last)
{
    char path[64], text[TEXT_BYTES];
    unsigned count = 0;
    children_read();
    for (unsigned i = 0; i < fleet.count; i++) {
        snprintf(path, sizeof path, "/proc/%ld/cmdline", fleet.children[i]);
        file_read(path, text, sizeof text);
        const char *slash = strrchr(text, '/');
        if (strcmp(slash == NULL ? text : slash + 1, name) == 0) {
            *last = fleet.children[i];
            count++;
        }
    }
    return count;
}

static long child_named(const char *name)
{
    long child = -1;
    assert_true(children_named(name, &child) > 0);
    return child;
}

static void await_painters(unsigned count)
{
    const uint64_t deadline_ns = os_deadline_ns(patience_ns);
    long painter;
    while (children_named("fanin-screens", &painter) != count) {
        assert_true(os_now_ns() < deadline_ns);
        os_sleep_ns(OS_NS_PER_MS);
    }
}

static void children_end(void)
{
    const uint64_t deadline_ns = os_deadline_ns(patience_ns);
    for (unsigned i = 0; i < fleet.count; i++) {
        char pid[32];
        snprintf(pid, sizeof pid, "%ld", fleet.children[i]);
        while (parent_of(pid) > 0) {
            assert_true(os_now_ns() < deadline_ns);
            os_sleep_ns(OS_NS_PER_MS);
        }
    }
}

static void fleet_stop(void)
{
    children_read();
    kill((pid_t)fleet.process.handle, SIGTERM);
}

static int set_up(void **state)
{
    if (!find_upwards(program, sizeof program, "fanin-screens") ||
        !temporary_directory(directory, sizeof directory))
        return -1;
    snprintf(ready, sizeof ready, "%s/ready", directory);
    snprintf(log_path, sizeof log_path, "%s/log", directory);
    os_writes_fail();
    return 0;
}

static int tear_down(void **state)
{
    os_process_stop(&fleet.process, patience_ns);
    unlink(ready);
    unlink(log_path);
    return rmdir(directory);
}

#define DEVICE_TEST(name) TEST(name, set_up, tear_down)

/* ---- what every device does ------------------------------------------------------------------ */

static void see_and_press(struct raw_viewer *viewer)
{
    const uint64_t first = raw_viewer_await(viewer, STAMP_TIME, 1);
    assert_true(first > 0);
    assert_true(raw_viewer_await(viewer, STAMP_TIME, first + 1) > first);
    raw_viewer_key(viewer, 'a');
    raw_viewer_key(viewer, 'b');
    assert_int_equal(raw_viewer_await(viewer, STAMP_KEYS, 2), 2);
}

/* Both screens show a scene that moves, keys reach them, and nothing is left at the end. Nobody
 * paints where nobody watches; a viewer that leaves does not take the painter from another. */
static void listens(const char *device)
{
    const unsigned port = ports_free(2);
    launch(device, "--port=%u", port, NULL);
    ready_await();
    await_painters(0);
    for (unsigned i = 0; i < 2; i++) {
        struct raw_viewer viewer, other;
        assert_true(raw_viewer_dial(&viewer, port + i));
        assert_int_equal(viewer.picture.width, 640);
        see_and_press(&viewer);
        assert_true(raw_viewer_dial(&other, port + i));
        uint64_t seen = raw_viewer_await(&other, STAMP_TIME, 1);
        await_painters(1);
        raw_viewer_close(&viewer);
        for (unsigned frame = 0; frame < FRAMES; frame++) {
            const uint64_t next = raw_viewer_await(&other, STAMP_TIME, seen + 1);
            assert_true(next > seen);
            seen = next;
        }
        raw_viewer_close(&other);
        await_painters(0);
    }
    fleet_stop();
    assert_int_equal(ended_with(), 0);
    children_end();
    assert_int_equal(access(ready, F_OK), -1);
}

/* They come when somebody listens, all of them, and again. */
static void connects(const char *device)
{
    struct net_address address;
    const unsigned port = ports_free(2);
    launch(device, "--connect=127.0.0.1:%u", port, NULL);
    ready_await();
    assert_true(net_numeric("127.0.0.1", (uint16_t)port, &address));
    for (unsigned round = 0; round < 2; round++) {
        struct raw_viewer viewers[2];
        intptr_t listener;
        const struct net_tuning tuning = {.send_buffer_bytes = 0};
        assert_int_equal(net_bind(&address, &listener), 0);
        assert_int_equal(net_listen(listener, 16, &tuning), 0);
        for (unsigned i = 0; i < 2; i++)
            raw_viewer_answer(&viewers[i], listener);
        net_close(listener);
        for (unsigned i = 0; i < 2; i++) {
            assert_true(raw_viewer_await(&viewers[i], STAMP_TIME, 1) > 0);
            raw_viewer_close(&viewers[i]);
        }
    }
    fleet_stop();
    assert_int_equal(ended_with(), 0);
    children_end();
}

DEVICE_TEST(captured_x_servers_are_screens)
{
    listens("x11");
}

DEVICE_TEST(x11vnc_is_a_screen)
{
    listens("x11vnc");
}

DEVICE_TEST(x11vnc_with_short_delays_is_a_screen)
{
    listens("x11vnc-tuned");
}

DEVICE_TEST(xtigervnc_is_a_screen)
{
    listens("xtigervnc");
}

DEVICE_TEST(x11vnc_connects_whatever_boots_first)
{
    connects("x11vnc");
}

DEVICE_TEST(xtigervnc_connects_whatever_boots_first)
{
    connects("xtigervnc");
}

/* ---- ends ------------------------------------------------------------------------------------ */

DEVICE_TEST(a_killed_fleet_leaves_no_process)
{
    launch("x11vnc", "--port=%u", ports_free(2), NULL);
    ready_await();
    children_read();
    kill((pid_t)fleet.process.handle, SIGKILL);
    assert_int_equal(ended_with(), 128 + SIGKILL);
    children_end();
}

/* A device that dies is said, with its reason; the others go on. */
static void dies(const char *device, const char *victim, const char *said)
{
    struct raw_viewer viewers[2];
    const unsigned port = ports_free(2);
    launch(device, "--port=%u", port, NULL);
    ready_await();
    for (unsigned i = 0; i < 2; i++) {
        assert_true(raw_viewer_dial(&viewers[i], port + i));
        assert_true(raw_viewer_await(&viewers[i], STAMP_TIME, 1) > 0);
    }
    kill((pid_t)child_named(victim), SIGKILL);
    /* the one whose device was killed ends, the other does not */
    unsigned ended = 2;
    const uint64_t deadline_ns = os_deadline_ns(patience_ns);
    while (ended == 2) {
        for (unsigned i = 0; i < 2 && ended == 2; i++)
            if (!raw_viewer_update(&viewers[i]))
                ended = i;
        assert_true(os_now_ns() < deadline_ns);
    }
    uint64_t seen = raw_viewer_await(&viewers[1 - ended], STAMP_TIME, 1);
    assert_true(raw_viewer_await(&viewers[1 - ended], STAMP_TIME, seen + 1) > 0);
    for (unsigned i = 0; i < 2; i++)
        raw_viewer_close(&viewers[i]);
    char line[64];
    snprintf(line, sizeof line, "screen %u: ", ended);
    while (strstr(log_text(), line) == NULL) {
        assert_true(os_now_ns() < deadline_ns);
        os_sleep_ns(OS_NS_PER_MS);
    }
    if (strstr(log_text(), said) == NULL)
        fail_msg("%s", log_text());
}

DEVICE_TEST(a_killed_x11vnc_is_said_and_the_others_go_on)
{
    dies("x11vnc", "x11vnc", "x11vnc was killed by signal 9");
    fleet_stop();
    assert_int_equal(ended_with(), 1);
    children_end();
}

DEVICE_TEST(a_killed_x_server_ends_its_screen_alone)
{
    dies("x11", "Xvfb", "X server");
    fleet_stop();
    assert_int_equal(ended_with(), 0);
    children_end();
}

DEVICE_TEST(a_killed_xtigervnc_is_said)
{
    dies("xtigervnc", "Xtigervnc", "Xtigervnc was killed by signal 9");
    fleet_stop();
    assert_int_equal(ended_with(), 1);
    children_end();
}

/* ---- wrong use ------------------------------------------------------------------------------- */

static void refuses(const char *device, const char *option, int code, const char *said)
{
    launch(device, "--port=%u", ports_free(2), option);
    assert_int_equal(ended_with(), code);
    if (strstr(log_text(), said) == NULL)
        fail_msg("%s", log_text());
}

DEVICE_TEST(options_that_are_of_other_devices_are_refused)
{
    refuses("scene", "--display=:0", 2, "--display");
    refuses("x11vnc", "--fault=freeze", 2, "--fault");
    char option[PATH_BYTES + 32];
    snprintf(option, sizeof option, "--password-file=%s/password", directory);
    FILE *file = fopen(option + strlen("--password-file="), "w");
    assert_non_null(file);
    assert_true(fputs("secret\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    refuses("xtigervnc", option, 2, "--password-file: --device xtigervnc");
    unlink(option + strlen("--password-file="));
}

DEVICE_TEST(a_painter_without_an_x_server_says_so)
{
    refuses("scene", "--paint=:64321", 3, "no X server at :64321");
}

/* Without its programs a device cannot be had, which is said at once. */
DEVICE_TEST(a_missing_program_is_said)
{
    const char *path = getenv("PATH");
    char *before = path == NULL ? NULL : strdup(path);
    setenv("PATH", directory, 1);
    launch("x11vnc", "--port=%u", ports_free(2), NULL);
    const int code = ended_with();
    setenv("PATH", before == NULL ? "" : before, 1);
    free(before);
    assert_int_equal(code, 3);
    assert_non_null(strstr(log_text(), "Xvfb"));
    assert_non_null(strstr(log_text(), "not installed"));
}
