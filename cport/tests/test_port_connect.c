/* Connecting and accepting, over real loopback; the scripted engine where loopback cannot give the
 * answer. */
#include "cport/tests/port_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "base/net.h"
#include "base/tests/limit.h"
#include "cport/tests/scripted_engine.h"

static struct cp_socket open_socket(struct cport *port, uintptr_t key)
{
    struct cp_socket socket = {0};
    assert_int_equal(cp_socket_open(port, AF_INET, key, &socket), 0);
    return socket;
}

static int connect_to(struct cp_socket socket, struct cp_op *op, const struct sockaddr_in *address,
                      uint64_t timeout_ns)
{
    return cp_connect(socket, op, (const struct sockaddr *)address, sizeof *address, timeout_ns);
}

/* A connect of a new socket. */
static struct cp_socket start_connect(struct cport *port, uintptr_t key, struct cp_op *op,
                                      const struct sockaddr_in *address, uint64_t timeout_ns)
{
    struct cp_socket socket = open_socket(port, key);
    assert_int_equal(connect_to(socket, op, address, timeout_ns), 0);
    return socket;
}

EVERY_LOOPBACK(many_connect_at_once)
{
    enum { COUNT = 300 };
    static struct cp_op ops[COUNT];
    struct sockaddr_in address;
    struct cport *port = port_of(*state, 2);
    int listener = listen_somewhere(&address, COUNT);
    memset(ops, 0, sizeof ops);
    for (unsigned index = 0; index < COUNT; index++)
        start_connect(port, index, &ops[index], &address, ms(PACKET_WAIT_MS));
    bool seen[COUNT] = {false};
    for (unsigned index = 0; index < COUNT; index++) {
        struct cp_packet packet = next_packet(port);
        assert_int_equal(packet.result, 0);
        assert_false(seen[packet.key]);
        seen[packet.key] = true;
    }
    assert_int_equal(port->deadlines.count, 0);
    close(listener);
    cp_free(port);
}

/* A listener whose queue is full ignores what comes: connects to it stay pending. */
struct full_listener {
    int listener, fillers[8];
    struct sockaddr_in address;
};

static void full_listener_open(struct full_listener *full)
{
    full->listener = listen_somewhere(&full->address, 0);
    for (unsigned index = 0; index < 8; index++) {
        full->fillers[index] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(full->fillers[index], (struct sockaddr *)&full->address, sizeof full->address);
    }
    os_sleep_ns(ms(20));
}

static void full_listener_close(struct full_listener *full)
{
    for (unsigned index = 0; index < 8; index++)
        close(full->fillers[index]);
    close(full->listener);
}

EVERY_LOOPBACK(a_time_limit_ends_a_connect)
{
    const uint64_t limits_ms[] = {150, 50, 100};
    struct full_listener full;
    struct cport *port = port_of(*state, 1);
    struct cp_op ops[3] = {0};
    uint64_t due_ns[3], due_at_last_ns[3], before_ns = 0; /* between them lies the deadline */
    full_listener_open(&full);
    for (unsigned index = 0; index < 3; index++) {
        due_ns[index] = os_now_ns() + ms(limits_ms[index]);
        start_connect(port, index, &ops[index], &full.address, ms(limits_ms[index]));
        due_at_last_ns[index] = os_now_ns() + ms(limits_ms[index]);
    }
    for (unsigned index = 0; index < 3; index++) {
        struct cp_packet packet = next_packet(port);
        assert_int_equal(packet.result, CP_ETIMEDOUT);
        assert_true(os_now_ns() >= due_ns[packet.key]);
        assert_true(due_at_last_ns[packet.key] >= before_ns); /* the earliest first */
        before_ns = due_ns[packet.key];
    }
    assert_no_packet(port);
    full_listener_close(&full);
    cp_free(port);
}

/* The farthest time limit that is not for ever. */
EVERY_LOOPBACK(a_time_limit_of_centuries_ends_no_connect)
{
    struct full_listener full;
    struct cport *port = port_of(*state, 1);
    struct cp_op op = {0}, timer = {0};
    struct cp_packet packet;
    full_listener_open(&full);
    struct cp_socket socket = start_connect(port, 1, &op, &full.address, CP_FOREVER - 1);
    assert_no_packet(port);
    assert_int_equal(cp_cancel(socket, &op), 0);
    assert_next(port, &op, CP_ECANCELED);
    assert_int_equal(cp_timer(port, &timer, 0, ms(20)), 0);
    assert_int_equal(cp_wait(port, &packet, 1, CP_FOREVER - 1), 1); /* it waits as long, too */
    assert_ptr_equal(packet.op, &timer);
    full_listener_close(&full);
    cp_free(port);
}

/* The alarm of a connect that was made in time goes off for nothing; the next deadline needs
 * another. A connect whose alarm is missing would stay pending until the kernel's own limit,
 * minutes later. */
EVERY_LOOPBACK(a_time_limit_after_one_that_was_kept_ends_a_connect)
{
    enum { LIMIT_MS = 30 };
    struct full_listener full;
    struct sockaddr_in address;
    struct cport *port = port_of(*state, 1);
    struct cp_op in_time = {0}, late = {0};
    struct cp_packet packet;
    int listener = listen_somewhere(&address, 1);
    full_listener_open(&full);
    start_connect(port, 1, &in_time, &address, ms(LIMIT_MS));
    int64_t first = next_packet(port).result;
    assert_true(first == 0 || first == CP_ETIMEDOUT); /* a busy machine may need longer */
    assert_int_equal(cp_wait(port, &packet, 1, ms(2 * LIMIT_MS)), 0);
    start_connect(port, 2, &late, &full.address, ms(LIMIT_MS));
    assert_next(port, &late, CP_ETIMEDOUT);
    full_listener_close(&full);
    close(listener);
    cp_free(port);
}

EVERY_LOOPBACK(a_pending_connect_can_be_cancelled)
{
    struct full_listener full;
    struct cport *port = port_of(*state, 1);
    struct cp_op cancelled = {0}, closed = {0};
    full_listener_open(&full);
    struct cp_socket first = start_connect(port, 1, &cancelled, &full.address, CP_FOREVER);
    struct cp_socket second = start_connect(port, 2, &closed, &full.address, ms(PACKET_WAIT_MS));
    assert_int_equal(cp_cancel(first, &cancelled), 0);
    assert_next(port, NULL, CP_ECANCELED);
    cp_socket_close(second);
    assert_next(port, NULL, CP_EABORTED);
    assert_int_equal(port->deadlines.count, 0);
    full_listener_close(&full);
    cp_free(port);
}

EVERY_LOOPBACK(an_address_in_use_is_reported)
{
    struct cport *port = port_of(*state, 1);
    struct sockaddr_in address;
    int listener = listen_somewhere(&address, 1);
    struct cp_socket socket = open_socket(port, 1);
    assert_int_equal(cp_listen(socket, (struct sockaddr *)&address, sizeof address, 1),
                     CP_EADDRINUSE);
    close(listener);
    cp_free(port);
}

/* ---- accepts that fail --------------------------------------------------------------------- */

static int accept_error; /* what the system says to every accept; 0: nothing */

int __real_accept4(int listener, struct sockaddr *address, socklen_t *bytes, int flags);
int __wrap_accept4(int listener, struct sockaddr *address, socklen_t *bytes, int flags);

int __wrap_accept4(int listener, struct sockaddr *address, socklen_t *bytes, int flags)
{
    if (accept_error == 0)
        return __real_accept4(listener, address, bytes, flags);
    errno = accept_error;
    return -1;
}

/* A listener of the port at which a connection waits. */
struct waiting {
    struct cp_socket listener;
    int peer;
};

static struct waiting waiting_open(struct cport *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t bytes = sizeof address;
    struct waiting waiting = {open_socket(port, 1), socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr *any = (struct sockaddr *)&address;
    assert_int_equal(cp_listen(waiting.listener, any, sizeof address, 1), 0);
    assert_int_equal(getsockname((int)cp_socket_handle(waiting.listener), any, &bytes), 0);
    assert_int_equal(connect(waiting.peer, any, bytes), 0);
    return waiting;
}

/* Fails some times in a row, each time reported; then `op` is posted again and held. On a busy
 * machine that may take more times: a hold can pass before the accept is posted. */
static void accept_fails(struct cport *port, struct cp_socket listener, struct cp_op *op, int error,
                         int code)
{
    enum { FAILURES = 3 };
    uint64_t started_ns = os_now_ns();
    accept_error = error;
    assert_int_equal(cp_accept(listener, op, NULL, NULL), 0);
    for (unsigned count = 0; count < FAILURES || port->deadlines.count == 0; count++) {
        assert_next(port, op, code);
        assert_int_equal(op->os_error, error);
        assert_true(os_now_ns() - started_ns >= ms(10) * count);
        assert_int_equal(cp_accept(listener, op, NULL, NULL), 0);
    }
    assert_non_null(port->held.first);
}

EVERY_LOOPBACK(an_accept_that_lacks_resources_is_held)
{
    static const int errors[][2] = {
        {EMFILE, CP_EMFILE}, {ENFILE, CP_ENFILE}, {ENOMEM, CP_ENOMEM}, {ENOBUFS, CP_ENOMEM}};
    for (unsigned index = 0; index < 4; index++) {
        struct cport *port = port_of(*state, 1);
        struct waiting waiting = waiting_open(port);
        struct cp_socket other = open_socket(port, 2);
        struct cp_op op = {0};
        accept_fails(port, waiting.listener, &op, errors[index][0], errors[index][1]);
        accept_error = 0;
        cp_socket_close(other); /* there is a descriptor: no need to wait */
        assert_null(port->held.first);
        assert_int_equal(port->deadlines.count, 0);
        assert_next(port, &op, 0);
        close((int)op.accepted);
        close(waiting.peer);
        cp_free(port);
    }
}

EVERY_LOOPBACK(a_held_accept_is_attempted_again)
{
    struct cport *port = port_of(*state, 1);
    struct waiting waiting = waiting_open(port);
    struct cp_op op = {0};
    accept_fails(port, waiting.listener, &op, ENFILE, CP_ENFILE);
    accept_error = 0;
    assert_next(port, &op, 0);
    assert_null(port->held.first);
    close((int)op.accepted);
    close(waiting.peer);
    cp_free(port);
}

EVERY_LOOPBACK(a_held_accept_ends_as_others_do)
{
    struct cport *port = port_of(*state, 1);
    struct waiting first = waiting_open(port), second = waiting_open(port);
    struct cp_op op = {0}, behind = {0};
    accept_fails(port, first.listener, &op, EMFILE, CP_EMFILE);
    assert_int_equal(cp_accept(first.listener, &behind, NULL, NULL), 0);
    assert_int_equal(cp_cancel(first.listener, &op), 0);
    assert_next(port, &op, CP_ECANCELED);
    assert_next(port, &behind, CP_EMFILE);
    assert_int_equal(cp_accept(first.listener, &op, NULL, NULL), 0);
    cp_socket_close(first.listener);
    assert_next(port, &op, CP_EABORTED);
    assert_null(port->held.first);
    assert_int_equal(port->deadlines.count, 0);
    accept_fails(port, second.listener, &op, EMFILE, CP_EMFILE);
    cp_free(port);
    accept_error = 0;
    assert_int_equal(op_state(&op), OP_IDLE);
    close(first.peer);
    close(second.peer);
}

/* The listener's last accept failed, none is posted again. */
EVERY_LOOPBACK(a_held_listener_is_released)
{
    struct cport *port = port_of(*state, 1);
    struct waiting waiting = waiting_open(port);
    struct cp_op op = {0};
    cp_handle handle;
    accept_error = EMFILE;
    assert_int_equal(cp_accept(waiting.listener, &op, NULL, NULL), 0);
    assert_next(port, &op, CP_EMFILE);
    accept_error = 0;
    assert_int_equal(cp_socket_release(waiting.listener, &handle), 0);
    assert_null(port->held.first);
    cp_socket_close(open_socket(port, 2)); /* in the same slot; looks for held accepts */
    assert_int_equal(cp_associate(port, handle, 3, &waiting.listener), 0);
    assert_int_equal(cp_accept(waiting.listener, &op, NULL, NULL), 0);
    assert_next(port, &op, 0);
    close((int)op.accepted);
    close(waiting.peer);
    cp_free(port);
}

/* A completion engine starts each accept at once; its kernel then fails it. */
ENGINE_TEST(a_started_accept_is_held_too, "scripted")
{
    struct cport *port = port_of(*state, 1);
    struct sockaddr_in address = loopback(9);
    struct cp_socket listener = open_socket(port, 1), other = open_socket(port, 2);
    struct cp_op op = {0};
    assert_int_equal(cp_listen(listener, (struct sockaddr *)&address, sizeof address, 1), 0);
    script(listener, SCRIPT_ACCEPT, CP_ENOMEM);
    accept_fails(port, listener, &op, 0, CP_ENOMEM);
    script(listener, SCRIPT_ACCEPT, 0);
    assert_ptr_equal(port->held.first,
                     &slot_at(port, (uint32_t)listener.id)->directions[DIRECTION_IN].ready_node);
    cp_socket_close(other);
    assert_null(port->held.first);
    assert_next(port, &op, 0);
    cp_free(port);
}

/* ---- adopted and refused ------------------------------------------------------------------- */

/* The system names no peer of such a connection, as of a socket that was never connected. */
EVERY_LOOPBACK(a_connection_reset_before_it_is_adopted_is_reset)
{
    struct cport *port = port_of(*state, 1);
    struct sockaddr_in address;
    struct cp_socket adopted;
    struct cp_op op = {0};
    char byte;
    struct cp_block block = {&byte, 1};
    int listener = listen_somewhere(&address, 1);
    int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof address), 0);
    int accepted = accept(listener, NULL, NULL);
    net_reset(peer);
    struct pollfd gone = {.fd = accepted, .events = POLLIN};
    assert_int_equal(poll(&gone, 1, PACKET_WAIT_MS), 1);
    assert_int_equal(cp_associate(port, accepted, 1, &adopted), 0);
    assert_int_equal(cp_receive(adopted, &op, &block, 1), CP_ERESET);
    assert_int_equal(cp_send(adopted, &op, &block, 1), CP_ERESET);
    assert_int_equal(connect_to(adopted, &op, &address, CP_FOREVER), CP_EISCONN);
    assert_no_packet(port);
    close(listener);
    cp_free(port);
}

EVERY_LOOPBACK(no_socket_is_not_associated)
{
    struct cport *port = port_of(*state, 1);
    struct cp_socket again;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(cp_associate(port, pipe_ends[0], 2, &again), CP_EINVAL);
    assert_int_equal(cp_associate(port, 1 << 20, 2, &again), CP_EINVAL);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    cp_free(port);
}

EVERY_LOOPBACK(no_descriptor_is_left)
{
    struct cport *port = port_of(*state, 1);
    struct cp_socket socket;
    struct rlimit limit = limit_lower(RLIMIT_NOFILE, 0);
    int code = cp_socket_open(port, AF_INET, 1, &socket);
    struct cport *second = NULL;
    char why[64];
    int opened = port_try("epoll", 1, &second, why, sizeof why);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(code, CP_EMFILE);
    assert_int_equal(opened, CP_EMFILE);
    assert_true(strlen(why) > 0);
    cp_free(port);
}

ENGINE_TEST(the_script_answers_connects, "scripted")
{
    struct cport *port = port_of(*state, 1);
    const int64_t answers[] = {0, CP_EREFUSED, CP_EUNREACHABLE};
    struct sockaddr_in address = loopback(1);
    for (unsigned index = 0; index < 3; index++) {
        struct cp_op op = {0};
        struct cp_socket socket = start_connect(port, index, &op, &address, CP_FOREVER);
        assert_no_packet(port);
        script(socket, SCRIPT_CONNECT, answers[index]);
        assert_next(port, NULL, answers[index]);
    }
    struct cp_op op = {0};
    start_connect(port, 3, &op, &address, ms(20));
    assert_next(port, NULL, CP_ETIMEDOUT);
    cp_free(port);
}
