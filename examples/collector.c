/* A collector on a completion port: receives lines from many servers until they end.
 *
 *     cc collector.c $(pkg-config --cflags --libs cport) -o collector
 *     ./collector 10.0.0.1:7000 10.0.0.2:7000            or: xargs ./collector <servers.txt
 *
 * Receives are late: a silent server holds no memory, and all share a few blocks. One thread does
 * everything, so nothing needs a lock. SIGINT and SIGTERM end it early. Exit code 0; 1: a server
 * failed; 2: wrong arguments. */
#include <cport.h>

#include <err.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BLOCKS = 16, BLOCK_BYTES = 65536 }; /* a block for each packet of one wait */
#define MS 1000000u

struct server {
    struct cp_socket socket;
    struct cp_op op;
    struct cp_block block;
    unsigned long long bytes, lines;
    const char *state;
};

static char memory[BLOCKS][BLOCK_BYTES], *unused[BLOCKS];
static unsigned unused_count, collecting, failed;
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    stopped = signal;
}

static unsigned take(void *context, struct cp_block *blocks, unsigned max)
{
    if (unused_count == 0)
        return 0;
    blocks[0] = (struct cp_block){unused[--unused_count], BLOCK_BYTES};
    return 1;
}

static void give(void *context, struct cp_block *blocks, unsigned count)
{
    while (count > 0)
        unused[unused_count++] = blocks[--count].data;
}

static void server_begin(struct server *server, struct cport *port, char *name)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *address;
    char *colon = strrchr(name, ':');
    if (!colon)
        errx(2, "%s: expected HOST:PORT", name);
    *colon = '\0'; /* for now */
    int code = getaddrinfo(name, colon + 1, &hints, &address);
    *colon = ':';
    if (code != 0 || strtoul(colon + 1, NULL, 10) > 65535)
        errx(2, "%s: %s", name, code != 0 ? gai_strerror(code) : "ports end at 65535");
    code = cp_socket_open(port, address->ai_family, (uintptr_t)server, &server->socket);
    if (code == 0)
        code = cp_connect(server->socket, &server->op, address->ai_addr, address->ai_addrlen,
                          10000 * MS);
    if (code != 0)
        errx(1, "%s: %s", name, cp_error_text(code));
    server->state = "open";
    collecting++;
    freeaddrinfo(address);
}

static void server_count(struct server *server, size_t bytes)
{
    const char *at = server->block.data, *end = at + bytes;
    server->bytes += bytes;
    while (at < end)
        server->lines += *at++ == '\n';
}

/* Counts what has come, and receives more. */
static void server_go_on(struct server *server, int64_t result)
{
    static const struct cp_source source = {take, give, NULL};
    const bool ends = result == 0 && server->op.kind == CP_RECEIVE;
    if (server->op.kind == CP_RECEIVE) {
        server_count(server, result > 0 ? (size_t)result : 0);
        give(NULL, &server->block, server->op.block_count);
    }
    if ((result >= 0 || result == CP_ENOBUFS) && !ends)
        result = cp_receive_late(server->socket, &server->op, &server->block, 1, &source);
    if (result == 0 && !ends)
        return;
    server->state = ends ? "ended" : cp_error_name((int)result);
    failed += !ends;
    collecting--;
    cp_socket_close(server->socket);
}

int main(int argc, char **argv)
{
    struct cp_packet packets[BLOCKS];
    struct cport *port;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return puts("collector HOST:PORT ...: counts the lines that each server sends") < 0;
    if (argc < 2)
        errx(2, "expected HOST:PORT of each server");
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    struct server *servers = calloc((size_t)argc, sizeof *servers);
    if (!servers || cp_open(&(struct cp_config){.concurrency = 1}, &port, NULL, 0) != 0)
        errx(1, "no memory, or no completion port on this system");
    for (; unused_count < BLOCKS; unused_count++)
        unused[unused_count] = memory[unused_count];
    for (int i = 1; i < argc; i++)
        server_begin(&servers[i], port, argv[i]);
    while (collecting > 0 && !stopped) {
        const int count = cp_wait(port, packets, BLOCKS, 100 * MS);
        for (int i = 0; i < count; i++)
            server_go_on((struct server *)packets[i].key, packets[i].result);
    }
    cp_free(port); /* from here on nothing is in flight */
    for (int i = 1; i < argc; i++)
        printf("%s: %s, %llu bytes, %llu lines\n", argv[i], servers[i].state, servers[i].bytes,
               servers[i].lines);
    free(servers);
    return failed > 0;
}
