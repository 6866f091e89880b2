/* The collector, run as its users would, against servers that end, fail, stay silent or refuse. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "examples/tests/example.h"
#include "examples/tests/hostile.h"

enum { SERVERS = 40, LINES = 1000, LINE_BYTES = 100 };

/* Listening sockets, their names for the command line, and the connections to them. */
struct servers {
    struct example collector;
    int listeners[SERVERS], connections[SERVERS];
    char names[SERVERS][32];
    const char *arguments[SERVERS + 1];
};

static void servers_open(struct servers *servers, unsigned count)
{
    *servers = (struct servers){.listeners = {0}};
    for (unsigned i = 0; i < count; i++) {
        unsigned port;
        servers->listeners[i] = port_listen(&port);
        snprintf(servers->names[i], sizeof servers->names[i], "127.0.0.1:%u", port);
        servers->arguments[i] = servers->names[i];
    }
    example_start(&servers->collector, "collector", servers->arguments);
    for (unsigned i = 0; i < count; i++)
        assert_true((servers->connections[i] = accept(servers->listeners[i], NULL, NULL)) >= 0);
}

static void servers_close(struct servers *servers)
{
    for (unsigned i = 0; i < SERVERS && servers->listeners[i] > 0; i++)
        close(servers->listeners[i]);
}

/* LINES lines, in pieces that end anywhere. */
static void send_lines(int connection, unsigned piece_bytes)
{
    static char text[LINES * LINE_BYTES];
    memset(text, 'x', sizeof text);
    for (unsigned i = 1; i <= LINES; i++)
        text[i * LINE_BYTES - 1] = '\n';
    for (unsigned at = 0, piece; at < sizeof text; at += piece) {
        piece = sizeof text - at < piece_bytes ? (unsigned)sizeof text - at : piece_bytes;
        assert_int_equal(send(connection, text + at, piece, MSG_NOSIGNAL), piece);
    }
}

static void assert_says(const struct servers *servers, unsigned index, const char *what)
{
    char line[128];
    snprintf(line, sizeof line, "%s: %s\n", servers->names[index], what);
    if (strstr(servers->collector.said, line) == NULL)
        fail_msg("expected %sgot:\n%s", line, servers->collector.said);
}

TEST(every_servers_lines_are_counted)
{
    struct servers servers;
    servers_open(&servers, SERVERS);
    for (unsigned i = 0; i < SERVERS; i++)
        send_lines(servers.connections[i], 977 * (i + 1));
    for (unsigned i = 0; i < SERVERS; i++)
        close(servers.connections[i]);
    assert_int_equal(example_end(&servers.collector, 0), 0);
    for (unsigned i = 0; i < SERVERS; i++)
        assert_says(&servers, i, "ended, 100000 bytes, 1000 lines");
    assert_string_equal(servers.collector.complained, "");
    servers_close(&servers);
}

TEST(a_server_that_fails_is_named_and_the_others_go_on)
{
    struct servers servers;
    servers_open(&servers, 3);
    client_reset(servers.connections[1]);
    send_lines(servers.connections[0], 5000);
    send_lines(servers.connections[2], 5000);
    close(servers.connections[0]);
    close(servers.connections[2]);
    assert_int_equal(example_end(&servers.collector, 0), 1);
    assert_says(&servers, 0, "ended, 100000 bytes, 1000 lines");
    assert_says(&servers, 1, "reset, 0 bytes, 0 lines");
    assert_says(&servers, 2, "ended, 100000 bytes, 1000 lines");
    servers_close(&servers);
}

TEST(a_server_that_refuses_is_named)
{
    char name[32], line[64];
    struct example collector;
    snprintf(name, sizeof name, "127.0.0.1:%u", port_free());
    snprintf(line, sizeof line, "%s: refused, 0 bytes, 0 lines\n", name);
    example_start(&collector, "collector", (const char *const[]){name, NULL});
    assert_int_equal(example_end(&collector, 0), 1);
    assert_string_equal(collector.said, line);
}

TEST(a_signal_ends_it_while_servers_are_open)
{
    static const int signals[] = {SIGTERM, SIGINT};
    for (unsigned i = 0; i < 2; i++) {
        struct servers servers;
        servers_open(&servers, 2);
        send_lines(servers.connections[0], 1000);
        close(servers.connections[0]);
        os_sleep_ns(100000000); /* most often it has them by then; the end is the same */
        assert_int_equal(example_end(&servers.collector, signals[i]), 0);
        assert_says(&servers, 1, "open, 0 bytes, 0 lines");
        close(servers.connections[1]);
        servers_close(&servers);
    }
}

TEST(wrong_arguments_are_one_line)
{
    assert_wrong_use("collector", 2, "expected HOST:PORT", NULL);
    assert_wrong_use("collector", 2, "expected HOST:PORT", "localhost", NULL);
    assert_wrong_use("collector", 2, "no.host.invalid:7", "no.host.invalid:7", NULL);
    assert_wrong_use("collector", 2, "127.0.0.1:70000", "127.0.0.1:70000", NULL);
    assert_helps("collector");
}
