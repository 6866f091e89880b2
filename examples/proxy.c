/* A TCP proxy on a completion port: passes on what clients and a server send to each other.
 *
 *     cc proxy.c $(pkg-config --cflags --libs cport) -pthread -o proxy
 *     ./proxy 127.0.0.1 7001 example.org 80
 *
 * A session waits in an accept, connects to the server, and passes bytes on in both directions
 * until both have ended (half-close) or one has failed: then the rest is cancelled, and both sides
 * see a reset. Then it waits in an accept again. SIGINT or SIGTERM ends it: exit code 0. */
#include <cport.h>
#include <err.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 4, SESSIONS = 1024, PACKETS = 32, BACKLOG = 1024, DATA_BYTES = 32768 };

/* Side 0 is the client, 1 the server. A side's operation receives there and sends to the other. */
struct session {
    struct cp_op ops[2]; /* the first one also accepts and connects: its address is the session's */
    struct cp_socket sockets[2];
    char data[2][DATA_BYTES];
    pthread_mutex_t lock; /* two operations may complete on two workers at once */
    unsigned in_flight;   /* operations */
    bool open, failed;
};

static struct cport *port;
static struct cp_socket listener;
static struct addrinfo *target;
static struct session sessions[SESSIONS];
static _Atomic unsigned long served;

static void must(int code, const char *what)
{
    if (code < 0 && code != CP_ECLOSED)
        errx(1, "%s: %s", what, cp_error_text(code));
}

/* For a session that is new or has nothing in flight any more. */
static void session_accept(struct session *session)
{
    cp_socket_close(session->sockets[0]);
    cp_socket_close(session->sockets[1]);
    session->open = session->failed = false;
    session->in_flight = 1;
    must(cp_accept(listener, &session->ops[0], NULL, NULL), "cannot accept");
}

/* With a reset neither side takes what it got for the whole. */
static void session_fail(struct session *session)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    for (int side = 0; side < 2; side++) {
        const int handle = (int)cp_socket_handle(session->sockets[side]);
        setsockopt(handle, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        cp_cancel(session->sockets[side], NULL);
    }
    session->failed = true;
}

static void session_expect(struct session *session, int code)
{
    if (code < 0)
        session_fail(session);
    else
        session->in_flight++;
}

static void session_begin(struct session *session, cp_handle client)
{
    int code = cp_associate(port, client, (uintptr_t)session, &session->sockets[0]);
    if (code < 0)
        close((int)client);
    else
        code = cp_socket_open(port, target->ai_family, (uintptr_t)session, &session->sockets[1]);
    if (code == 0)
        code = cp_connect(session->sockets[1], &session->ops[0], target->ai_addr,
                          target->ai_addrlen, 10000000000 /* ns */);
    cp_socket_skip(session->sockets[0],
                   true); /* most sends are over at once: no packets of those */
    cp_socket_skip(session->sockets[1], true);
    session_expect(session, code);
    session->open = true;
    served++;
}

static void side_receive(struct session *session, int side)
{
    const struct cp_block room = {session->data[side], DATA_BYTES};
    struct cp_op *op = &session->ops[side];
    int code = cp_receive(session->sockets[side], op, &room, 1);
    if (code == CP_DONE) /* its turn comes after that of others */
        code = cp_post(port, op, (uintptr_t)session, op->result);
    session_expect(session, code);
}

/* What came from that side has been received, or has been sent on. */
static void side_go_on(struct session *session, int side, int64_t result)
{
    const struct cp_block received = {session->data[side], (size_t)result};
    const struct cp_socket other = session->sockets[!side];
    int code = CP_DONE;
    if (session->ops[side].kind != CP_SEND && result > 0)
        code = cp_send(other, &session->ops[side], &received, 1);
    if (result == 0) /* the end; should the other side have failed, its own operation says so */
        cp_shutdown(other);
    else if (code == CP_DONE)
        side_receive(session, side);
    else
        session_expect(session, code);
}

static void session_go_on(struct session *session, struct cp_op *op, int64_t result)
{
    session->in_flight--;
    if (op->kind == CP_ACCEPT && result == 0) {
        session_begin(session, op->accepted);
    } else if (result < 0) {
        session_fail(session);
    } else if (op->kind == CP_CONNECT) {
        side_receive(session, 0);
        if (!session->failed)
            side_receive(session, 1);
    } else if (!session->failed) {
        side_go_on(session, op == &session->ops[1], result);
    }
    if (session->in_flight == 0)
        session_accept(session);
}

static void *worker(void *unused)
{
    struct cp_packet packets[PACKETS];
    int count;
    while ((count = cp_wait(port, packets, PACKETS, CP_FOREVER)) > 0)
        for (int i = 0; i < count; i++) {
            struct cp_op *op = packets[i].op; /* an accept has the listener's key */
            struct session *session = op->kind == CP_ACCEPT ? (void *)op : (void *)packets[i].key;
            pthread_mutex_lock(&session->lock);
            session_go_on(session, op, packets[i].result);
            pthread_mutex_unlock(&session->lock);
        }
    return unused; /* the port is closed */
}

static struct addrinfo *resolve(const char *host, const char *service)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *address;
    if (getaddrinfo(host, service, &hints, &address) != 0 || strtoul(service, NULL, 10) > 65535)
        errx(2, "no address: %s port %s", host, service);
    return address;
}

static void listen_on(const struct addrinfo *address)
{
    must(cp_open(&(struct cp_config){0}, &port, NULL, 0), "no port");
    must(cp_socket_open(port, address->ai_family, 0, &listener), "no socket");
    must(cp_listen(listener, address->ai_addr, address->ai_addrlen, BACKLOG), "cannot listen");
    for (int i = 0; i < SESSIONS; i++) {
        pthread_mutex_init(&sessions[i].lock, NULL);
        session_accept(&sessions[i]);
    }
}

int main(int argc, char **argv)
{
    pthread_t workers[WORKERS];
    sigset_t signals;
    int signal, open = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return puts("proxy ADDRESS PORT TARGET TARGET-PORT: passes clients on to the target") < 0;
    if (argc != 5)
        errx(2, "expected ADDRESS PORT TARGET TARGET-PORT");
    struct addrinfo *address = resolve(argv[1], argv[2]);
    target = resolve(argv[3], argv[4]);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* the workers inherit it */
    listen_on(address);
    for (int i = 0; i < WORKERS; i++)
        must(pthread_create(&workers[i], NULL, worker, NULL) ? CP_ENOMEM : 0, "no worker");
    sigwait(&signals, &signal);
    cp_close(port); /* the workers return */
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    cp_free(port); /* from here on nothing is in flight */
    freeaddrinfo(address);
    freeaddrinfo(target);
    for (int i = 0; i < SESSIONS; i++)
        open += sessions[i].open;
    printf("proxy: %lu sessions served, %d open at the end\n", served, open);
    return 0;
}
