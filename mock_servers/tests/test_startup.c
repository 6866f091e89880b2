/* fanin-servers before and after it serves: its options, its ready file, its exit codes. */
#include "mock_servers/tests/fleet_under_test.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/tests/limit.h"

#define REFUSED(code, part, ...)                                                                   \
    assert_does_not_start(code, part, (const char *const[]){__VA_ARGS__, NULL})

static void assert_does_not_start(int code, const char *part, const char *const *arguments)
{
    char errors[2048];
    assert_int_equal(fleet_refused(arguments, errors, sizeof errors), code);
    if (strstr(errors, part) == NULL)
        fail_msg("said \"%s\" and not \"%s\"", errors, part);
    assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1); /* one line */
}

TEST(test_wrong_use)
{
    REFUSED(2, "--count", "--count=0");
    REFUSED(2, "--count", "--count=100001");
    REFUSED(2, "--count", "--count=many");
    REFUSED(2, "--port", "--port=65536");
    REFUSED(2, "--port", "--port=65535", "--count=2");
    REFUSED(2, "--port", "--port=0", "--count=2");
    REFUSED(2, "--listen", "--listen=nowhere");
    REFUSED(2, "--listen", "--listen=255.255.255.255", "--count=2", "--ports-per-address=1");
    REFUSED(2, "--fault", "--fault=sulk:1");
    REFUSED(2, "--fault", "--fault=reset:2");
    REFUSED(2, "--login", "--login=nobody");
    REFUSED(2, "--login", "--login=:x");
    REFUSED(2, "--login", "--login=a b:c");
    REFUSED(2, "--tape-cap", "--tape-cap=0");
    REFUSED(2, "--backlog", "--backlog=0");
    REFUSED(2, "--port", "--listeners=shared", "--port=0");
    REFUSED(2, "refuse", "--listeners=shared", "--fault=refuse:1");
    REFUSED(2, "surplus", "--count=1", "surplus");
}

TEST(test_machine_cannot)
{
    REFUSED(3, "does not have that address", "--listen=192.0.2.1");
    REFUSED(3, "--congestion", "--congestion=nonesuch", "--port=0");
    REFUSED(3, "--ready-file", "--ready-file=/nonexistent/directory/file");
}

TEST(test_port_in_use)
{
    char listen[64], place[64], errors[1024];
    struct in_addr address;
    struct fleet_under_test fleet = fleet_begin("--count=3");
    address.s_addr = htonl(fleet.host);
    snprintf(listen, sizeof listen, "--listen=%s", inet_ntoa(address));
    snprintf(place, sizeof place, "%s:%d:", inet_ntoa(address), PORT);
    assert_int_equal(fleet_refused((const char *const[]){"--count=2", "--port=19999", listen, NULL},
                                   errors, sizeof errors),
                     3);
    assert_non_null(strstr(errors, place));
    assert_non_null(strstr(errors, "another --port"));
    fleet_end(&fleet);
}

/* Starts the program under a limit of descriptors; its exit code, and what it said. */
static int run_limited(unsigned limit, const char *options, char *text, size_t text_bytes)
{
    char program[PATH_BYTES], command[PATH_BYTES + 256], errors[PATH_BYTES];
    char *argv[] = {"sh", "-c", command, NULL};
    struct os_process process;
    program_path(program);
    snprintf(command, sizeof command, "ulimit -n %u; exec '%s' %s", limit, program, options);
    snprintf(errors, sizeof errors, "/tmp/fanin-test-%ld", (long)getpid());
    assert_int_equal(os_process_start(&process, argv, NULL, errors), 0);
    int code = process_end(&process);
    file_read(errors, text, text_bytes);
    remove(errors);
    return code;
}

TEST(test_too_few_descriptors)
{
    char text[1024];
    assert_int_equal(run_limited(100, "--count=100", text, sizeof text), 3);
    assert_non_null(strstr(text, "264 descriptors"));
    assert_non_null(strstr(text, "limit is 100"));
    assert_non_null(strstr(text, "ulimit -Hn 264"));
    assert_non_null(strstr(text, "--listeners shared"));
    assert_int_equal(run_limited(100, "--count=1000 --ports-per-address=40 --listeners=shared",
                                 text, sizeof text),
                     3);
    assert_non_null(strstr(text, "ulimit -Hn 1104"));
}

TEST(a_directory_is_no_ready_file_and_stays)
{
    char directory[64], option[96];
    assert_true(temporary_directory(directory, sizeof directory));
    snprintf(option, sizeof option, "--ready-file=%s", directory);
    REFUSED(3, "--ready-file: cannot write", "--port=0", option);
    assert_int_equal(rmdir(directory), 0);
}

enum { NO_FILTERS = 77 };

/* What the program says where the call fails so. */
static void run_where_fails(long call, int os_error, char *text, size_t text_bytes)
{
    char program[PATH_BYTES];
    int status, ends[2];
    program_path(program);
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        if (limit_forbid(call, 0, 0, os_error))
            execl(program, program, "--count=2", "--listen=127.9.9.9", (char *)NULL);
        _exit(NO_FILTERS);
    }
    close(ends[1]);
    const ssize_t bytes = read(ends[0], text, text_bytes - 1);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_FILTERS)
        skip();
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_true(bytes > 0);
    text[bytes] = '\0';
}

TEST(test_limits_of_the_system_are_named)
{
    static const struct {
        long call;
        int os_error;
        const char *words;
    } cases[] = {
        {SYS_bind, ENFILE, "(fs.file-max) is "},
        {SYS_listen, EMFILE, "the limit of descriptors of a process is "},
        {SYS_listen, ENOSPC, "(fs.epoll.max_user_watches) is "},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        run_where_fails(cases[i].call, cases[i].os_error, text, sizeof text);
        if (strstr(text, cases[i].words) == NULL)
            fail_msg("'%s' is not in: %s", cases[i].words, text);
    }
}

/* Descriptors run out while it serves: it says so, and goes on when there are some. */
TEST(test_connections_that_cannot_be_accepted)
{
    char errors[1024] = "";
    struct rlimit before;
    struct fleet_under_test fleet = fleet_begin("--count=1");
    const pid_t pid = (pid_t)fleet.process.handle;
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &before), 0);
    const struct rlimit none = {3, before.rlim_max};
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &none, NULL), 0);
    int handle = fleet_connect(&fleet, 0);
    for (unsigned i = 0; i < PATIENCE_S * 100 && strchr(errors, '\n') == NULL; i++) {
        os_sleep_ns(10 * OS_NS_PER_MS);
        file_read(fleet.errors, errors, sizeof errors);
    }
    assert_non_null(strstr(errors, "connections wait to be accepted: Too many open files; the "
                                   "limit of descriptors of a process is 3: "));
    assert_non_null(strstr(errors, "ulimit -n 12"));
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &before, NULL), 0);
    struct protocol_go go = go_of(PROTOCOL_TAPE, 3, 256, 256);
    frames_check(handle, &go);
    fleet_end(&fleet);
}

/* With one listener for all, each server has the address that it would have with its own, and no
 * other address is served. */
TEST(test_shared_listeners)
{
    /* Bound on all addresses, so the port must be free of other tests and outside the kernel's
     * range. */
    const uint16_t number = (uint16_t)(10000 + getpid() % 9000);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(number)};
    char port[32];
    snprintf(port, sizeof port, "--port=%u", (unsigned)number);
    struct fleet_under_test fleet =
        fleet_begin("--listeners=shared", port, "--count=15", "--ports-per-address=1");
    for (unsigned server = 0; server < 16; server++) {
        struct protocol_go go = go_of(PROTOCOL_TAPE, 3, 256, 256);
        char byte;
        int handle = socket(AF_INET, SOCK_STREAM, 0);
        in.sin_addr.s_addr = htonl(fleet.host + server);
        assert_int_equal(connect(handle, (struct sockaddr *)&in, sizeof in), 0);
        if (server < 15) {
            frames_check(handle, &go);
        } else {
            assert_true(recv(handle, &byte, 1, 0) <= 0); /* an address of no server of ours */
        }
        close(handle);
    }
    fleet_end(&fleet);
}

TEST(test_ready_file_and_summary)
{
    char line[128], expected[128], errors[1024];
    struct fleet_under_test fleet = fleet_begin("--count=7");
    file_read(fleet.ready, line, sizeof line);
    snprintf(expected, sizeof expected, "%ld %d 7\n", (long)fleet.process.handle, PORT);
    assert_string_equal(line, expected);
    struct protocol_go go = go_of(PROTOCOL_TAPE, 3, 256, 256);
    int handle = fleet_connect(&fleet, 6);
    frames_check(handle, &go);
    kill((pid_t)fleet.process.handle, SIGINT);
    assert_int_equal(process_end(&fleet.process), 0);
    assert_ends(handle);
    close(handle);
    file_read(fleet.errors, errors, sizeof errors);
    assert_non_null(strstr(errors, "3 frames, 768 bytes, 0 faults"));
    assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
    fleet_forget(&fleet);
}

TEST(test_port_from_the_kernel)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    long pid;
    int port, count;
    struct fleet_under_test fleet = fleet_begin("--port=0");
    file_read(fleet.ready, line, sizeof line);
    assert_int_equal(sscanf(line, "%ld %d %d", &pid, &port, &count), 3);
    assert_true(port > 0 && count == 1);
    int handle = fleet_connect(&fleet, (unsigned)(port - PORT));
    login(handle, "a", "b");
    assert_ok(handle);
    close(handle);
    fleet_end(&fleet);
}

TEST(test_spread_over_addresses)
{
    struct fleet_under_test fleet = fleet_begin("--count=5", "--ports-per-address=2");
    struct fleet_under_test at = fleet;
    for (unsigned server = 0; server < 5; server++) {
        at.host = fleet.host + server / 2;
        close(fleet_connect(&at, server % 2));
    }
    int handle = socket_with_patience();
    assert_int_equal(fleet_try(&at, handle, 1), -ECONNREFUSED); /* there is no sixth */
    close(handle);
    fleet_end(&fleet);
}

/* The connection that fills a small backlog need not come about: here nothing arrives. */
TEST(nobody_waits_for_a_full_queue)
{
    enum { UNAVAILABLE = 77 };
    char program[PATH_BYTES], directory[64], script[3 * PATH_BYTES], ready[PATH_BYTES];
    char *argv[] = {(char *)"unshare", (char *)"-rn", (char *)"sh", (char *)"-c", script, NULL};
    struct os_process process;
    int code = -1;
    program_path(program);
    assert_true(temporary_directory(directory, sizeof directory));
    snprintf(ready, sizeof ready, "%s/ready", directory);
    snprintf(script, sizeof script,
             "{ ip link set lo up && tc qdisc add dev lo root tbf rate 1kbit burst 60 limit 1; } "
             "2>/dev/null || exit %d; exec '%s' --count=3 --fault=small-backlog:3 "
             "--ready-file='%s' 2>/dev/null",
             UNAVAILABLE, program, ready);
    assert_int_equal(os_process_start(&process, argv, NULL, "/dev/null"), 0);
    for (unsigned i = 0; i < PATIENCE_S * 100 && access(ready, R_OK) != 0; i++)
        if (os_process_wait(&process, 10 * OS_NS_PER_MS, &code) != 0)
            break;
    if (code < 0) {
        kill((pid_t)process.handle, SIGTERM);
        assert_int_equal(process_end(&process), 0);
    }
    assert_int_equal(rmdir(directory), 0);
    if (code == UNAVAILABLE || code == 1) {
        puts("skip: needs unshare, ip and tc, and to be allowed to make a network namespace");
        skip();
    }
    assert_int_equal(code, -1); /* it did not end by itself */
}

TEST(messages_into_a_closed_pipe_cost_nothing)
{
    char directory[64], ready[PATH_BYTES], option[PATH_BYTES + 16];
    int process = unheard_start("fanin-servers", (const char *const[]){"--nonsense", NULL});
    assert_int_equal(unheard_end(process), 2);
    assert_true(temporary_directory(directory, sizeof directory));
    snprintf(ready, sizeof ready, "%s/ready", directory);
    snprintf(option, sizeof option, "--ready-file=%s", ready);
    process = unheard_start("fanin-servers", (const char *const[]){"--port=0", option, NULL});
    for (unsigned i = 0; i < PATIENCE_S * 100 && access(ready, R_OK) != 0; i++)
        os_sleep_ns(10 * OS_NS_PER_MS);
    kill(process, SIGTERM);
    assert_int_equal(unheard_end(process), 0); /* its summary went nowhere */
    assert_int_equal(rmdir(directory), 0);
}
