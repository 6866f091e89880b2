/* The echo server, run as its users would: real clients, hostile clients, wrong arguments. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "examples/tests/example.h"
#include "examples/tests/hostile.h"

#define SERVE(example) example_serve(example, "echo", (const char *const[]){NULL})

TEST(every_byte_comes_back)
{
    struct example echo;
    SERVE(&echo);
    const int client = client_connect(echo.port);
    assert_true(client_echoes(client, 1000000));
    close(client);
    assert_ends_well(&echo);
    assert_string_equal(echo.said, "echo: 1 connections served, 0 open at the end\n");
}

TEST(socat_gets_its_file_back)
{
    struct example echo;
    need_program("socat");
    SERVE(&echo);
    assert_shell("f=$(mktemp) && head -c 20000000 /dev/urandom >$f && socat -t60 - "
                 "TCP:127.0.0.1:%u <$f | cmp - $f; code=$?; rm $f; exit $code",
                 echo.port);
    assert_ends_well(&echo);
}

TEST(hostile_clients_leave_nothing_and_take_nothing)
{
    struct example echo;
    SERVE(&echo);
    const unsigned count = hostile_connections();
    struct hostile_outcome outcome = hostile_run(echo.port, count / 2);
    assert_int_equal(outcome.lost, 0);
    assert_descriptors(&echo, echo.descriptors);
    const unsigned long memory_kb = example_memory_kb(&echo);
    outcome = hostile_run(echo.port, count - count / 2);
    assert_int_equal(outcome.lost, 0);
    assert_descriptors(&echo, echo.descriptors);
    printf("# memory: %lu kB after half of them, %lu kB after all\n", memory_kb,
           example_memory_kb(&echo));
    if (!SANITIZED) /* a sanitizer keeps what was freed */
        assert_in_range(example_memory_kb(&echo), 0, memory_kb + 4096);
    assert_ends_well(&echo);
}

TEST(tells_of_each_client_that_leaves)
{
    struct example echo;
    const unsigned port = port_free();
    char number[16];
    snprintf(number, sizeof number, "%u", port);
    example_start(&echo, "echo", (const char *const[]){"-v", "127.0.0.1", number, NULL});
    assert_true(port_await(port));
    const int first = client_connect(port), second = client_connect(port);
    assert_true(client_echoes(first, 10) && client_echoes(second, 10));
    const unsigned descriptors = example_descriptors(&echo);
    close(first);
    client_reset(second);
    assert_descriptors(&echo, descriptors - 2);
    assert_int_equal(example_end(&echo, SIGTERM), 0);
    assert_non_null(strstr(echo.said, ": finished\n"));
    assert_non_null(strstr(echo.said, ": reset\n"));
    assert_non_null(strstr(echo.said, "127.0.0.1 port "));
}

TEST(ends_with_clients_connected)
{
    static const int signals[] = {SIGTERM, SIGINT};
    for (unsigned i = 0; i < 2; i++) {
        struct example echo;
        int clients[3];
        SERVE(&echo);
        for (unsigned j = 0; j < 3; j++)
            assert_true(client_echoes(clients[j] = client_connect(echo.port), 10));
        assert_int_equal(example_end(&echo, signals[i]), 0);
        assert_string_equal(echo.said, "echo: 3 connections served, 3 open at the end\n");
        assert_string_equal(echo.complained, "");
        for (unsigned j = 0; j < 3; j++)
            close(clients[j]);
    }
}

TEST(wrong_arguments_are_one_line)
{
    struct example echo;
    char taken[16];
    assert_wrong_use("echo", 2, "expected ADDRESS PORT", NULL);
    assert_wrong_use("echo", 2, "expected ADDRESS PORT", "--loud", NULL);
    assert_wrong_use("echo", 2, "no.host.invalid", "no.host.invalid", "7", NULL);
    assert_wrong_use("echo", 2, "70000", "127.0.0.1", "70000", NULL);
    assert_wrong_use("echo", 2, "7x", "127.0.0.1", "7x", NULL);
    assert_helps("echo");
    SERVE(&echo);
    snprintf(taken, sizeof taken, "%u", echo.port);
    assert_wrong_use("echo", 1, "another socket has that address", "127.0.0.1", taken, NULL);
    assert_ends_well(&echo);
}
