/* The proxy, run as its users would: half-closes, resets, hostile clients, iperf3, a web server. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "examples/tests/example.h"
#include "examples/tests/hostile.h"

/* ---- a target that the test plays ---------------------------------------------------------- */

/* A client, the proxy, and the server's end of the same session. */
struct path {
    struct example proxy;
    int listener, client, server;
};

static void proxy_serve(struct example *proxy, unsigned target)
{
    char port[16];
    snprintf(port, sizeof port, "%u", target);
    example_serve(proxy, "proxy", (const char *const[]){"127.0.0.1", port, NULL});
}

static void path_open(struct path *path)
{
    unsigned target;
    path->listener = port_listen(&target);
    proxy_serve(&path->proxy, target);
    path->client = client_connect(path->proxy.port);
    path->server = accept(path->listener, NULL, NULL);
    assert_true(path->client >= 0 && path->server >= 0);
}

/* The proxy has no session left, and ends well. */
static void path_close(struct path *path)
{
    close(path->listener);
    assert_ends_well(&path->proxy);
    assert_string_equal(path->proxy.said, "proxy: 1 sessions served, 0 open at the end\n");
}

static void assert_passes(int from, int to)
{
    char got[6];
    assert_int_equal(send(from, "hello", 6, 0), 6);
    assert_int_equal(recv(to, got, 6, MSG_WAITALL), 6);
    assert_string_equal(got, "hello");
}

static void assert_was_reset(int end)
{
    char byte;
    assert_int_equal(recv(end, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* The end of one direction leaves the other alone, whichever comes first. */
static void check_half_close(struct path *path, int first, int second)
{
    assert_passes(first, second);
    shutdown(first, SHUT_WR);
    assert_true(client_ended(second));
    for (unsigned i = 0; i < 100; i++)
        assert_passes(second, first);
    shutdown(second, SHUT_WR);
    assert_true(client_ended(first));
    close(first);
    close(second);
    path_close(path);
}

TEST(the_clients_end_is_passed_on_and_the_answer_comes_back)
{
    struct path path;
    path_open(&path);
    check_half_close(&path, path.client, path.server);
}

TEST(the_servers_end_is_passed_on_and_the_client_goes_on)
{
    struct path path;
    path_open(&path);
    check_half_close(&path, path.server, path.client);
}

/* A side that fails takes the other down: what came is not to be taken for the whole. */
static void check_reset(struct path *path, int first, int second)
{
    assert_passes(first, second);
    client_reset(first);
    assert_was_reset(second);
    close(second);
    path_close(path);
}

TEST(a_clients_reset_is_passed_on)
{
    struct path path;
    path_open(&path);
    check_reset(&path, path.client, path.server);
}

TEST(a_servers_reset_is_passed_on)
{
    struct path path;
    path_open(&path);
    check_reset(&path, path.server, path.client);
}

TEST(a_reset_after_a_half_close_is_passed_on)
{
    struct path path;
    path_open(&path);
    shutdown(path.client, SHUT_WR);
    assert_true(client_ended(path.server));
    check_reset(&path, path.server, path.client);
}

TEST(a_target_that_refuses_costs_the_client_its_connection_only)
{
    struct example proxy;
    proxy_serve(&proxy, port_free());
    for (unsigned i = 0; i < 20; i++) {
        const int client = client_connect(proxy.port);
        assert_was_reset(client);
        close(client);
    }
    assert_ends_well(&proxy);
}

TEST(ends_with_sessions_connected)
{
    struct path path;
    path_open(&path);
    assert_passes(path.client, path.server);
    assert_int_equal(example_end(&path.proxy, SIGINT), 0);
    assert_string_equal(path.proxy.complained, "");
    /* A worker that submits when the port closes is refused, and ends the session itself. */
    if (strcmp(path.proxy.said, "proxy: 1 sessions served, 0 open at the end\n") != 0)
        assert_string_equal(path.proxy.said, "proxy: 1 sessions served, 1 open at the end\n");
    close(path.client);
    close(path.server);
    close(path.listener);
}

/* ---- crowds -------------------------------------------------------------------------------- */

TEST(hostile_clients_leave_nothing_and_take_nothing)
{
    struct example echo, proxy;
    example_serve(&echo, "echo", (const char *const[]){NULL});
    proxy_serve(&proxy, echo.port);
    const struct hostile_outcome outcome = hostile_run(proxy.port, hostile_connections());
    assert_int_equal(outcome.lost, 0);
    assert_ends_well(&proxy);
    assert_ends_well(&echo);
}

/* ---- real clients -------------------------------------------------------------------------- */

TEST(iperf3_measures_through_it)
{
    /* Not --bidir: it relies on the order of two connections, which no proxy keeps. */
    static const char *const ways[] = {"", "-R", "-P 4", "-P 4 -R"};
    struct example proxy;
    need_program("iperf3");
    const unsigned target = port_free();
    proxy_serve(&proxy, target);
    for (unsigned i = 0; i < sizeof ways / sizeof *ways;
         i++) { /* its server serves one at a time */
        const pid_t server = shell_start("exec iperf3 -s -1 -B 127.0.0.1 -p %u >/dev/null", target);
        assert_true(port_await(target));
        assert_shell("iperf3 -c 127.0.0.1 -p %u -n 20M %s >/dev/null", proxy.port, ways[i]);
        shell_end(server);
    }
    assert_ends_well(&proxy);
}

TEST(ab_gets_every_page_through_it)
{
    struct example proxy;
    need_program("ab");
    need_program("python3");
    const unsigned target = port_free();
    const pid_t server = shell_start("cd / && exec python3 -m http.server --bind 127.0.0.1 %u "
                                     ">/dev/null 2>&1",
                                     target);
    assert_true(port_await(target));
    proxy_serve(&proxy, target);
    assert_shell(
        "ab -q -n 200 -c 10 http://127.0.0.1:%u/ 2>&1 | awk '/^Complete requests/ {c = $3} "
        "/^Failed requests/ {f = $3} END {exit c != 200 || f != 0}'",
        proxy.port);
    assert_ends_well(&proxy);
    shell_end(server);
}

/* ---- wrong use ----------------------------------------------------------------------------- */

TEST(wrong_arguments_are_one_line)
{
    assert_wrong_use("proxy", 2, "expected ADDRESS PORT TARGET TARGET-PORT", NULL);
    assert_wrong_use("proxy", 2, "no.host.invalid", "127.0.0.1", "7", "no.host.invalid", "80",
                     NULL);
    assert_wrong_use("proxy", 2, "70000", "127.0.0.1", "70000", "127.0.0.1", "80", NULL);
    assert_wrong_use("proxy", 2, "-5", "127.0.0.1", "-5", "127.0.0.1", "80", NULL);
    assert_helps("proxy");
}
