/* Real viewers before the eye, each showing screens of fanin-screens: what is to be seen in their
 * windows, and what keys do. One that is not installed is left out, with the reason. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/net.h"
#include "base/options.h"
#include "base/os.h"
#include "base/tests/find.h"
#include "base/tests/ports.h"
#include "base/tests/test.h"

enum { PATH_BYTES = 512, PATIENCE_S = 120 };

static char row_text[1 << 16], directory[PATH_BYTES];
static struct arena arena;
static struct os_process screens;

static int viewers_setup(void **state)
{
    return temporary_directory(directory, sizeof directory) ? 0 : -1;
}

static int viewers_teardown(void **state)
{
    char command[PATH_BYTES + 16];
    os_process_stop(&screens, (uint64_t)PATIENCE_S * OS_NS_PER_S);
    arena_free(&arena);
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

static struct os_process start(const char *program, const char *const *arguments)
{
    char path[PATH_BYTES], log[PATH_BYTES + 16];
    char *argv[32] = {path};
    struct os_process process;
    if (!find_upwards(path, sizeof path, program))
        fail_msg("%s is not built", program);
    for (unsigned i = 0; arguments[i] != NULL; i++)
        argv[i + 1] = (char *)arguments[i];
    snprintf(log, sizeof log, "%s/log", directory);
    assert_int_equal(os_process_start(&process, argv, log, log), 0);
    return process;
}

static double number_of(const char *key)
{
    double number = NAN;
    if (!json_find_number(row_text, key, &number))
        fail_msg("%s is no number in %s", key, row_text);
    return number;
}

/* Runs it before two screens, skips what this machine lacks, and looks at what each must have. */
static void look_at(const char *program, const char *viewer, const char *topology, bool keys)
{
    char port[32], first[32], out[PATH_BYTES + 16], json[PATH_BYTES + 32], chosen[32], mode[32];
    const unsigned base = ports_free(4);
    const bool accepts = strcmp(topology, "accept") == 0;
    int code;
    snprintf(first, sizeof first, "--port=%u", base);
    snprintf(port, sizeof port, "--port=%u", base);
    snprintf(out, sizeof out, "%s/row", directory);
    snprintf(json, sizeof json, "--json=%s", out);
    snprintf(chosen, sizeof chosen, "--viewer=%s", viewer);
    snprintf(mode, sizeof mode, "--topology=%s", topology);
    screens =
        start("fanin-screens",
              (const char *const[]){"--count=2", first, "--scene=type", "--quiet",
                                    accepts ? "--connect=127.0.0.1" : "--listen=127.0.0.1", NULL});
    const bool eye = strcmp(program, "fanin-eye") == 0;
    const char *const for_eye[] = {"--screens=2",
                                   port,
                                   mode,
                                   "--for=1500ms",
                                   "--quiet",
                                   json,
                                   chosen,
                                   keys ? "--control" : "--control=no",
                                   keys ? "--input-rate=5" : "--input-rate=0",
                                   NULL};
    const char *const for_others[] = {"--screens=2", port, mode,          "--for=1s",
                                      "--quiet",     json, "--view=none", NULL};
    struct os_process process = start(program, eye ? for_eye : for_others);
    assert_int_equal(os_process_wait(&process, (uint64_t)PATIENCE_S * OS_NS_PER_S, &code), 1);
    file_read(out, row_text, sizeof row_text);
    if (code == EXIT_MACHINE_CANNOT) {
        print_message("%s: %s\n", viewer,
                      json_is_object(row_text) ? json_find_text(&arena, row_text, "reason")
                                               : "its library is not here");
        skip();
    }
    if (code != EXIT_DONE)
        fail_msg("%s exits with %d: %s", viewer, code, row_text);
    assert_string_equal(json_find_text(&arena, row_text, "viewer"), viewer);
    assert_true(number_of("screens_connected") == 2);
}

static void assert_seen(bool keys)
{
    assert_true(number_of("eye_screens") == 2);
    assert_true(number_of("eye_stamps") > 2);
    assert_true(number_of("worst_screen_p95_ms") > 0);
    if (keys) {
        assert_true(number_of("keys_sent") >= 2);
        assert_true(number_of("keys_seen") == number_of("keys_sent"));
    }
}

static void assert_passed(void)
{
    assert_string_equal(json_find_text(&arena, row_text, "audit"), "pass");
    assert_true(number_of("stamps") > 2);
    assert_true(number_of("decoded_worst_p95_ms") > 0);
    assert_true(number_of("bytes") > 0);
}

TEST(our_monitor_is_looked_at, viewers_setup, viewers_teardown)
{
    look_at("fanin-eye", "monitor", "accept", true);
    assert_seen(true);
}

TEST(libvncclients_threads_are_looked_at, viewers_setup, viewers_teardown)
{
    look_at("fanin-eye", "vncclient", "accept", true);
    assert_seen(true);
    assert_passed();
    assert_true(number_of("events_seen") == number_of("events_sent"));
}

TEST(libvncclients_threads_need_no_windows, viewers_setup, viewers_teardown)
{
    look_at("fanin-peer-vncclient", "vncclient", "connect", false);
    assert_passed();
    assert_true(number_of("worker_threads") == 2);
}

TEST(xtightvncviewers_are_looked_at, viewers_setup, viewers_teardown)
{
    look_at("fanin-eye", "xtightvnc", "connect", true);
    assert_seen(true);
}

TEST(xtigervncviewers_are_looked_at, viewers_setup, viewers_teardown)
{
    look_at("fanin-eye", "xtigervnc", "connect", true);
    assert_seen(true);
}
