/* fanin-eye, run as a user runs it, on X servers of its own. Under the name of a viewer this
 * program plays one: it paints windows with stamps that are late by a known time. */
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xcb/xcb.h>

#include "base/json_read.h"
#include "base/os.h"
#include "base/rfb/stamp.h"
#include "base/tests/find.h"
#include "base/tests/test.h"
#include "base/xdisplay.h"
#include "client/monitor/row.h"

enum { PATH_BYTES = 512, PATIENCE_S = 120, LATE_MS = 40, PERIOD_MS = 10 };
enum { WIDTH = 700, HEIGHT = 300 };

/* ---- the viewer that is played --------------------------------------------------------------- */

/* By the environment, so that the eye passes it on. */
#define PART       "FANIN_TEST_VIEWER"
#define PART_FRAME "frame" /* its stamps lie beside the usual place, its bars above */
#define PART_CRASH "crash"
#define PART_CLOSE "close" /* closes its window, and lives on */
#define PART_BLACK "black" /* shows no stamps */
#define PART_NOROW "norow" /* ends without a row */
#define PART_HANG  "hang"
#define PART_X     "x" /* kills the X server */

struct played {
    const char *part;
    xcb_connection_t *connection;
    xcb_screen_t *screen;
    xcb_gcontext_t context;
    xcb_window_t windows[8];
    uint64_t keys[8];
    unsigned count;
    uint32_t *pixels;
};

static bool plays(const struct played *played, const char *part)
{
    return strcmp(played->part, part) == 0;
}

static void played_open(struct played *played, const char *display)
{
    const char *part = getenv(PART);
    *played = (struct played){.part = part != NULL ? part : "", .count = 0};
    played->connection = xcb_connect(display, NULL);
    if (xcb_connection_has_error(played->connection) != 0)
        exit(EXIT_MACHINE_CANNOT);
    played->screen = xcb_setup_roots_iterator(xcb_get_setup(played->connection)).data;
    played->pixels = calloc((size_t)WIDTH * HEIGHT, sizeof *played->pixels);
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        played->pixels[i] = i * 2654435761U >> 8;
}

static void played_window(struct played *played, int x, int y)
{
    const uint32_t events = XCB_EVENT_MASK_KEY_PRESS;
    const xcb_window_t window = xcb_generate_id(played->connection);
    xcb_create_window(played->connection, XCB_COPY_FROM_PARENT, window, played->screen->root,
                      (int16_t)x, (int16_t)y, WIDTH, HEIGHT, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT,
                      XCB_COPY_FROM_PARENT, XCB_CW_EVENT_MASK, &events);
    if (played->count == 0) {
        played->context = xcb_generate_id(played->connection);
        xcb_create_gc(played->connection, played->context, window, 0, NULL);
    }
    played->windows[played->count++] = window;
    xcb_map_window(played->connection, window);
}

static void played_paint(struct played *played, unsigned index)
{
    const unsigned frame = plays(played, PART_FRAME) ? 21 : 0;
    const struct rfb_picture picture = {played->pixels + frame, WIDTH - frame, HEIGHT - frame,
                                        WIDTH};
    const struct rfb_picture whole = {played->pixels, WIDTH, HEIGHT, WIDTH};
    if (!plays(played, PART_BLACK)) {
        stamp_paint(&picture, STAMP_KEYS, played->keys[index]);
        stamp_paint(&picture, STAMP_TIME, os_now_ns() / 1000 - LATE_MS * 1000);
    }
    /* The lower part alone: a request has a limit. */
    const unsigned height = 60, top = whole.height - height;
    xcb_put_image(played->connection, XCB_IMAGE_FORMAT_Z_PIXMAP, played->windows[index],
                  played->context, WIDTH, (uint16_t)height, 0, (int16_t)top, 0,
                  played->screen->root_depth, WIDTH * height * 4,
                  (const uint8_t *)(whole.pixels + (size_t)top * WIDTH));
}

static void played_events(struct played *played)
{
    xcb_generic_event_t *event;
    while ((event = xcb_poll_for_event(played->connection)) != NULL) {
        for (unsigned i = 0; i < played->count; i++)
            if ((event->response_type & 0x7f) == XCB_KEY_PRESS &&
                ((xcb_key_press_event_t *)event)->event == played->windows[i])
                played->keys[i]++;
        free(event);
    }
}

/* What goes wrong, a while after the beginning. */
static void played_fault(struct played *played)
{
    if (plays(played, PART_CRASH))
        raise(SIGKILL);
    if (plays(played, PART_NOROW))
        exit(EXIT_MEASURED_FAILURE);
    if (plays(played, PART_CLOSE) && played->count > 0) {
        xcb_destroy_window(played->connection, played->windows[0]);
        played->count = 0;
    }
    if (plays(played, PART_X))
        kill(atoi(getenv("FANIN_TEST_X")), SIGKILL);
}

static void played_run(struct played *played, uint64_t for_ms)
{
    const uint64_t rounds = for_ms / PERIOD_MS;
    for (uint64_t i = 0; i < rounds && xcb_connection_has_error(played->connection) == 0; i++) {
        played_events(played);
        if (i == 50)
            played_fault(played);
        for (unsigned window = 0; window < played->count; window++)
            played_paint(played, window);
        xcb_flush(played->connection);
        os_sleep_ns((uint64_t)PERIOD_MS * OS_NS_PER_MS);
    }
}

/* xtightvncviewer -display NAME ... HOST::PORT */
static int play_foreign(int argc, char **argv)
{
    struct played played;
    const char *display = NULL;
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "-display") == 0)
            display = argv[i + 1];
    played_open(&played, display);
    played_window(&played, 0, 0); /* all at one place, as viewers do */
    played_run(&played, (uint64_t)PATIENCE_S * 1000);
    return EXIT_MEASURED_FAILURE;
}

/* fanin-monitor: takes all that the eye tells it, and leaves a row. */
static int play_monitor(int argc, char **argv)
{
    static const struct program_help help = {.name = "fanin-monitor", .about = "", .examples = ""};
    static struct monitor_row row;
    struct monitor_options options = {.viewer = VIEWER_MONITOR};
    struct played played;
    if (monitor_options_read(&help, argc, argv, &options) != OPTIONS_OK)
        return EXIT_WRONG_USE;
    played_open(&played, options.display);
    for (unsigned i = 0; i < options.screens; i++)
        played_window(&played, (int)i * WIDTH, 0);
    played_run(&played,
               plays(&played, PART_HANG) ? (uint64_t)PATIENCE_S * 1000 : options.for_ms + 300);
    monitor_row_init(&row, &options);
    row.screens_connected = options.screens;
    row.updates = 4711;
    row.cpu_s = 0.25;
    row_tally_add(row.screens_lost, "bad-tight");
    return monitor_row_finish(&row);
}

/* ---- the eye --------------------------------------------------------------------------------- */

static char search[8 * PATH_BYTES]; /* PATH as it was */
static char directory[PATH_BYTES], eye_path[PATH_BYTES + 16], row_path[PATH_BYTES + 16],
    errors_path[PATH_BYTES + 16];
static struct arena arena;
static char row_text[1 << 16];

static bool has_xvfb(void)
{
    return system("command -v Xvfb >/dev/null") == 0;
}

#define NEEDS_XVFB()                                                                               \
    if (!has_xvfb()) {                                                                             \
        print_message("no Xvfb here (Debian: xvfb)\n");                                            \
        skip();                                                                                    \
    }

static int eye_setup(void **state)
{
    char built[PATH_BYTES], self[PATH_BYTES], command[8 * PATH_BYTES], path[10 * PATH_BYTES];
    const ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    if (bytes < 0 || !temporary_directory(directory, sizeof directory) ||
        !find_upwards(built, sizeof built, "fanin-eye"))
        return -1;
    self[bytes] = '\0';
    snprintf(eye_path, sizeof eye_path, "%s/fanin-eye", directory);
    snprintf(row_path, sizeof row_path, "%s/row", directory);
    snprintf(errors_path, sizeof errors_path, "%s/errors", directory);
    if (search[0] == '\0')
        snprintf(search, sizeof search, "%s", getenv("PATH"));
    setenv("PATH", search, 1);
    snprintf(path, sizeof path, "%s:%s", directory, search);
    snprintf(command, sizeof command,
             "cp '%s' '%s' && ln -s '%s' '%s/fanin-monitor' && ln -s '%s' '%s/xtightvncviewer'",
             built, eye_path, self, directory, self, directory);
    unsetenv(PART);
    const int made = system(command);
    setenv("PATH", path, 1);
    return made;
}

static int eye_teardown(void **state)
{
    char command[PATH_BYTES + 16];
    arena_free(&arena);
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

static struct os_process eye_start(const char *const *arguments)
{
    char json[PATH_BYTES + 32];
    char *argv[32] = {eye_path, json, (char *)"--quiet"};
    struct os_process process;
    unsigned count = 3;
    snprintf(json, sizeof json, "--json=%s", row_path);
    unlink(row_path);
    unlink(errors_path);
    while (arguments[count - 3] != NULL) {
        argv[count] = (char *)arguments[count - 3];
        count++;
    }
    assert_int_equal(os_process_start(&process, argv, errors_path, errors_path), 0);
    return process;
}

static int eye_end(struct os_process *process)
{
    int code = -1;
    assert_int_equal(os_process_wait(process, (uint64_t)PATIENCE_S * OS_NS_PER_S, &code), 1);
    file_read(row_path, row_text, sizeof row_text);
    if (code == EXIT_MEASURED_FAILURE)
        print_message("%s\n", json_find_text(&arena, row_text, "reason"));
    return code;
}

#define eye_run(...) eye_run_with((const char *const[]){__VA_ARGS__, NULL})
static int eye_run_with(const char *const *arguments)
{
    struct os_process process = eye_start(arguments);
    return eye_end(&process);
}

static double row_number(const char *key)
{
    double number = NAN;
    if (!json_find_number(row_text, key, &number))
        fail_msg("%s is no number in %s", key, row_text);
    return number;
}

static const char *row_string(const char *key)
{
    const char *text = json_find_text(&arena, row_text, key);
    return text != NULL ? text : "null";
}

static void assert_says(const char *key, const char *part)
{
    if (strstr(row_string(key), part) == NULL)
        fail_msg("%s is \"%s\", without \"%s\"", key, row_string(key), part);
}

/* The viewer is late by LATE_MS, and the eye adds its floor. */
static void assert_late(void)
{
    assert_true(row_number("screen_ms_p50") >= LATE_MS);
    assert_true(row_number("screen_ms_p50") <= row_number("screen_ms_p95"));
    assert_true(row_number("screen_ms_p95") <= row_number("worst_screen_p95_ms") + 1e-9);
    assert_true(row_number("worst_screen_p95_ms") <= row_number("screen_ms_max"));
    assert_true(row_number("eye_floor_ms_p50") > 0);
    assert_true(row_number("eye_floor_ms_p50") <= row_number("eye_floor_ms_p95"));
}

TEST(a_row_has_what_the_viewer_says_and_what_the_eye_saw, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    assert_int_equal(eye_run("--screens=2", "--for=1500ms", "--control", "--input-rate=20",
                             "--workers=3", "--encodings=zrle,raw", "--quality=10"),
                     EXIT_DONE);
    assert_string_equal(row_string("viewer"), "monitor");
    assert_string_equal(row_string("encodings"), "zrle,raw");
    assert_true(row_number("workers") == 3);
    assert_true(row_number("quality") == 10);
    assert_true(row_number("updates") == 4711);
    assert_true(row_number("cpu_s") == 0.25);
    assert_non_null(strstr(row_text, "\"screens_lost\":{\"bad-tight\":1}"));
    assert_true(row_number("eye_screens") == 2);
    assert_true(row_number("eye_stamps") > 20);
    assert_late();
    assert_true(row_number("keys_sent") > 3);
    assert_true(row_number("keys_seen") == row_number("keys_sent"));
    assert_true(row_number("input_ms_p50") > 0);
    assert_true(row_number("input_ms_p50") <= row_number("input_ms_p95"));
}

TEST(windows_of_other_viewers_are_set_apart, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    assert_int_equal(eye_run("--viewer=xtightvnc", "--screens=3", "--topology=connect", "--for=1s",
                             "--control", "--input-rate=20"),
                     EXIT_DONE);
    assert_string_equal(row_string("viewer"), "xtightvnc");
    assert_string_equal(row_string("gate"), "none");
    assert_says("audit", "none: ");
    assert_true(row_number("screens_connected") == 3);
    assert_true(row_number("eye_screens") == 3);
    assert_true(row_number("elapsed_ms") >= 1000);
    assert_true(row_number("cpu_s") > 0);
    assert_true(row_number("total_threads") >= 3);
    assert_true(row_number("keys_seen") == row_number("keys_sent"));
    assert_late();
}

TEST(stamps_are_found_beside_bars_and_frames, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    setenv(PART, PART_FRAME, 1);
    assert_int_equal(
        eye_run("--viewer=xtightvnc", "--screens=1", "--topology=connect", "--for=500ms"),
        EXIT_DONE);
    assert_late();
}

TEST(windows_without_stamps_fail, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    setenv(PART, PART_BLACK, 1);
    assert_int_equal(eye_run("--viewer=xtightvnc", "--screens=2", "--topology=connect",
                             "--for=500ms", "--handshake-timeout=1s"),
                     EXIT_MEASURED_FAILURE);
    assert_string_equal(row_string("status"), "failed");
    assert_says("reason", "stamps in 0 windows of 2");
    assert_non_null(strstr(row_text, "\"screen_ms_p95\":null"));
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

static void fails(const char *part, const char *viewer, const char *reason)
{
    char option[64];
    snprintf(option, sizeof option, "--viewer=%s", viewer);
    setenv(PART, part, 1);
    assert_int_equal(eye_run(option, "--screens=1", "--topology=connect", "--for=2s",
                             "--handshake-timeout=500ms", "--stall-timeout=100ms"),
                     EXIT_MEASURED_FAILURE);
    assert_string_equal(row_string("status"), "failed");
    assert_says("reason", reason);
}

TEST(a_viewer_that_ends_too_early_fails, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    double cpu_s; /* of the kernel's threads, which are of process group 0: none of a viewer's */
    fails(PART_CRASH, "xtightvnc", "xtightvncviewer ended with signal");
    assert_false(json_find_number(row_text, "cpu_s", &cpu_s) && cpu_s > 60);
    fails(PART_CRASH, "monitor", "fanin-monitor ended with signal");
    fails(PART_NOROW, "monitor", "fanin-monitor ended with exit code 1");
}

TEST(a_viewer_that_hangs_is_stopped, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    fails(PART_HANG, "monitor", "did not end within");
}

TEST(a_window_that_is_closed_fails, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    fails(PART_CLOSE, "xtightvnc", "a window of the viewer was closed");
}

/* An X server of the test's own, which it can kill. */
TEST(an_x_server_that_goes_away_fails, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    struct os_process server;
    char name[XDISPLAY_BYTES], display[48], pid[16], why[128];
    assert_int_equal(xdisplay_xvfb(&server, 1400, 900, NULL, NULL, name, why, sizeof why), 0);
    snprintf(display, sizeof display, "--display=%s", name);
    snprintf(pid, sizeof pid, "%d", (int)server.handle);
    setenv("FANIN_TEST_X", pid, 1);
    setenv(PART, PART_X, 1);
    const int code = eye_run("--screens=1", "--for=2s", display);
    os_process_stop(&server, 0);
    assert_int_equal(code, EXIT_MEASURED_FAILURE);
    assert_says("reason", "has gone");
}

TEST(a_viewer_or_an_x_server_that_is_not_there_is_skipped, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    setenv("PATH", "/nowhere", 1);
    const int without_xvfb = eye_run("--screens=1", "--for=1s");
    char reason[ROW_LINE_BYTES];
    snprintf(reason, sizeof reason, "%s", row_string("reason"));
    const int without_display = eye_run("--screens=1", "--for=1s", "--display=:65000");
    setenv("PATH", search, 1);
    assert_int_equal(without_xvfb, EXIT_MACHINE_CANNOT);
    assert_string_equal(reason, "Xvfb is not installed (Debian: xvfb)");
    assert_int_equal(without_display, EXIT_MACHINE_CANNOT);
    assert_string_equal(row_string("reason"), "there is no X server at :65000");
}

TEST(what_a_viewer_cannot_do_is_skipped_with_the_reason, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    assert_int_equal(eye_run("--viewer=xtigervnc", "--screens=2", "--for=1s"), EXIT_MACHINE_CANNOT);
    assert_says("reason", "--topology accept: ");
    assert_int_equal(eye_run("--viewer=xtightvnc", "--encodings=zrle", "--for=1s"),
                     EXIT_MACHINE_CANNOT);
    assert_says("reason", "--encodings zrle: ");
}

TEST(an_eye_needs_windows_and_a_place_for_its_row, eye_setup, eye_teardown)
{
    assert_int_equal(eye_run("--view=none", "--for=1s"), EXIT_WRONG_USE);
    assert_int_equal(eye_run("--view=windows", "--for=1s", "--dry-run"), EXIT_DONE);
    strcpy(row_path, "/"); /* is no file */
    assert_int_equal(eye_run("--screens=1"), EXIT_MACHINE_CANNOT);
}

/* Processes that have the directory of this test in the PATH that they were started with. */
static unsigned processes_left(void)
{
    static char text[1 << 16];
    char path[64];
    unsigned left = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%.20s/environ", entry->d_name);
        FILE *file = fopen(path, "r");
        const size_t bytes = file != NULL ? fread(text, 1, sizeof text, file) : 0;
        left += memmem(text, bytes, directory, strlen(directory)) != NULL;
        if (file != NULL)
            fclose(file);
    }
    closedir(processes);
    return left;
}

/* Starts an eye, and sends the signal when so many processes run. Returns its exit code. */
static int eye_signalled(unsigned least, int signal)
{
    struct os_process process = eye_start((const char *const[]){
        "--viewer=xtightvnc", "--screens=2", "--topology=connect", "--for=60s", NULL});
    unsigned left = 0; /* some last for a moment only */
    for (unsigned j = 0; j < PATIENCE_S * 10 && (left = processes_left()) < least; j++)
        os_sleep_ns((uint64_t)100 * OS_NS_PER_MS);
    assert_true(left >= least);
    kill((pid_t)process.handle, signal);
    return eye_end(&process);
}

TEST(however_it_ends_no_process_is_left_and_an_interrupt_is_said, eye_setup, eye_teardown)
{
    NEEDS_XVFB();
    setenv(PART, PART_BLACK, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(eye_signalled(i == 0 ? 2 : 4, i < 2 ? SIGTERM : SIGKILL),
                         i < 2 ? EXIT_MEASURED_FAILURE : 128 + SIGKILL);
        if (i < 2)
            assert_says("reason", "interrupted by SIGTERM before");
        for (unsigned j = 0; j < PATIENCE_S * 10 && processes_left() > 0; j++)
            os_sleep_ns((uint64_t)100 * OS_NS_PER_MS);
        assert_int_equal(processes_left(), 0);
    }
}

int main(int argc, char **argv)
{
    const char *name = os_path_name(argv[0]);
    if (strcmp(name, "xtightvncviewer") == 0)
        return play_foreign(argc, argv);
    if (strcmp(name, "fanin-monitor") == 0)
        return play_monitor(argc, argv);
    return tests_run(NULL, NULL);
}
