/* An echo server on a completion port: each client gets back what it sends.
 *
 *     cc echo.c $(pkg-config --cflags --libs cport) -pthread -o echo
 *     ./echo 127.0.0.1 7000                          (-v: a line for each client that leaves)
 *
 * Four workers wait on the port; as many as there are processors run at once. A connection has one
 * operation in flight at a time, so one worker at a time has it, and it needs no lock:
 *
 *     accept -> receive <-> send
 *                  |         |
 *                  +-> end <-+        the client has finished, or something failed
 *
 * SIGINT or SIGTERM ends it with exit code 0; 1: the server failed; 2: wrong arguments. */
#include <cport.h>

#include <err.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 4, ACCEPTS = 8, PACKETS = 32, BACKLOG = 1024, DATA_BYTES = 16384 };

struct peer {
    struct sockaddr_storage address;
    unsigned bytes;
};

struct connection {
    LIST_ENTRY(connection) link;
    struct cp_socket socket;
    struct cp_op op; /* stays where it is while it is in flight */
    struct peer peer;
    char data[DATA_BYTES];
};

/* Posted ahead: each client finds one waiting. */
static struct acceptor {
    struct cp_op op;
    struct peer peer;
} acceptors[ACCEPTS];

static struct cport *port;
static struct cp_socket listener;
static bool verbose;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static LIST_HEAD(, connection) connections;
static unsigned long served;

static void must(int code, const char *what)
{
    if (code < 0 && code != CP_ECLOSED)
        errx(1, "%s: %s", what, cp_error_text(code));
}

/* For a connection without an operation in flight. `code` is 0 if the client has finished. */
static void connection_end(struct connection *connection, int code)
{
    char host[NI_MAXHOST], service[NI_MAXSERV];
    if (verbose &&
        getnameinfo((struct sockaddr *)&connection->peer.address, connection->peer.bytes, host,
                    sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        printf("%s port %s: %s\n", host, service, code == 0 ? "finished" : cp_error_name(code));
    pthread_mutex_lock(&lock);
    LIST_REMOVE(connection, link);
    pthread_mutex_unlock(&lock);
    cp_socket_close(connection->socket);
    free(connection);
}

static int connection_receive(struct connection *connection)
{
    const struct cp_block room = {connection->data, sizeof connection->data};
    int code = cp_receive(connection->socket, &connection->op, &room, 1);
    if (code ==
        CP_DONE) /* its turn comes after that of others: a busy client must not starve them */
        code = cp_post(port, &connection->op, (uintptr_t)connection, connection->op.result);
    return code;
}

/* After a receive, or a send of what was received. */
static void connection_go_on(struct connection *connection, enum cp_kind kind, int64_t result)
{
    const struct cp_block received = {connection->data, (size_t)result};
    int code = result > 0 ? CP_DONE : (int)result; /* 0: the client has finished */
    if (result > 0 && kind != CP_SEND)
        code = cp_send(connection->socket, &connection->op, &received, 1);
    if (code == CP_DONE)
        code = connection_receive(connection);
    if (code != CP_ECLOSED && (result <= 0 || code < 0)) /* a closed port's are for main to free */
        connection_end(connection, code);
}

static void connection_begin(cp_handle handle, const struct peer *peer)
{
    struct connection *connection = calloc(1, sizeof *connection);
    const uintptr_t key = (uintptr_t)connection;
    if (!connection || cp_associate(port, handle, key, &connection->socket) != 0) {
        close((int)handle); /* no memory, or the port is closed */
        free(connection);
        return;
    }
    connection->peer = *peer;
    pthread_mutex_lock(&lock);
    LIST_INSERT_HEAD(&connections, connection, link);
    served++;
    pthread_mutex_unlock(&lock);
    cp_socket_skip(connection->socket, true); /* most sends are over at once: no packet for those */
    connection_go_on(connection, CP_SEND, 1); /* as after a send */
}

static void server_accept(struct acceptor *acceptor)
{
    acceptor->peer.bytes = sizeof acceptor->peer.address;
    must(cp_accept(listener, &acceptor->op, (struct sockaddr *)&acceptor->peer.address,
                   &acceptor->peer.bytes),
         "cannot accept");
}

/* A failed accept is posted again, too: the port holds it where no descriptor is left. */
static void server_accepted(struct acceptor *acceptor, int64_t result)
{
    if (result == 0)
        connection_begin(acceptor->op.accepted, &acceptor->peer);
    server_accept(acceptor);
}

static void *worker(void *unused)
{
    struct cp_packet packets[PACKETS];
    int count;
    while ((count = cp_wait(port, packets, PACKETS, CP_FOREVER)) > 0)
        for (int i = 0; i < count; i++) {
            struct cp_op *op = packets[i].op; /* the first member of an acceptor */
            if (op->kind == CP_ACCEPT)
                server_accepted((struct acceptor *)op, packets[i].result);
            else
                connection_go_on((void *)packets[i].key, op->kind, packets[i].result);
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
    for (int i = 0; i < ACCEPTS; i++)
        server_accept(&acceptors[i]);
}

int main(int argc, char **argv)
{
    pthread_t workers[WORKERS];
    sigset_t signals;
    int signal, open = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return puts("echo [-v] ADDRESS PORT: sends back what clients send (-v: names them)") < 0;
    if ((verbose = argc > 1 && strcmp(argv[1], "-v") == 0))
        argv++, argc--;
    if (argc != 3)
        errx(2, "expected ADDRESS PORT, as in: echo 127.0.0.1 7000");
    struct addrinfo *address = resolve(argv[1], argv[2]);
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
    for (struct connection *last; (last = LIST_FIRST(&connections)); open++) {
        LIST_REMOVE(last, link);
        free(last);
    }
    printf("echo: %lu connections served, %d open at the end\n", served, open);
    return 0;
}
