/* The io_uring engine where io_uring is missing, forbidden, or fails half-way. The calls into
 * liburing that can fail are replaced: the Makefile links test_uring with --wrap. */
#include "base/options.h"
#include "base/tests/find.h"
#include "base/tests/limit.h"
#include "cport/tests/port_fixture.h"

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CROWD = 24, TAKEN_BEFORE_FAILURE = 9 };

static struct {
    int init_code;       /* the result of making a ring; 0: the real one */
    bool no_probe;       /* the kernel does not list its operations */
    bool silent;         /* submissions are taken and never answered */
    bool refuses_some;   /* of the next submission some entries are taken, and no more after */
    bool refuses_all;    /* nothing is taken */
    unsigned made, sent; /* rings that were made; entries that were taken */
} kernel;

int __real_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
struct io_uring_probe *__real_io_uring_get_probe_ring(struct io_uring *ring);
struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    if (kernel.init_code != 0)
        return kernel.init_code;
    kernel.made++;
    return __real_io_uring_queue_init(entries, ring, flags);
}

struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring)
{
    return kernel.no_probe ? NULL : __real_io_uring_get_probe_ring(ring);
}

static int submit_some(struct io_uring *ring)
{
    unsigned tail = ring->sq.sqe_tail;
    ring->sq.sqe_tail = ring->sq.sqe_head + TAKEN_BEFORE_FAILURE;
    int code = __real_io_uring_submit(ring);
    ring->sq.sqe_tail = tail;
    kernel.refuses_some = false;
    kernel.refuses_all = true;
    return code;
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
    if (kernel.silent)
        return 1;
    if (kernel.refuses_all)
        return -EAGAIN;
    int code = kernel.refuses_some ? submit_some(ring) : __real_io_uring_submit(ring);
    kernel.sent += code > 0 ? (unsigned)code : 0;
    return code;
}

static int reset(void **state)
{
    memset(&kernel, 0, sizeof kernel);
    return 0;
}

/* ---- opening ------------------------------------------------------------------------------- */

/* Opening ends with this code, and `why` has these words. */
static void assert_refused(int expected, const char *words)
{
    struct cport *port = NULL;
    char why[256];
    assert_int_equal(port_try("uring", 1, &port, why, sizeof why), expected);
    if (!strstr(why, words))
        fail_msg("\"%s\" does not say \"%s\"", why, words);
}

TEST(what_is_missing_is_reported, reset)
{
    const struct {
        int init_code, code;
        const char *words;
    } cases[] = {
        {-ENOSYS, CP_EUNSUPPORTED, "no io_uring"},
        {-EPERM, CP_EUNSUPPORTED, "io_uring is "},
        {-EACCES, CP_EUNSUPPORTED, "forbidden"},
        {-EMFILE, CP_EMFILE, "open files"},
        {-ENOMEM, CP_ENOMEM, "memory"},
    };
    for (unsigned index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        kernel.init_code = cases[index].init_code;
        assert_refused(cases[index].code, cases[index].words);
    }
}

TEST(a_kernel_that_cannot_receive_is_refused, reset, NULL, "uring")
{
    cp_free(port_of(*state, 1)); /* skips where there is no io_uring at all */
    kernel.no_probe = true;
    assert_refused(CP_EUNSUPPORTED, "cannot receive");
    kernel.no_probe = false;
    kernel.silent = true;
    assert_refused(CP_EUNSUPPORTED, "cannot receive");
    kernel.silent = false;
    kernel.refuses_all = true;
    assert_refused(CP_EUNSUPPORTED, "io_uring: ");
}

/* ---- failures half-way --------------------------------------------------------------------- */

struct member {
    struct connection connection;
    struct cp_op op;
    struct cp_block block;
    char data[4];
};

static struct member members[CROWD];

static struct cport *members_open(void **state)
{
    struct cport *port = port_of(*state, 1);
    memset(members, 0, sizeof members);
    for (unsigned index = 0; index < CROWD; index++)
        remote_connect(port, index, &members[index].connection);
    return port;
}

static void members_close(struct cport *port)
{
    for (unsigned index = 0; index < CROWD; index++)
        remote_close(&members[index].connection);
    cp_free(port);
}

/* Every member receives three bytes, into `huge_bytes` at `huge`, or into its own. Returns how many
 * receives went through a ring. */
static unsigned exchange(struct cport *port, void *huge, size_t huge_bytes)
{
    struct cp_packet packets[CROWD];
    unsigned before = kernel.sent;
    for (unsigned index = 0; index < CROWD; index++) {
        struct member *member = &members[index];
        memset(member->data, 0, sizeof member->data);
        member->block = huge ? (struct cp_block){huge, huge_bytes}
                             : (struct cp_block){member->data, sizeof member->data};
        assert_int_equal(cp_receive(member->connection.near, &member->op, &member->block, 1), 0);
        remote_send(&member->connection, "abc", 3);
    }
    os_sleep_ns(ms(10));
    for (int total = 0, count; total < CROWD; total += count) {
        count = cp_wait(port, packets, CROWD, ms(PACKET_WAIT_MS));
        assert_true(count > 0);
        for (int index = 0; index < count; index++)
            assert_int_equal(packets[index].result, 3);
    }
    for (unsigned index = 0; index < CROWD && !huge; index++)
        assert_memory_equal(members[index].data, "abc", 4);
    return kernel.sent - before;
}

TEST(receives_survive_a_ring_that_fails, reset, NULL, "uring")
{
    struct cport *port = members_open(state);
    assert_true(exchange(port, NULL, 0) >= CROWD / 2);
    assert_int_equal(kernel.made, 1);

    kernel.refuses_some = true;
    assert_int_equal(exchange(port, NULL, 0), TAKEN_BEFORE_FAILURE);

    kernel.refuses_all = false; /* the next batch makes a new ring */
    assert_true(exchange(port, NULL, 0) >= CROWD / 2);
    assert_int_equal(kernel.made, 2);

    kernel.refuses_all = true;
    kernel.init_code = -ENOMEM; /* without any ring, plain calls do it */
    exchange(port, NULL, 0);
    exchange(port, NULL, 0);
    members_close(port);
}

TEST(a_block_of_4_gib_is_not_the_end_of_the_stream, reset, NULL, "uring")
{
    const size_t huge_bytes = (size_t)1 << 32;
    struct cport *port = members_open(state);
    void *huge = mmap(NULL, huge_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (huge != MAP_FAILED)
        exchange(port, huge, huge_bytes);
    members_close(port);
    if (huge == MAP_FAILED) {
        print_message("skip: no 4 GiB of address space\n");
        skip();
    }
    munmap(huge, huge_bytes);
}

/* ---- a sandbox ----------------------------------------------------------------------------- */

enum { NO_SANDBOX = 77 };

/* Runs in a process without io_uring, whose standard error is `errors`. Returns its exit code. */
static int in_sandbox(int os_error, FILE *errors, int (*inside)(const void *argument),
                      const void *argument)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(errors), STDERR_FILENO);
        _exit(limit_forbid(SYS_io_uring_setup, 0, 0, os_error) ? inside(argument) : NO_SANDBOX);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_SANDBOX) {
        print_message("skip: seccomp filters cannot be set here\n");
        skip();
    }
    return WEXITSTATUS(status);
}

/* "auto" takes an engine that runs; asked for by name, the other says why it does not. */
static int open_both(const void *words)
{
    struct cport *port = NULL;
    char why[256];
    if (port_try("uring", 1, &port, why, sizeof why) != CP_EUNSUPPORTED || !strstr(why, words) ||
        port_try("auto", 1, &port, why, sizeof why) != 0)
        return 1;
    int verdict = strcmp(cp_engine_name(port), "epoll") == 0 ? 0 : 1;
    cp_free(port);
    return verdict;
}

TEST(auto_does_without, reset)
{
    assert_int_equal(in_sandbox(ENOSYS, stderr, open_both, "no io_uring"), 0);
    assert_int_equal(in_sandbox(EPERM, stderr, open_both, "io_uring is "), 0);
}

static int run_client(const void *path)
{
    execl(path, "fanin-client", "--engine=uring", "--servers=127.0.0.1:1", (char *)NULL);
    return 127;
}

TEST(the_client_says_why_not, reset)
{
    char path[4096], errors[1024];
    if (!find_upwards(path, sizeof path, "fanin-client")) {
        print_message("skip: fanin-client is not built\n");
        skip();
    }
    FILE *file = tmpfile();
    int code = in_sandbox(EPERM, file, run_client, path);
    rewind(file);
    size_t bytes = fread(errors, 1, sizeof errors - 1, file);
    errors[bytes] = '\0';
    fclose(file);
    assert_int_equal(code, EXIT_MACHINE_CANNOT);
    if (!strstr(errors, "io_uring is "))
        fail_msg("it said: %s", errors);
}
