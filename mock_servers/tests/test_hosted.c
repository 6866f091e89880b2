/* --hosted and --listen net:CIDR: what a launcher hears of the servers, and what ends them. */
#include "mock_servers/tests/fleet_under_test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include "mock_servers/hosted.h"
#include "mock_servers/network.h"

enum { OUT_BYTES = 4096, SOME_MS = 300 };

/* ---- networks ---- */

TEST(only_networks_are_taken_for_networks)
{
    static const char *const wrong[] = {"",          "nowhere",         "net:",
                                        "net:10/8",  "net:10.0.0.0",    "net:10.0.0.0/",
                                        "net:/8",    "net:10.0.0.0/33", "net:10.0.0.0/-1",
                                        "net:::1/8", "net:10.0.0.0/8x", "net:10.0.0.0/ 8"};
    struct network network;
    char why[256];
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        why[0] = '\0';
        assert_int_equal(network_parse(wrong[i], &network, why, sizeof why), -1);
        assert_non_null(strstr(why, "takes "));
    }
    assert_int_equal(network_parse("net:10.1.0.3/16", &network, why, sizeof why), -1);
    assert_string_equal(why, "takes net:10.1.0.0/16 for the network of that address");
    assert_int_equal(network_parse("net:10.1.0.0/16", &network, why, sizeof why), 0);
    assert_true(network.is_network && network.bits == 16 && network.base == 0x0a010000);
}

TEST(the_only_address_in_a_network_is_found)
{
    struct network network;
    uint32_t host = 0;
    char why[1024];
    assert_int_equal(network_parse("net:127.0.0.1/32", &network, why, sizeof why), 0);
    assert_int_equal(network_find(&network, &host, why, sizeof why), 0);
    assert_true(host == 0x7f000001);
    assert_int_equal(network_parse("net:203.0.113.0/24", &network, why, sizeof why), 0);
    assert_int_equal(network_find(&network, &host, why, sizeof why), -1);
    assert_non_null(strstr(why, "net:203.0.113.0/24: this computer has no address there; it has "));
    assert_non_null(strstr(why, "127.0.0.1 (lo)"));
}

/* Addresses of the loopback's own, in a network of the test's own. */
TEST(several_addresses_in_a_network_are_named)
{
    int status;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct network network;
        uint32_t host;
        char why[1024] = "";
        if (unshare(CLONE_NEWNET) != 0 ||
            system("ip link set lo up && ip address add 10.9.0.1/24 dev lo && ip address add "
                   "10.9.0.2/24 dev lo") != 0)
            _exit(2);
        network_parse("net:10.9.0.0/16", &network, why, sizeof why);
        const bool named = network_find(&network, &host, why, sizeof why) < 0 &&
                           strstr(why, "several addresses there: 10.9.0.1 (lo), 10.9.0.2 (lo)");
        _exit(named ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        skip(); /* not root, or no namespaces here */
    assert_int_equal(status, 0);
}

/* ---- the two pipes ---- */

struct pipes {
    int in[2], out[2]; /* in[1] and out[0] are the launcher's */
};

static struct hosted_link link_open(struct pipes *pipes)
{
    os_writes_fail();
    assert_int_equal(pipe2(pipes->in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(pipes->out, O_CLOEXEC), 0);
    return (struct hosted_link){.in = pipes->in[0],
                                .out = pipes->out[1],
                                .first = "READY\n",
                                .pulse_ns = 10 * OS_NS_PER_MS,
                                .silence_ns = PATIENCE_S * (uint64_t)OS_NS_PER_S};
}

static void pipes_close(struct pipes *pipes)
{
    close(pipes->in[0]);
    close(pipes->out[1]);
}

static void assert_end(struct hosted_link *link, const char *part)
{
    const char *end = hosted_watch(link);
    assert_non_null(end);
    assert_non_null(strstr(end, part));
}

TEST(the_end_of_input_is_the_end)
{
    struct pipes pipes;
    struct hosted_link link = link_open(&pipes);
    close(pipes.in[1]);
    assert_end(&link, "standard input has ended");
    close(pipes.out[0]);
    pipes_close(&pipes);
}

static void *talk(void *argument)
{
    const int in = *(int *)argument;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(write(in, "\n", 1), 1);
        os_sleep_ns(SOME_MS / 3 * OS_NS_PER_MS);
    }
    return NULL;
}

TEST(silence_is_the_end_and_lines_put_it_off)
{
    struct pipes pipes;
    struct hosted_link link = link_open(&pipes);
    char text[OUT_BYTES] = "";
    pthread_t thread;
    link.silence_ns = SOME_MS * (uint64_t)OS_NS_PER_MS;
    uint64_t before_ns = os_now_ns();
    assert_end(&link, "no sign of life");
    assert_true(os_now_ns() - before_ns >= link.silence_ns);
    assert_true(read(pipes.out[0], text, sizeof text - 1) > 0);
    assert_ptr_equal(strstr(text, "READY\nPULSE "), text);
    link.silence_ns *= 4; /* a busy machine's pauses are no silence */
    before_ns = os_now_ns();
    assert_int_equal(os_thread_start(&thread, "talk", 0, talk, &pipes.in[1]), 0);
    assert_end(&link, "no sign of life");
    pthread_join(thread, NULL);
    assert_true(os_now_ns() - before_ns >= link.silence_ns + 9 * (SOME_MS / 3) * OS_NS_PER_MS);
    close(pipes.in[1]);
    close(pipes.out[0]);
    pipes_close(&pipes);
}

TEST(a_closed_output_is_the_end)
{
    struct pipes pipes;
    struct hosted_link link = link_open(&pipes);
    close(pipes.out[0]);
    assert_end(&link, "nobody reads standard output");
    close(pipes.in[1]);
    pipes_close(&pipes);
}

/* Nothing blocks: the silence is noticed, and what there was no room for has not been sent. */
TEST(a_full_output_that_nobody_reads_blocks_nothing)
{
    static char filler[1 << 16];
    struct pipes pipes;
    struct hosted_link link = link_open(&pipes);
    fcntl(pipes.out[1], F_SETPIPE_SZ, 4096);
    fcntl(pipes.out[1], F_SETFL, O_NONBLOCK);
    const ssize_t filled = write(pipes.out[1], filler, sizeof filler);
    fcntl(pipes.out[1], F_SETFL, 0);
    assert_true(filled > 0);
    link.silence_ns = SOME_MS * (uint64_t)OS_NS_PER_MS;
    assert_end(&link, "no sign of life");
    close(pipes.out[1]);
    ssize_t got, all = 0;
    while ((got = read(pipes.out[0], filler, sizeof filler)) > 0)
        all += got;
    assert_int_equal(all, filled);
    close(pipes.in[0]);
    close(pipes.in[1]);
    close(pipes.out[0]);
}

/* ---- the program ---- */

/* A launcher: starts it with pipes. */
struct launched {
    pid_t process;
    int in, out, errors;
};

static struct launched launch_by(const char *hosted, const char *const *arguments)
{
    char program[PATH_BYTES], *argv[ARGUMENTS_MAX] = {program, (char *)hosted};
    int in[2], out[2], errors[2];
    program_path(program);
    for (unsigned i = 0; arguments[i] != NULL; i++)
        argv[i + 2] = (char *)arguments[i];
    assert_int_equal(pipe2(in, O_CLOEXEC) + pipe2(out, O_CLOEXEC) + pipe2(errors, O_CLOEXEC), 0);
    fflush(NULL);
    const pid_t process = fork();
    if (process == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(errors[1], STDERR_FILENO);
        execv(program, argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(errors[1]);
    return (struct launched){process, in[1], out[0], errors[0]};
}

static struct launched launch(const char *const *arguments)
{
    return launch_by("--hosted", arguments);
}

static void line_take(int from, char *line, size_t bytes)
{
    size_t used = 0;
    while (used + 1 < bytes && read(from, line + used, 1) == 1)
        if (line[used++] == '\n')
            break;
    line[used] = '\0';
}

/* Its exit code; what it said is in `errors`. */
static int launched_end(struct launched *launched, char errors[OUT_BYTES])
{
    int status;
    size_t used = 0;
    ssize_t got;
    while ((got = read(launched->errors, errors + used, OUT_BYTES - 1 - used)) > 0)
        used += (size_t)got;
    errors[used] = '\0';
    assert_int_equal(waitpid(launched->process, &status, 0), launched->process);
    close(launched->out);
    close(launched->errors);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(a_launcher_hears_ready_and_pulses_and_ends_it)
{
    static const char *const keys[] = {"process",     "pid",   "commit",     "version",
                                       "kernel",      "cpu",   "cpus",       "memory_mb",
                                       "interface",   "mtu",   "speed_mbit", "congestion",
                                       "descriptors", "clock", "utc_ns"};
    char line[OUT_BYTES], host[256], pulse[300], errors[OUT_BYTES], address[64];
    int port, count, used = 0;
    struct launched launched = launch((const char *const[]){
        "--listen=net:127.0.0.1/32", "--port=0", "--count=1", "--congestion=system", NULL});
    line_take(launched.out, line, sizeof line);
    assert_true(strlen(line) <= HOSTED_LINE_BYTES_MAX);
    assert_int_equal(sscanf(line, "READY %255s %63s %d %d%n", host, address, &port, &count, &used),
                     4);
    assert_string_equal(address, "127.0.0.1");
    assert_true(port > 0 && count == 1);
    const char *rest = line + used;
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_true(rest[0] == ' ' && strncmp(rest + 1, keys[i], strlen(keys[i])) == 0);
        assert_true(rest[1 + strlen(keys[i])] == '=' && rest[2 + strlen(keys[i])] > ' ');
        rest += 1 + strcspn(rest + 1, " \n");
    }
    assert_string_equal(rest, "\n");
    assert_non_null(strstr(line, " interface=lo mtu="));
    snprintf(pulse, sizeof pulse, "PULSE %s\n", host);
    line_take(launched.out, line, sizeof line);
    assert_string_equal(line, pulse);
    close(launched.in);
    assert_int_equal(launched_end(&launched, errors), 0);
    assert_non_null(strstr(errors, "fanin-servers: standard input has ended"));
    assert_non_null(strstr(errors, "0 connections served"));
}

TEST(a_launcher_is_told_what_failed)
{
    static const struct {
        const char *option, *words;
        int code;
    } cases[] = {
        {"--count=0", "--count takes", 2},
        {"--listen=net:10.0.0.0", "--listen takes a network", 2},
        {"--listen=net:203.0.113.0/24", "--listen net:203.0.113.0/24: this computer has no", 3},
        {"--listen=203.0.113.1", "cannot listen on 203.0.113.1:", 3},
        {"--surplus", "there is no option", 2},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[OUT_BYTES], errors[OUT_BYTES], host[256] = "", expected[2 * OUT_BYTES];
        struct launched launched = launch((const char *const[]){cases[i].option, NULL});
        line_take(launched.out, line, sizeof line);
        assert_int_equal(launched_end(&launched, errors), cases[i].code);
        close(launched.in);
        assert_int_equal(sscanf(line, "FAILED %255s", host), 1);
        assert_non_null(strstr(line, cases[i].words));
        snprintf(expected, sizeof expected, "FAILED %s %s", host,
                 errors + strlen("fanin-servers: "));
        assert_true(strlen(line) <= HOSTED_LINE_BYTES_MAX);
        assert_int_equal(strncmp(line, expected, strlen(line) - 1), 0);
    }
}

TEST(a_launcher_is_told_also_where_hosted_is_abbreviated)
{
    static const char *const names[] = {"--ho", "--host=yes", "--hosted=yes"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char line[OUT_BYTES], errors[OUT_BYTES];
        struct launched launched = launch_by(names[i], (const char *const[]){"--count=0", NULL});
        line_take(launched.out, line, sizeof line);
        assert_int_equal(launched_end(&launched, errors), 2);
        close(launched.in);
        assert_int_equal(strncmp(line, "FAILED ", 7), 0);
    }
}

TEST(a_closed_output_ends_the_program)
{
    char line[OUT_BYTES], errors[OUT_BYTES];
    struct launched launched =
        launch((const char *const[]){"--listen=net:127.0.0.1/32", "--port=0", "--count=1", NULL});
    line_take(launched.out, line, sizeof line);
    close(launched.out);
    launched.out = -1;
    assert_int_equal(launched_end(&launched, errors), 0);
    assert_non_null(strstr(errors, "nobody reads standard output"));
    close(launched.in);
}
