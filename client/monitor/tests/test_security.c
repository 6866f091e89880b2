/* Passwords and TLS between fanin-screens and fanin-monitor, both programs as they are: the right
 * ones bring pictures; anything else ends that connection by its name. And x11vnc, if it is here. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "base/rfb/tests/certificates.h"
#include "base/tests/find.h"
#include "base/tests/test.h"

enum { PATIENCE_S = 120, PATH_BYTES = 256, ROW_BYTES = 1 << 16, ARGUMENTS_MAX = 24 };

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

static struct os_process screens_begin(const struct side *side)
{
    static char program[PATH_BYTES];
    struct os_process process;
    char *argv[ARGUMENTS_MAX] = {program, "--quiet", "--size=640x480"};
    int code;
    assert_true(find_upwards(program, sizeof program, "fanin-screens"));
    add(argv, "--listen", address);
    add(argv, "--ready-file", ready);
    add_side(argv, side, "--tls-certificate");
    assert_int_equal(os_process_start(&process, argv, NULL, said), 0);
    while (access(ready, R_OK) != 0)
        if (os_process_wait(&process, 10 * OS_NS_PER_MS, &code) != 0)
            fail_msg("fanin-screens ended with %d", code);
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
    struct os_process process = screens_begin(screens);
    snprintf(target, sizeof target, "%s:5900", address);
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
