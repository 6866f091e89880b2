/* Security of fanin-screens: who has the password and speaks TLS comes in, nobody else does. The
 * viewer is this test's own: a blocking one. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "base/rfb/protocol.h"
#include "base/rfb/secret.h"
#include "base/rfb/tests/certificates.h"
#include "base/rfb/tls.h"
#include "base/tests/find.h"
#include "base/tests/test.h"

enum { PATIENCE_S = 120, PATH_BYTES = 256, PORT = 5900, ARGUMENTS_MAX = 16 };

static struct certificates made;
static char folder[64], password_file[PATH_BYTES];

static int make(void **state)
{
    certificates_make(&made);
    strcpy(folder, "/tmp/fanin-security-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(password_file, sizeof password_file, "%s/password", folder);
    FILE *file = fopen(password_file, "w");
    return file == NULL || fputs("secret\n", file) < 0 || fclose(file) != 0 ? -1 : 0;
}

static int drop(void **state)
{
    certificates_remove(&made);
    unlink(password_file);
    return rmdir(folder);
}

/* ---- the screens ----------------------------------------------------------------------------- */

struct screens_under_test {
    struct os_process process;
    uint32_t host;
    char ready[PATH_BYTES], errors[PATH_BYTES];
};

static int launch(struct screens_under_test *screens, const char *listen,
                  const char *const *arguments)
{
    char program[PATH_BYTES], ready[PATH_BYTES + 16];
    char *argv[ARGUMENTS_MAX] = {program, (char *)listen, ready, "--quiet"};
    assert_true(find_upwards(program, sizeof program, "fanin-screens"));
    snprintf(screens->ready, PATH_BYTES, "%s/ready", folder);
    snprintf(screens->errors, PATH_BYTES, "%s/errors", folder);
    snprintf(ready, sizeof ready, "--ready-file=%s", screens->ready);
    for (unsigned i = 0; arguments[i] != NULL; i++)
        argv[4 + i] = (char *)arguments[i];
    return os_process_start(&screens->process, argv, NULL, screens->errors);
}

/* On an address of this process's own. */
static struct screens_under_test screens_begin(const char *const *arguments)
{
    struct screens_under_test screens = {.host =
                                             0x7f420000u + ((uint32_t)getpid() % 4096 << 4) + 1};
    struct in_addr address = {htonl(screens.host)};
    char listen[64], errors[512];
    int code;
    snprintf(listen, sizeof listen, "--listen=%s", inet_ntoa(address));
    assert_int_equal(launch(&screens, listen, arguments), 0);
    while (access(screens.ready, R_OK) != 0)
        if (os_process_wait(&screens.process, 10 * OS_NS_PER_MS, &code) != 0) {
            file_read(screens.errors, errors, sizeof errors);
            fail_msg("fanin-screens ended with %d: %s", code, errors);
        }
    return screens;
}

static void screens_end(struct screens_under_test *screens)
{
    int code = -1;
    assert_int_equal(kill((pid_t)screens->process.handle, SIGTERM), 0);
    assert_int_equal(os_process_wait(&screens->process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &code),
                     1);
    assert_int_equal(code, 0);
    unlink(screens->errors);
}

static void assert_refused(const char *listen, const char *const *arguments, const char *word)
{
    struct screens_under_test screens;
    char errors[512];
    int code = -1;
    assert_int_equal(launch(&screens, listen, arguments), 0);
    assert_int_equal(os_process_wait(&screens.process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &code),
                     1);
    file_read(screens.errors, errors, sizeof errors);
    unlink(screens.errors);
    if (code == 0 || strstr(errors, word) == NULL)
        fail_msg("exit code %d: %s", code, errors);
}

/* ---- the viewer ------------------------------------------------------------------------------ */

struct viewer {
    int socket;
    struct tls *tls;
    uint8_t plain[4096];
    size_t plain_bytes;
};

static void viewer_send(void *user, const void *data, size_t bytes)
{
    assert_int_equal(send(((struct viewer *)user)->socket, data, bytes, MSG_NOSIGNAL), bytes);
}

static void say(struct viewer *viewer, const void *data, size_t bytes)
{
    if (viewer->tls != NULL)
        assert_int_equal(tls_write(viewer->tls, data, bytes), 0);
    else
        viewer_send(viewer, data, bytes);
}

static void say32(struct viewer *viewer, uint32_t value)
{
    uint8_t bytes[4];
    rfb_put32(bytes, value);
    say(viewer, bytes, sizeof bytes);
}

/* More plain bytes: how many, 0 at the end, or a tls_result. */
static int64_t hear_more(struct viewer *viewer)
{
    uint8_t data[4096];
    uint8_t *room = viewer->plain + viewer->plain_bytes;
    const size_t left = sizeof viewer->plain - viewer->plain_bytes;
    int64_t result = viewer->tls != NULL ? tls_read(viewer->tls, room, left) : TLS_MORE;
    while (result == TLS_MORE) {
        const ssize_t got = recv(viewer->socket, data, viewer->tls ? sizeof data : left, 0);
        if (got <= 0) {
            assert_true(got == 0 || errno == ECONNRESET);
            return 0;
        }
        if (viewer->tls == NULL) {
            memcpy(room, data, (size_t)got);
            return got;
        }
        assert_true(tls_feed(viewer->tls, data, (size_t)got));
        result = tls_read(viewer->tls, room, left);
    }
    return result;
}

/* False: the screen has ended the connection first. */
static bool hear(struct viewer *viewer, void *to, size_t bytes)
{
    while (viewer->plain_bytes < bytes) {
        const int64_t got = hear_more(viewer);
        if (got <= 0)
            return false;
        viewer->plain_bytes += (size_t)got;
    }
    memcpy(to, viewer->plain, bytes);
    viewer->plain_bytes -= bytes;
    memmove(viewer->plain, viewer->plain + bytes, viewer->plain_bytes);
    return true;
}

static uint32_t hear32(struct viewer *viewer)
{
    uint8_t bytes[4];
    assert_true(hear(viewer, bytes, sizeof bytes));
    return rfb_get32(bytes);
}

static struct viewer viewer_of(const struct screens_under_test *screens, const char *version)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    struct viewer viewer = {.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    char first[RFB_VERSION_BYTES];
    to.sin_addr.s_addr = htonl(screens->host);
    setsockopt(viewer.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(viewer.socket, (struct sockaddr *)&to, sizeof to), 0);
    assert_true(hear(&viewer, first, sizeof first));
    assert_memory_equal(first, RFB_VERSION, sizeof first);
    say(&viewer, version, RFB_VERSION_BYTES);
    return viewer;
}

static void viewer_close(struct viewer *viewer)
{
    tls_close(viewer->tls);
    close(viewer->socket);
}

static void choose(struct viewer *viewer, uint8_t kind)
{
    uint8_t kinds[2];
    assert_true(hear(viewer, kinds, sizeof kinds));
    assert_int_equal(kinds[0], 1);
    assert_int_equal(kinds[1], kind);
    say(viewer, &kind, 1);
}

static uint32_t answer(struct viewer *viewer, const char *password)
{
    uint8_t challenge[SECRET_BYTES], answered[SECRET_BYTES];
    assert_true(hear(viewer, challenge, sizeof challenge));
    assert_true(secret_answer(password, challenge, answered));
    say(viewer, answered, sizeof answered);
    return hear32(viewer);
}

/* ServerInit of the default size: it is in. */
static void assert_in(struct viewer *viewer)
{
    uint8_t init[24];
    say(viewer, "\1", 1);
    assert_true(hear(viewer, init, sizeof init));
    assert_int_equal(rfb_get16(init), 1280);
}

static void assert_out(struct viewer *viewer)
{
    uint8_t byte;
    assert_false(hear(viewer, &byte, 1));
}

/* Up to the byte that says that TLS begins. */
static void vencrypt(struct viewer *viewer, uint32_t kind)
{
    uint8_t two[2], begins;
    choose(viewer, RFB_SECURITY_VENCRYPT);
    assert_true(hear(viewer, two, sizeof two));
    assert_int_equal(rfb_get16(two), 2);
    say(viewer, two, sizeof two);
    assert_true(hear(viewer, two, sizeof two));
    assert_int_equal(two[0], 0);
    assert_int_equal(two[1], 1);
    assert_int_equal(hear32(viewer), kind);
    say32(viewer, kind);
    assert_true(hear(viewer, &begins, 1));
    assert_int_equal(begins, 1);
}

static struct tls_context *begin_tls(struct viewer *viewer, const char *authority)
{
    char why[256];
    struct tls_context *context = tls_viewer(authority, why, sizeof why);
    assert_non_null(context);
    viewer->tls = tls_open(context, viewer_send, viewer);
    assert_non_null(viewer->tls);
    return context;
}

/* ---- passwords ------------------------------------------------------------------------------- */

static const char *const versions[] = {"RFB 003.003\n", "RFB 003.007\n", "RFB 003.008\n"};

static void enter(const struct screens_under_test *screens, unsigned version, const char *password)
{
    struct viewer viewer = viewer_of(screens, versions[version]);
    const bool right = strcmp(password, "secret") == 0;
    if (version == 0)
        assert_int_equal(hear32(&viewer), RFB_SECURITY_VNC);
    else
        choose(&viewer, RFB_SECURITY_VNC);
    assert_int_equal(answer(&viewer, password), right ? 0 : 1);
    if (right) {
        assert_in(&viewer);
    } else {
        char reason[64] = "";
        if (version == 2)
            assert_true(hear(&viewer, reason, hear32(&viewer)));
        assert_string_equal(reason, version == 2 ? "wrong password" : "");
        assert_out(&viewer);
    }
    viewer_close(&viewer);
}

TEST(the_right_password_is_let_in_and_a_wrong_one_is_not)
{
    const char *const arguments[] = {"--password-file", password_file, NULL};
    struct screens_under_test screens = screens_begin(arguments);
    for (unsigned version = 0; version < 3; version++) {
        enter(&screens, version, "secret");
        enter(&screens, version, "Secret");
        enter(&screens, version, "");
    }
    screens_end(&screens);
}

TEST(no_security_is_not_chosen_where_a_password_is_asked_for)
{
    const char *const arguments[] = {"--password-file", password_file, NULL};
    struct screens_under_test screens = screens_begin(arguments);
    struct viewer viewer = viewer_of(&screens, RFB_VERSION);
    uint8_t kinds[2];
    assert_true(hear(&viewer, kinds, sizeof kinds));
    say(&viewer, "\1", 1);
    assert_out(&viewer);
    viewer_close(&viewer);
    screens_end(&screens);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void assert_update(struct viewer *viewer)
{
    const uint8_t request[10] = {RFB_UPDATE_REQUEST, 0, 0, 0, 0, 0, 5, 0, 3, 32};
    uint8_t head[4];
    char name[64];
    assert_true(hear(viewer, name, hear32(viewer) & 63)); /* after ServerInit's size and format */
    say(viewer, request, sizeof request);
    assert_true(hear(viewer, head, sizeof head));
    assert_int_equal(head[0], RFB_UPDATE);
}

static void enter_tls(const struct screens_under_test *screens, const char *password)
{
    struct viewer viewer = viewer_of(screens, RFB_VERSION);
    uint8_t init[20];
    vencrypt(&viewer, password != NULL ? RFB_X509_VNC : RFB_X509_NONE);
    struct tls_context *context = begin_tls(&viewer, made.authority);
    assert_int_equal(password != NULL ? answer(&viewer, password) : hear32(&viewer), 0);
    say(&viewer, "\1", 1);
    assert_true(hear(&viewer, init, sizeof init));
    assert_update(&viewer);
    viewer_close(&viewer);
    tls_context_close(context);
}

TEST(tls_with_and_without_a_password_brings_pictures)
{
    const char *const with[] = {
        "--password-file", password_file, "--tls-certificate", made.screen, "--tls-key",
        made.screen_key,   NULL};
    struct screens_under_test screens = screens_begin(with);
    enter_tls(&screens, "secret");
    screens_end(&screens);
    screens = screens_begin(with + 2);
    enter_tls(&screens, NULL);
    screens_end(&screens);
}

/* What a viewer may do wrong in the middle of TLS ends its connection, and no other one. */
TEST(tls_that_breaks_ends_that_viewer_alone)
{
    const char *const arguments[] = {"--tls-certificate", made.screen, "--tls-key", made.screen_key,
                                     NULL};
    struct screens_under_test screens = screens_begin(arguments);
    for (unsigned kind = 0; kind < 4; kind++) {
        struct viewer viewer = viewer_of(&screens, RFB_VERSION);
        struct tls_context *context = NULL;
        vencrypt(&viewer, RFB_X509_NONE);
        if (kind == 0) { /* plain bytes where TLS should begin */
            viewer_send(&viewer, "RFB 003.008\nRFB 003.008\n", 24);
            while (recv(viewer.socket, viewer.plain, sizeof viewer.plain, 0) > 0)
                continue;
        } else if (kind == 1) { /* not its authority */
            context = begin_tls(&viewer, made.other_authority);
            assert_int_equal(hear_more(&viewer), TLS_BAD_CERTIFICATE);
        } else {
            context = begin_tls(&viewer, made.authority);
            assert_int_equal(hear32(&viewer), 0);
            if (kind == 2) { /* plain bytes later */
                viewer_send(&viewer, "\27\3\3\0\5wrong", 10);
                assert_true(hear_more(&viewer) <= 0);
            }
        } /* 3: gone in the middle */
        viewer_close(&viewer);
        tls_context_close(context);
        enter_tls(&screens, NULL);
    }
    screens_end(&screens);
}

TEST(a_viewer_of_rfb_3_3_is_told_that_it_needs_tls)
{
    const char *const arguments[] = {"--tls-certificate", made.screen, "--tls-key", made.screen_key,
                                     NULL};
    struct screens_under_test screens = screens_begin(arguments);
    struct viewer viewer = viewer_of(&screens, versions[0]);
    char reason[64] = "";
    assert_int_equal(hear32(&viewer), RFB_SECURITY_INVALID);
    assert_true(hear(&viewer, reason, hear32(&viewer) & 63));
    assert_non_null(strstr(reason, "TLS"));
    viewer_close(&viewer);
    screens_end(&screens);
}

/* ---- options --------------------------------------------------------------------------------- */

TEST(others_than_this_machine_need_a_password_or_leave)
{
    const char *const none[] = {"--port=5999", "--dry-run", NULL};
    const char *const anyone[] = {"--port=5999", "--dry-run", "--allow-anyone", NULL};
    const char *const password[] = {"--port=5999", "--dry-run", "--password-file", password_file,
                                    NULL};
    assert_refused("--listen=0.0.0.0", none, "--allow-anyone");
    assert_refused("--listen=::", none, "--allow-anyone");
    const char *const *const good[] = {anyone, password};
    for (unsigned i = 0; i < 2; i++) {
        struct screens_under_test screens;
        int code = -1;
        assert_int_equal(launch(&screens, "--listen=0.0.0.0", good[i]), 0);
        os_process_wait(&screens.process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &code);
        assert_int_equal(code, 0);
        unlink(screens.errors);
    }
}

TEST(files_that_cannot_be_used_are_named)
{
    const char *const no_password[] = {"--password-file=/nowhere/password", NULL};
    const char *const no_key[] = {"--tls-certificate", made.screen, NULL};
    const char *const other_key[] = {"--tls-certificate", made.authority, "--tls-key",
                                     made.screen_key, NULL};
    assert_refused("--listen=127.0.0.1", no_password, "/nowhere/password");
    assert_refused("--listen=127.0.0.1", no_key, "--tls-key");
    assert_refused("--listen=127.0.0.1", other_key, made.authority);
}

int main(void)
{
    return tests_run(make, drop);
}
