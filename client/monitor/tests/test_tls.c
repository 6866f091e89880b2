/* A screen that is not ours, by TLS: Xtigervnc with a certificate of the test's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tests/find.h"
#include "base/tests/ports.h"
#include "base/tests/test.h"
#include "client/monitor/monitor.h"

enum { PATIENCE_S = 120, WORDS_MAX = 16 };

static struct monitor_options options;
static struct monitor_row row;
static struct os_process device;
static char directory[256], port_text[32];
static bool has_device;

static int tear_down(void **state)
{
    static const char *const names[] = {"screen.pem", "screen.key", "other.pem", "other.key"};
    char path[300];
    if (has_device)
        os_process_stop(&device, (uint64_t)10 * OS_NS_PER_S);
    has_device = false;
    for (unsigned i = 0; i < sizeof names / sizeof names[0] && directory[0] != '\0'; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
    return 0;
}

/* A line of the shell. */
static void start(struct os_process *process, const char *line)
{
    static char copy[1024];
    char *words[] = {(char *)"sh", (char *)"-c", copy, NULL};
    snprintf(copy, sizeof copy, "exec %s", line);
    assert_int_equal(os_process_start(process, words, "/dev/null", "/dev/null"), 0);
}

static void make_certificate(const char *name)
{
    char line[1024];
    struct os_process process;
    int code = -1;
    snprintf(line, sizeof line,
             "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=%s -keyout %s/%s.key "
             "-out %s/%s.pem",
             name, directory, name, directory, name);
    start(&process, line);
    assert_int_equal(os_process_wait(&process, (uint64_t)PATIENCE_S * OS_NS_PER_S, &code), 1);
    assert_int_equal(code, 0);
}

static void start_device(void)
{
    char line[1024];
    const unsigned port = ports_free(1);
    if (system("command -v Xtigervnc >/dev/null && command -v openssl >/dev/null") != 0) {
        print_message("needs Xtigervnc and openssl\n");
        skip();
    }
    assert_true(temporary_directory(directory, sizeof directory));
    make_certificate("screen");
    make_certificate("other");
    snprintf(port_text, sizeof port_text, "--connect=127.0.0.1:%u", port);
    snprintf(line, sizeof line,
             "Xtigervnc -displayfd 1 -rfbport %u -localhost -geometry 640x128 "
             "-SecurityTypes X509None -X509Cert %s/screen.pem -X509Key %s/screen.key",
             port, directory, directory);
    start(&device, line);
    has_device = true;
}

static void run(const char *authority)
{
    static const struct program_help program = {"test", "", "", false};
    char tls[400];
    snprintf(tls, sizeof tls, "--tls-authority=%s/%s.pem", directory, authority);
    char *words[] = {(char *)"test",
                     port_text,
                     (char *)"--for=300",
                     (char *)"--view=none",
                     (char *)"--quiet",
                     tls,
                     (char *)"--handshake-timeout=60s",
                     (char *)"--workers=2",
                     NULL};
    assert_int_equal(monitor_options_read(&program, 8, words, &options), OPTIONS_OK);
    monitor_row_init(&row, &options);
    monitor_run(&options, &glass_none, &row);
}

TEST(a_screen_with_a_good_certificate_is_watched, NULL, tear_down)
{
    start_device();
    run("screen");
    if (row.status != ROW_OK)
        fail_msg("status: %s", row.reason);
    assert_int_equal(row.screens_connected, 1);
    assert_true(row.bytes > 0 || row.updates == 0);
    assert_string_equal(row.security, "tls");
}

TEST(a_screen_with_another_certificate_is_not, NULL, tear_down)
{
    start_device();
    run("other");
    assert_int_equal(row.status, ROW_FAILED);
    assert_int_equal(row.screens_connected, 0);
    assert_non_null(strstr(row.reason, "1 bad-certificate"));
}
