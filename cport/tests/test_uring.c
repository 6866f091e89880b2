/* What the io_uring engine does where io_uring is missing, forbidden, or fails half-way. The calls
 * into liburing that can fail go through here: the Makefile links test_uring with --wrap. */
#include "cport/tests/far_side.h"
#include "base/tests/find.h"

#include <errno.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { CROWD = 24, TAKEN_BEFORE_FAILURE = 9, EXIT_MACHINE_CANNOT = 3 };

static struct {
    int init_code;       /* what making a ring ends with; 0: as it will */
    bool no_probe;       /* the kernel tells nothing about its operations */
    bool silent;         /* submissions are said to be taken, and never answered */
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
    (void)state;
    memset(&kernel, 0, sizeof kernel);
    return 0;
}

/* ---- opening ------------------------------------------------------------------------------- */

static int open_uring(char *why, size_t why_bytes)
{
    struct cport *port = NULL;
    struct cp_config config = {.engine = "uring"};
    why[0] = '\0';
    int code = cp_open(&config, &port, why, why_bytes);
    cp_free(port);
    return code;
}

static void assert_refused(int init_code, int expected, const char *words)
{
    char why[256];
    kernel.init_code = init_code;
    assert_int_equal(open_uring(why, sizeof why), expected);
    if (!strstr(why, words))
        fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    assert_refused(-ENOSYS, CP_EUNSUPPORTED, "no io_uring");
    assert_refused(-EPERM, CP_EUNSUPPORTED, "io_uring is ");
    assert_refused(-EACCES, CP_EUNSUPPORTED, "forbidden");
    assert_refused(-EMFILE, CP_EMFILE, "open files");
    assert_refused(-ENOMEM, CP_ENOMEM, "memory");
}

static void a_kernel_that_cannot_receive_is_refused(void **state)
{
    char why[256];
    cp_free(open_port(*state, 1)); /* skips where there is no io_uring at all */
    kernel.no_probe = true;
    assert_int_equal(open_uring(why, sizeof why), CP_EUNSUPPORTED);
    assert_non_null(strstr(why, "cannot receive"));
    kernel.no_probe = false;
    kernel.silent = true;
    assert_int_equal(open_uring(why, sizeof why), CP_EUNSUPPORTED);
    assert_non_null(strstr(why, "cannot receive"));
    kernel.silent = false;
    kernel.refuses_all = true;
    assert_int_equal(open_uring(why, sizeof why), CP_EUNSUPPORTED);
    assert_true(why[0] != '\0');
}

/* ---- failures half-way --------------------------------------------------------------------- */

struct member {
    struct connection connection;
    struct cp_op op;
    struct cp_block block;
    char data[4];
};

static void exchange(struct far_side *far, struct cport *port, struct member *members)
{
    struct cp_packet packets[CROWD];
    for (unsigned index = 0; index < CROWD; index++) {
        struct member *member = &members[index];
        memset(member->data, 0, sizeof member->data);
        member->block = (struct cp_block){member->data, sizeof member->data};
        assert_int_equal(cp_receive(member->connection.near, &member->op, &member->block, 1), 0);
        far->send(&member->connection, "abc", 3);
    }
    os_sleep_ns(10 * OS_NS_PER_MS);
    for (int total = 0, count; total < CROWD; total += count) {
        count = cp_wait(port, packets, CROWD, (uint64_t)PACKET_WAIT_MS * OS_NS_PER_MS);
        assert_true(count > 0);
        for (int index = 0; index < count; index++)
            assert_int_equal(packets[index].result, 3);
    }
    for (unsigned index = 0; index < CROWD; index++)
        assert_memory_equal(members[index].data, "abc", 4);
}

static void receives_survive_a_ring_that_fails(void **state)
{
    struct far_side *far = *state;
    static struct member members[CROWD];
    struct cport *port = open_port(far, 1);
    memset(members, 0, sizeof members);
    for (unsigned index = 0; index < CROWD; index++)
        far->connect(port, index, &members[index].connection);
    unsigned before = kernel.sent;
    exchange(far, port, members);
    assert_true(kernel.sent - before >= CROWD / 2); /* through the ring */
    assert_int_equal(kernel.made, 1);

    kernel.refuses_some = true;
    before = kernel.sent;
    exchange(far, port, members);
    assert_int_equal(kernel.sent - before, TAKEN_BEFORE_FAILURE);

    kernel.refuses_all = false; /* the next batch makes a ring in place of the one that failed */
    before = kernel.sent;
    exchange(far, port, members);
    assert_true(kernel.sent - before >= CROWD / 2);
    assert_int_equal(kernel.made, 2);

    kernel.refuses_all = true;
    kernel.init_code = -ENOMEM; /* and where no ring can be had, plain calls do */
    exchange(far, port, members);
    exchange(far, port, members);
    for (unsigned index = 0; index < CROWD; index++)
        far->drop(&members[index].connection);
    cp_free(port);
}

static void a_huge_block_is_no_end_of_the_stream(void **state)
{
    struct far_side *far = *state;
    static struct member members[CROWD];
    struct cp_packet packets[CROWD];
    const size_t huge_bytes = (size_t)1 << 32;
    struct cport *port = open_port(far, 1);
    void *huge = mmap(NULL, huge_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (huge == MAP_FAILED) {
        cp_free(port);
        print_message("skip: no 4 GiB of addresses\n");
        skip();
    }
    memset(members, 0, sizeof members);
    for (unsigned index = 0; index < CROWD; index++) {
        struct member *member = &members[index];
        far->connect(port, index, &member->connection);
        member->block = (struct cp_block){huge, huge_bytes};
        assert_int_equal(cp_receive(member->connection.near, &member->op, &member->block, 1), 0);
        far->send(&member->connection, "abc", 3);
    }
    for (int total = 0, count; total < CROWD; total += count) {
        count = cp_wait(port, packets, CROWD, (uint64_t)PACKET_WAIT_MS * OS_NS_PER_MS);
        assert_true(count > 0);
        for (int index = 0; index < count; index++)
            assert_int_equal(packets[index].result, 3);
    }
    for (unsigned index = 0; index < CROWD; index++)
        far->drop(&members[index].connection);
    cp_free(port);
    munmap(huge, huge_bytes);
}

/* ---- a sandbox ----------------------------------------------------------------------------- */

/* From here on io_uring_setup ends with `os_error` in this process, and in those it starts. */
static bool forbid_io_uring(int os_error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)os_error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum verdict { VERDICT_GOOD, VERDICT_BAD, VERDICT_NO_SANDBOX = 77 };

/* "auto" takes an engine that runs; asked for by name, the other says why it does not. */
static enum verdict inside(int os_error, const char *words)
{
    struct cport *port = NULL;
    char why[256];
    if (!forbid_io_uring(os_error))
        return VERDICT_NO_SANDBOX;
    if (open_uring(why, sizeof why) != CP_EUNSUPPORTED || !strstr(why, words))
        return VERDICT_BAD;
    if (cp_open(&(struct cp_config){.engine = "auto"}, &port, why, sizeof why) != 0)
        return VERDICT_BAD;
    enum verdict verdict = strcmp(cp_engine_name(port), "epoll") == 0 ? VERDICT_GOOD : VERDICT_BAD;
    cp_free(port);
    return verdict;
}

static int wait_for(pid_t child)
{
    int status;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == VERDICT_NO_SANDBOX) {
        print_message("skip: seccomp filters cannot be set here\n");
        skip();
    }
    return WEXITSTATUS(status);
}

static void auto_does_without(void **state)
{
    (void)state;
    const struct {
        int os_error;
        const char *words;
    } cases[] = {{ENOSYS, "no io_uring"}, {EPERM, "io_uring is "}};
    for (unsigned index = 0; index < 2; index++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            _exit(inside(cases[index].os_error, cases[index].words));
        assert_int_equal(wait_for(child), VERDICT_GOOD);
    }
}

static void the_client_says_why_not(void **state)
{
    (void)state;
    char path[4096], errors[1024];
    if (!find_upwards(path, sizeof path, "fanin-client")) {
        print_message("skip: fanin-client is not built\n");
        skip();
    }
    FILE *file = tmpfile();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(file), STDERR_FILENO);
        if (!forbid_io_uring(EPERM))
            _exit(VERDICT_NO_SANDBOX);
        execl(path, "fanin-client", "--engine=uring", "--servers=127.0.0.1:1", (char *)NULL);
        _exit(127);
    }
    int code = wait_for(child);
    rewind(file);
    size_t bytes = fread(errors, 1, sizeof errors - 1, file);
    errors[bytes] = '\0';
    fclose(file);
    assert_int_equal(code, EXIT_MACHINE_CANNOT);
    if (!strstr(errors, "io_uring is "))
        fail_msg("it said: %s", errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"what_is_missing_is_said", what_is_missing_is_said, reset, NULL, NULL},
        {"a_kernel_that_cannot_receive_is_refused", a_kernel_that_cannot_receive_is_refused, reset,
         NULL, &far_uring},
        {"receives_survive_a_ring_that_fails", receives_survive_a_ring_that_fails, reset, NULL,
         &far_uring},
        {"a_huge_block_is_no_end_of_the_stream", a_huge_block_is_no_end_of_the_stream, reset, NULL,
         &far_uring},
        {"auto_does_without", auto_does_without, reset, NULL, NULL},
        {"the_client_says_why_not", the_client_says_why_not, reset, NULL, NULL},
    };
    return cmocka_run_group_tests_name("the io_uring engine", tests, NULL, NULL);
}
