/* A server that drops connects silently, seen from the wire: not one frame may come back to the
 * client, or a time limit would not be what ends the connect. Beside it one that refuses, whose
 * answer must come. */
#include "mock_servers/lan/tests/lan_under_test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lan_run run;

/* The frames that the link carried in one direction, from its --stats. */
static int frames(const char *direction)
{
    char name[64];

    snprintf(name, sizeof name, "\"%s\":{\"frames\":", direction);
    const char *found = strstr(run.out, name);
    if (found == NULL)
        fail_msg("no %s in %s%s", name, run.out, run.error);
    return atoi(found + strlen(name));
}

/* One connect over a link, to one server with this fault. */
static void connect_to(const char *fault)
{
    char root[LAN_PATH_BYTES + 16], ready[] = "/tmp/fanin-silence-XXXXXX";
    char far[4 * LAN_PATH_BYTES], client[LAN_PATH_BYTES + 64], ready_file[64];
    int handle = mkstemp(ready);

    assert_true(handle >= 0);
    close(handle);
    unlink(ready); /* it appears when the server listens */
    snprintf(root, sizeof root, "%.*s", (int)(strrchr(lan_program, '/') - lan_program),
             lan_program);
    snprintf(far, sizeof far,
             "exec %s/fanin-servers --count=1 --port=20000 --listen=$FANIN_FAR --fault=%s "
             "--ready-file=%s",
             root, fault, ready);
    snprintf(ready_file, sizeof ready_file, "--ready-file=%s", ready);
    snprintf(client, sizeof client, "%s/fanin-client", root);
    LAN_RUN(&run, "--link=packet", "--rtt=1ms", "--stats=-", ready_file, "--far", far, "--", client,
            "--servers=1", "--port=20000", "--address=198.19.0.1", "--connect-timeout=1200",
            "--quiet");
    unlink(ready);
    if (run.exit_code != 1)
        fail_msg("exit code %d: %s", run.exit_code, run.error);
}

TEST(test_a_dropped_connect_hears_nothing)
{
    lan_need(NULL, "packet");
    connect_to("small-backlog:1");
    assert_non_null(strstr(run.error, "1 of 1 servers not connected: 1 timeout"));
    assert_true(frames("up") >= 2); /* the SYN is sent again after a second */
    assert_int_equal(frames("down"), 0);
}

TEST(test_a_refused_connect_is_answered)
{
    lan_need(NULL, "packet");
    connect_to("refuse:1");
    assert_non_null(strstr(run.error, "1 of 1 servers not connected: 1 refused"));
    assert_true(frames("down") >= 1);
}

int main(int argc, char **argv)
{
    lan_find(argv[0]);
    return tests_run(NULL, NULL);
}
