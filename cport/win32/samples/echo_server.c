/* An echo server as one writes it for Windows: accepts posted ahead, worker threads at one port, a
 * context per connection and per operation. Serves until its input ends, then says what it did.
 * Builds with mingw-w64 (-lws2_32 -lmswsock) and, unmodified, on Linux with libcport-win32. */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS      4
#define ACCEPTS      16
#define DATA_BYTES   4096
#define ADDRESS_ROOM (sizeof(SOCKADDR_IN) + 16)

enum io_kind { IO_ACCEPT, IO_RECEIVE, IO_SEND };

struct connection;

struct io {
    OVERLAPPED overlapped;
    enum io_kind kind;
    SOCKET accepted;
    struct connection *connection;
    WSABUF buffer;
    char data[DATA_BYTES];
};

struct connection {
    SOCKET socket;
    struct connection *previous, *next;
    LONG echoed;
    struct io io;
};

static HANDLE port;
static SOCKET listener;
static CRITICAL_SECTION lock; /* of what follows */
static struct connection open_connections = {0};
static int stopping, busy_accepts, open_count;
static int accepted, peers_named, ended, reset, cancelled, failed;
static LONG echoed; /* on connections that ended well */

static void die(const char *what)
{
    fprintf(stderr, "%s: error %d\n", what, (int)GetLastError());
    exit(1);
}

/* ---- connections --------------------------------------------------------------------------- */

static void connection_open(SOCKET socket)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        die("calloc");
    connection->socket = socket;
    connection->io.connection = connection;
    if (!CreateIoCompletionPort((HANDLE)socket, port, (ULONG_PTR)connection, 0))
        die("CreateIoCompletionPort of a connection");
    connection->next = open_connections.next;
    connection->previous = &open_connections;
    if (connection->next)
        connection->next->previous = connection;
    open_connections.next = connection;
    open_count++;
}

/* Called with the lock. */
static void connection_close(struct connection *connection)
{
    connection->previous->next = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    open_count--;
    closesocket(connection->socket);
    free(connection);
}

/* Called with the lock, so that a stop finds every operation posted. */
static void connection_fail(struct connection *connection, DWORD error)
{
    if (error == ERROR_NETNAME_DELETED || error == WSAECONNRESET)
        reset++;
    else if (error == ERROR_OPERATION_ABORTED)
        cancelled++;
    else
        failed++;
    connection_close(connection);
}

static void post(struct connection *connection, enum io_kind kind, DWORD bytes)
{
    struct io *io = &connection->io;
    DWORD done, flags = 0;
    int code;
    ZeroMemory(&io->overlapped, sizeof io->overlapped);
    io->kind = kind;
    io->buffer.buf = io->data;
    io->buffer.len = bytes;
    EnterCriticalSection(&lock);
    if (stopping) {
        connection_fail(connection, ERROR_OPERATION_ABORTED);
    } else {
        if (kind == IO_SEND)
            code = WSASend(connection->socket, &io->buffer, 1, &done, 0, &io->overlapped, NULL);
        else
            code =
                WSARecv(connection->socket, &io->buffer, 1, &done, &flags, &io->overlapped, NULL);
        if (code == SOCKET_ERROR && WSAGetLastError() != WSA_IO_PENDING)
            connection_fail(connection, (DWORD)WSAGetLastError());
    }
    LeaveCriticalSection(&lock);
}

/* ---- accepts ------------------------------------------------------------------------------- */

/* Called with the lock. */
static void post_accept(struct io *io)
{
    DWORD received;
    ZeroMemory(&io->overlapped, sizeof io->overlapped);
    io->kind = IO_ACCEPT;
    io->accepted = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    if (io->accepted == INVALID_SOCKET)
        die("WSASocket");
    if (!AcceptEx(listener, io->accepted, io->data, 0, ADDRESS_ROOM, ADDRESS_ROOM, &received,
                  &io->overlapped) &&
        WSAGetLastError() != WSA_IO_PENDING)
        die("AcceptEx");
    busy_accepts++;
}

/* Whether AcceptEx and the socket agree on who has called. */
static int peer_is_named(struct io *io)
{
    SOCKADDR *local, *remote;
    SOCKADDR_IN peer;
    int local_bytes, remote_bytes;
    socklen_t bytes = sizeof peer;
    GetAcceptExSockaddrs(io->data, 0, ADDRESS_ROOM, ADDRESS_ROOM, &local, &local_bytes, &remote,
                         &remote_bytes);
    return getpeername(io->accepted, (SOCKADDR *)&peer, &bytes) == 0 &&
           ((SOCKADDR_IN *)remote)->sin_port == peer.sin_port;
}

static void accept_done(struct io *io, BOOL good)
{
    struct connection *connection = NULL;
    EnterCriticalSection(&lock);
    busy_accepts--;
    if (good && !stopping) {
        accepted++;
        setsockopt(io->accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener,
                   sizeof listener);
        peers_named += peer_is_named(io);
        connection_open(io->accepted);
        connection = open_connections.next;
    } else {
        closesocket(io->accepted);
    }
    if (!stopping)
        post_accept(io);
    LeaveCriticalSection(&lock);
    if (connection)
        post(connection, IO_RECEIVE, DATA_BYTES);
}

/* ---- workers ------------------------------------------------------------------------------- */

static void io_done(struct io *io, BOOL good, DWORD bytes, DWORD error)
{
    if (io->kind == IO_ACCEPT) {
        accept_done(io, good);
    } else if (good && io->kind == IO_SEND) {
        post(io->connection, IO_RECEIVE, DATA_BYTES);
    } else if (good && bytes > 0) {
        io->connection->echoed += (LONG)bytes;
        post(io->connection, IO_SEND, bytes);
    } else {
        EnterCriticalSection(&lock);
        if (good) {
            ended++;
            echoed += io->connection->echoed;
            connection_close(io->connection);
        } else {
            connection_fail(io->connection, error);
        }
        LeaveCriticalSection(&lock);
    }
}

static DWORD WINAPI work(LPVOID argument)
{
    for (;;) {
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        LPOVERLAPPED overlapped = NULL;
        BOOL good = GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE);
        DWORD error = good ? 0 : GetLastError();
        if (!overlapped && good)
            return 0; /* somebody said goodbye */
        if (!overlapped)
            die("GetQueuedCompletionStatus");
        io_done(CONTAINING_RECORD(overlapped, struct io, overlapped), good, bytes, error);
    }
}

/* ---- the program --------------------------------------------------------------------------- */

static void listen_somewhere(void)
{
    SOCKADDR_IN address;
    socklen_t bytes = sizeof address;
    ZeroMemory(&address, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    if (listener == INVALID_SOCKET ||
        bind(listener, (SOCKADDR *)&address, sizeof address) == SOCKET_ERROR ||
        listen(listener, 1000) == SOCKET_ERROR ||
        getsockname(listener, (SOCKADDR *)&address, &bytes) == SOCKET_ERROR)
        die("listen");
    if (!CreateIoCompletionPort((HANDLE)listener, port, 0, 0))
        die("CreateIoCompletionPort of the listener");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

/* Cancels what is pending and waits until all of it has come back. */
static void stop(void)
{
    int left = 1;
    EnterCriticalSection(&lock);
    stopping = 1;
    closesocket(listener);
    for (struct connection *each = open_connections.next; each; each = each->next)
        CancelIoEx((HANDLE)each->socket, NULL);
    LeaveCriticalSection(&lock);
    while (left) {
        EnterCriticalSection(&lock);
        left = busy_accepts + open_count;
        LeaveCriticalSection(&lock);
        Sleep(1);
    }
}

int main(void)
{
    static struct io accepts[ACCEPTS];
    HANDLE workers[WORKERS];
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        die("WSAStartup");
    InitializeCriticalSection(&lock);
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 2);
    if (!port)
        die("CreateIoCompletionPort");
    listen_somewhere();
    EnterCriticalSection(&lock);
    for (int i = 0; i < ACCEPTS; i++)
        post_accept(&accepts[i]);
    LeaveCriticalSection(&lock);
    for (int i = 0; i < WORKERS; i++)
        if (!(workers[i] = CreateThread(NULL, 0, work, NULL, 0, NULL)))
            die("CreateThread");
    while (getchar() != EOF)
        continue;
    stop();
    for (int i = 0; i < WORKERS; i++)
        PostQueuedCompletionStatus(port, 0, 0, NULL);
    WaitForMultipleObjects(WORKERS, workers, TRUE, INFINITE);
    for (int i = 0; i < WORKERS; i++)
        CloseHandle(workers[i]);
    CloseHandle(port);
    DeleteCriticalSection(&lock);
    WSACleanup();
    printf("accepted %d\npeers named %d\nbytes echoed %d\n", accepted, peers_named, (int)echoed);
    printf("ended %d\nreset %d\ncancelled %d\nfailed %d\n", ended, reset, cancelled, failed);
    return 0;
}
