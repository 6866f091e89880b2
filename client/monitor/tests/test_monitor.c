/* fanin-monitor against a fleet of mock screens: watched, audited, controlled, and whatever screens
 * do wrong ends themselves alone. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tests/find.h"
#include "base/tests/ports.h"
#include "base/tests/test.h"
#include "client/monitor/monitor.h"
#include "client/monitor/tests/script.h"

enum { WORDS_MAX = 24, GRACE_S = 10, PATIENCE_S = 120 };

static struct monitor_options options;
static struct monitor_row row;
static struct os_process fleet;
static char directory[256], port_text[32];

/* ---- the fleet and the run ------------------------------------------------------------------- */

static int tear_down(void **state)
{
    os_process_stop(&fleet, (uint64_t)GRACE_S * OS_NS_PER_S);
    memset(&glass_scripted, 0, sizeof glass_scripted);
    return 0;
}

/* Splits a line of words; returns how many. */
static unsigned split(char *line, char **words, unsigned used)
{
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(used < WORDS_MAX - 1);
        words[used++] = word;
    }
    words[used] = NULL;
    return used;
}

static void start(struct os_process *process, const char *name, const char *arguments,
                  const char *errors)
{
    char path[4096], line[1024], *words[WORDS_MAX] = {path};
    if (!find_upwards(path, sizeof path, name))
        skip();
    snprintf(line, sizeof line, "%s", arguments);
    split(line, words, 1);
    assert_int_equal(os_process_start(process, words, "/dev/null", errors), 0);
}

/* Screens that connect to the port of the next run. */
static void start_fleet(const char *arguments)
{
    char line[1024];
    snprintf(port_text, sizeof port_text, "--port=%u", ports_free(10));
    snprintf(line, sizeof line, "--connect=127.0.0.1 %s --quiet %s", port_text, arguments);
    start(&fleet, "fanin-screens", line, NULL);
}

static void read_options(const char *arguments)
{
    static char line[1024];
    static const struct program_help program = {"test", "", "", false};
    char *words[WORDS_MAX] = {(char *)"test", (char *)"--quiet", port_text};
    snprintf(line, sizeof line, "%s", arguments);
    const unsigned count = split(line, words, 3);
    assert_int_equal(monitor_options_read(&program, (int)count, words, &options), OPTIONS_OK);
    monitor_row_init(&row, &options);
}

static void run(const char *arguments)
{
    read_options(arguments);
    monitor_run(&options, &glass_script, &row);
}

static void assert_ok(unsigned screens)
{
    if (row.status != ROW_OK)
        fail_msg("status: %s", row.reason);
    assert_string_equal(row.audit, "pass");
    assert_int_equal(row.screens_connected, screens);
}

static uint64_t lost(const char *cause)
{
    for (unsigned i = 0; i < row.screens_lost->used; i++)
        if (strcmp(row.screens_lost->items[i].name, cause) == 0)
            return row.screens_lost->items[i].count;
    return 0;
}

/* ---- watching -------------------------------------------------------------------------------- */

TEST(screens_are_watched_and_audited, NULL, tear_down)
{
    start_fleet("--count=3 --scene=type --scene-rate=60 --size=640x128");
    run("--screens=3 --for=500");
    assert_ok(3);
    assert_true(row.updates > 3 && row.stamps > 3 && row.bytes > 0);
    assert_true(row.decoded_ms_p50 >= 0 && row.decoded_ms_p50 <= row.decoded_ms_max);
    assert_int_equal(row.screens_lost->used, 0);
    assert_int_equal(row.worker_threads, options.workers);
    for (unsigned i = 0; i < 3; i++)
        assert_true(glass_scripted.puts[i] > 0);
}

TEST(screens_that_listen_are_connected_to, NULL, tear_down)
{
    const unsigned port = ports_free(10);
    char line[256];
    snprintf(port_text, sizeof port_text, "--port=%u", port);
    snprintf(line, sizeof line, "--count=3 %s --size=640x128 --quiet", port_text);
    start(&fleet, "fanin-screens", line, NULL); /* may not listen yet: the monitor tries again */
    run("--screens=3 --for=300 --topology=connect");
    assert_ok(3);
}

static void storm(const char *accepts)
{
    char line[256];
    start_fleet("--count=100 --size=512x32 --scene-rate=5");
    snprintf(line, sizeof line, "--screens=100 --for=300 --accepts=%s", accepts);
    run(line);
    assert_ok(100);
    assert_int_equal(row.screens_lost->used, 0);
    assert_true(row.accept_ms > 0);
}

/* Where nothing changes the first pictures are all there is, and they are not what is measured. */
TEST(the_watch_begins_behind_the_first_pictures, NULL, tear_down)
{
    start_fleet("--count=60 --size=512x32 --scene-rate=0");
    run("--screens=60 --for=300");
    assert_ok(60);
    assert_true(row.pictures_ms > 0);
    assert_int_equal(row.updates, 0);
}

TEST(a_hundred_connect_at_once_to_a_thread, NULL, tear_down)
{
    storm("thread");
}

TEST(a_hundred_connect_at_once_to_the_port, NULL, tear_down)
{
    storm("port");
}

TEST(more_ahead_a_rate_and_a_budget_change_no_picture, NULL, tear_down)
{
    start_fleet("--count=4 --scene=scroll --scene-rate=100 --size=640x128");
    run("--screens=4 --for=500 --rate=20 --budget=40mbit --ahead=2");
    assert_ok(4);
    assert_true(row.updates <= 4 * (20 * (row.elapsed_ms / 1000) + 4));
}

/* What it does not show stays in the screens, and not here. */
TEST(a_flood_of_changes_takes_no_memory, NULL, tear_down)
{
    enum { GROWTH_MAX = 96 << 20 };
    struct os_usage before, after;
    os_usage_read(&before);
    start_fleet("--count=4 --scene=video --scene-rate=100 --size=640x360");
    run("--screens=4 --for=1000 --encodings=raw");
    os_usage_read(&after);
    assert_ok(4);
    assert_true(after.rss_peak_bytes < before.rss_bytes + GROWTH_MAX);
}

TEST(an_audit_finds_one_wrong_pixel, NULL, tear_down)
{
    start_fleet("--count=2 --size=640x128");
    glass_scripted.spoils = true;
    run("--screens=2 --for=200");
    assert_int_equal(row.status, ROW_FAILED);
    assert_non_null(strstr(row.audit, "fail: "));
    assert_non_null(strstr(row.audit, "its picture differs"));
}

static void kill_in_audit(const struct glass_hooks *hooks, void *context)
{
    while (atomic_load(&((const struct monitor *)context)->phase) < PHASE_AUDITING)
        os_sleep_ns(OS_NS_PER_MS);
    os_process_stop(&fleet, 0);
}

TEST(who_leaves_before_its_turn_gave_no_answer, NULL, tear_down)
{
    start_fleet("--count=40 --size=640x128 --scene=flip-all --fault=slow:40:300000");
    glass_scripted.act = kill_in_audit;
    run("--screens=40 --for=500 --encodings=raw");
    assert_non_null(strstr(row.audit, " of 40 screens"));
}

TEST(screens_that_do_not_come_are_counted, NULL, tear_down)
{
    start_fleet("--count=2 --size=640x128");
    run("--screens=3 --for=200 --handshake-timeout=1000");
    assert_int_equal(row.status, ROW_FAILED);
    assert_non_null(strstr(row.reason, "2 of 3 screens came"));
    assert_int_equal(row.screens_connected, 2);
}

TEST(a_screen_too_many_has_no_place, NULL, tear_down)
{
    start_fleet("--count=3 --size=640x128");
    run("--screens=2 --for=500");
    assert_int_equal(row.screens_connected, 2);
    assert_true(lost("no-place") >= 1);
    assert_string_equal(row.audit, "pass");
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* What each does to its screen, and that to no other. */
static const struct {
    const char *fault, *cause;
} faults[] = {
    {"silent", "timeout"},
    {"bad-version", "bad-version"},
    {"refuse", "refused"},
    {"long-reason", "too-long"},
    {"huge-size", "bad-size"},
    {"zero-size", "bad-size"},
    {"long-name", "too-long"},
    {"outside", "outside"},
    {"bad-message", "bad-message"},
    {"copy-outside", "copy-outside"},
    {"long-text", "too-long"},
    {"bad-encoding", "bad-encoding"},
    {"freeze", "stalled"},
    {"vanish", "closed"},
    {"reset", "reset"},
    {"tight-wide", "bad-tight"},
    {"tight-length", "bad-zlib"},
    {"bomb", "bad-zlib"},
    {"jpeg-size", "bad-jpeg"},
    {"palette", "bad-palette"},
};
enum { FAULTS = sizeof faults / sizeof faults[0], GOOD = 3 };

/* NULL, or the first fault whose screens were not all lost by it. */
static const char *first_missing(void)
{
    for (unsigned i = 0; i < FAULTS; i++) {
        unsigned wanted = 0;
        for (unsigned j = 0; j < FAULTS; j++)
            wanted += strcmp(faults[i].cause, faults[j].cause) == 0;
        if (lost(faults[i].cause) < wanted)
            return faults[i].fault;
    }
    return NULL;
}

/* A busy machine may need longer until each fault was committed. */
TEST(each_fault_ends_its_own_screen_alone, NULL, tear_down)
{
    for (unsigned patience_s = 2; patience_s == 2 || first_missing() != NULL; patience_s *= 2) {
        char line[1024];
        if (patience_s > 32)
            fail_msg("%s: its screens were not all lost by it", first_missing());
        int used = snprintf(line, sizeof line,
                            "--count=%d --size=640x128 --scene-rate=30 --fault=", FAULTS + GOOD);
        for (unsigned i = 0; i < FAULTS; i++)
            used += snprintf(line + used, sizeof line - (size_t)used, "%s%s:1", i > 0 ? "," : "",
                             faults[i].fault);
        tear_down(NULL);
        start_fleet(line);
        snprintf(line, sizeof line,
                 "--screens=%d --for=200 --handshake-timeout=%us --stall-timeout=1s", FAULTS + GOOD,
                 patience_s);
        run(line);
    }
    assert_string_equal(row.audit, "pass");
}

TEST(a_screen_that_comes_again_has_its_place, NULL, tear_down)
{
    start_fleet("--count=3 --size=640x128 --scene-rate=30 --fault=return:1:100");
    run("--screens=3 --for=1s");
    assert_int_equal(row.screens_connected, 3);
    assert_true(row.screens_returned >= 1);
    assert_true(lost("closed") >= row.screens_returned);
}

TEST(a_picture_that_changes_its_size_is_followed, NULL, tear_down)
{
    start_fleet("--count=2 --size=640x128 --scene-rate=30 --fault=resize:1");
    run("--screens=2 --for=2500");
    assert_ok(2);
}

TEST(a_slow_screen_is_waited_for, NULL, tear_down)
{
    start_fleet("--count=2 --size=512x32 --scene-rate=30 --fault=slow:1:200000");
    run("--screens=2 --for=500 --stall-timeout=500");
    assert_ok(2);
}

/* ---- input ----------------------------------------------------------------------------------- */

static bool in_time; /* keys were pressed before the run was over */

/* Keys are pressed and the pointer moves, and one key stays down. */
static void press(const struct glass_hooks *hooks, void *context)
{
    const struct monitor *monitor = context;
    hooks->focused(context, 0);
    for (unsigned i = 0; i < 20; i++) {
        hooks->key(context, 0, 'a' + i, true);
        hooks->key(context, 0, 'a' + i, false);
        hooks->pointer(context, 0, 10 * i, 5, i % 2);
    }
    hooks->key(context, 0, 'z', true);
    hooks->key(context, 0, 'y', false); /* went down elsewhere */
    hooks->unfocused(context, 0);
    hooks->key(context, 0, 'x', true);
    in_time = atomic_load(&monitor->phase) < PHASE_AUDITING;
}

static void close_window(const struct glass_hooks *hooks, void *context)
{
    hooks->closed(context, 0);
}

TEST(input_reaches_the_screen_and_what_is_held_is_released, NULL, tear_down)
{
    start_fleet("--count=1 --size=640x128");
    glass_scripted.act = press;
    run("--screens=1 --for=700 --control");
    assert_ok(1);
    assert_true(row.events_sent >= 44 ||
                !in_time); /* 40 keys, z and x and their releases; pointers may join */
    assert_int_equal(row.events_seen, row.events_sent);
}

TEST(without_control_nothing_is_sent, NULL, tear_down)
{
    start_fleet("--count=1 --size=640x128");
    glass_scripted.act = press;
    run("--screens=1 --for=300");
    assert_ok(1);
    assert_int_equal(row.events_sent, 0);
}

TEST(windows_that_are_all_closed_by_hand_end_the_run, NULL, tear_down)
{
    start_fleet("--count=1 --size=640x128");
    glass_scripted.act = close_window;
    run("--screens=1 --for=600s");
    assert_int_equal(lost("window-closed"), 1);
    assert_string_equal(row.interrupted_by, "windows closed");
}

/* ---- the program ----------------------------------------------------------------------------- */

static int finish(struct os_process *process)
{
    int code = -1;
    if (os_process_wait(process, (uint64_t)PATIENCE_S * OS_NS_PER_S, &code) != 1)
        os_process_stop(process, 0);
    return code;
}

static void path_in(char path[300], const char *name)
{
    if (directory[0] == '\0')
        assert_true(temporary_directory(directory, sizeof directory));
    snprintf(path, 300, "%s/%s", directory, name);
    unlink(path);
}

static int remove_directory(void **state)
{
    tear_down(state);
    if (directory[0] != '\0')
        rmdir(directory);
    directory[0] = '\0';
    return 0;
}

TEST(ctrl_c_ends_the_run_with_its_row_and_journal, NULL, remove_directory)
{
    struct os_process monitor;
    char line[1024], json[300], journal[300], text[8192] = "";
    path_in(json, "row");
    path_in(journal, "journal");
    start_fleet("--count=2 --size=640x128");
    snprintf(line, sizeof line, "%s --screens=2 --view=none --json=%s --journal=%s --quiet",
             port_text, json, journal);
    start(&monitor, "fanin-monitor", line, NULL);
    const uint64_t until_ns = os_now_ns() + (uint64_t)PATIENCE_S * OS_NS_PER_S;
    for (const char *at = NULL; at == NULL && os_now_ns() < until_ns;) {
        os_sleep_ns(20 * OS_NS_PER_MS);
        file_read(journal, text, sizeof text);
        at = strstr(text, "connected");
        at = at != NULL ? strstr(at + 1, "connected") : NULL;
    }
    kill((pid_t)monitor.handle, SIGINT);
    assert_int_equal(finish(&monitor), 0);
    file_read(json, text, sizeof text);
    assert_non_null(strstr(text, "\"interrupted_by\":\"SIGINT\""));
    assert_non_null(strstr(text, "\"audit\":\"pass\""));
    file_read(journal, text, sizeof text);
    assert_non_null(strstr(text, "\"event\":\"ended\""));
    assert_non_null(strstr(text, "\"reason\":\"end\""));
    assert_non_null(strstr(text, "\"from\":\"127.0.0.1:"));
    unlink(json);
    unlink(journal);
}

TEST(a_full_disk_is_told, NULL, remove_directory)
{
    struct os_process monitor;
    char line[256], errors[300], text[1024];
    path_in(errors, "errors");
    start_fleet("--count=1 --size=640x128");
    snprintf(line, sizeof line, "%s --screens=1 --for=100 --view=none --json=/dev/full", port_text);
    start(&monitor, "fanin-monitor", line, errors);
    assert_int_equal(finish(&monitor), EXIT_MACHINE_CANNOT);
    file_read(errors, text, sizeof text);
    assert_non_null(strstr(text, "--json: cannot write '/dev/full'"));
    unlink(errors);
    run("--screens=1 --for=100 --journal=/dev/full");
    assert_int_equal(row.status, ROW_FAILED);
    assert_non_null(strstr(row.reason, "--journal: cannot write '/dev/full'"));
}

TEST(too_few_descriptors_are_told_before_the_run, NULL, remove_directory)
{
    struct os_process shell;
    char path[4096], command[4400], errors[300], text[1024];
    char *words[] = {(char *)"sh", (char *)"-c", command, NULL};
    if (!find_upwards(path, sizeof path, "fanin-monitor"))
        skip();
    path_in(errors, "errors");
    snprintf(command, sizeof command,
             "ulimit -n 80 && exec '%s' --screens=100 --view=none --port=%u", path, ports_free(10));
    assert_int_equal(os_process_start(&shell, words, "/dev/null", errors), 0);
    assert_int_equal(finish(&shell), EXIT_MACHINE_CANNOT);
    file_read(errors, text, sizeof text);
    unlink(errors);
    assert_non_null(strstr(text, "100 screens need 164 descriptors"));
}

enum { MANY = 60 };

static unsigned asked_least; /* screens that were asked at once; MANY: never fewer than all */

/* Until fewer than half are asked at once; then all windows are closed. */
static void await_turns(const struct glass_hooks *hooks, void *context)
{
    struct monitor *monitor = context;
    const uint64_t until_ns = os_now_ns() + (uint64_t)PATIENCE_S * OS_NS_PER_S;
    for (asked_least = MANY; asked_least >= MANY / 2 && os_now_ns() < until_ns;) {
        unsigned asked = 0;
        os_sleep_ns(OS_NS_PER_MS);
        pthread_mutex_lock(&monitor->lock);
        for (unsigned i = 0; i < MANY; i++)
            asked += monitor->credit.screens[i].asked > 0;
        if (monitor->all_pictured && asked < asked_least)
            asked_least = asked;
        pthread_mutex_unlock(&monitor->lock);
    }
    for (unsigned i = 0; i < MANY; i++)
        hooks->closed(context, i);
}

/* What is full is the fleet's one thread, which has more to encode than it can. Under the thread
 * sanitizer small pictures take as long; there large ones are so slow that even the fewest turns
 * are late, which means a long path and more turns, and their shadow is larger than they are. */
TEST(behind_what_is_full_screens_take_turns_and_no_memory, NULL, tear_down)
{
    enum { GROWTH_MAX = 192 << 20 };
    struct os_usage before, after;
    os_usage_read(&before);
    start_fleet(THREAD_SANITIZED ? "--count=60 --size=192x128 --scene=video --scene-rate=100"
                                 : "--count=60 --size=640x360 --scene=video --scene-rate=100");
    glass_scripted.act = await_turns;
    run("--screens=60 --for=600s --quality=10");
    os_usage_read(&after);
    assert_string_equal(row.interrupted_by, "windows closed");
    assert_true(asked_least < MANY / 2);
    assert_true(after.rss_peak_bytes < before.rss_bytes + GROWTH_MAX);
}

/* What waited behind 200 first pictures was due before the watch; it is not among its delays.
 * The last test: its pictures stay in the peak of memory. */
TEST(no_delay_is_longer_than_the_watch, NULL, tear_down)
{
    start_fleet("--count=200 --size=512x256 --scene=type --scene-rate=10");
    run("--screens=200 --for=20");
    assert_ok(200);
    assert_true(isnan(row.decoded_ms_max) || row.decoded_ms_max <= 2 * row.elapsed_ms);
}
