/* A relay as one writes it for Windows: the first bytes of a caller come with its accept and go on,
 * in brackets, to the target; half-closes pass through, and what is left is cancelled at the end.
 *
 *     relay TARGET_PORT OTHER_PORT: callers whose first byte is '!' go to the other one
 *
 * Serves until its input ends, then says what it did. Builds with mingw-w64 (-lws2_32 -lmswsock)
 * and, unmodified, on Linux with libcport-win32. */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS      2
#define ACCEPTS      8
#define BATCH        16
#define DATA_BYTES   8192
#define ADDRESS_ROOM (sizeof(SOCKADDR_IN) + 16)

enum { CALLER, TARGET, SIDES };
enum io_kind { IO_ACCEPT, IO_CONNECT, IO_RECEIVE, IO_SEND };
enum outcome { WHOLE, REFUSED, RESET, CANCELLED, OUTCOMES };

struct io {
    OVERLAPPED overlapped;
    enum io_kind kind;
    SOCKET socket; /* that it is posted on */
    struct session *session;
    int from; /* the side whose bytes are in data */
    char data[DATA_BYTES];
};

struct session {
    SOCKET sockets[SIDES];
    struct session *previous, *next;
    struct io io[SIDES]; /* by the side that it receives from */
    int directions;      /* that are not over */
    LONG bytes[SIDES];
    enum outcome outcome;
};

static HANDLE port;
static SOCKET listener;
static LPFN_CONNECTEX connect_function;
static u_short target_port, other_port;
static CRITICAL_SECTION lock; /* of what follows, and of every session */
static struct session sessions = {0};
static struct io accepts[ACCEPTS];
static int stopping, busy_accepts, session_count, silent;
static int outcomes[OUTCOMES];
static LONG passed[SIDES];

static void die(const char *what)
{
    fprintf(stderr, "%s: error %d\n", what, (int)GetLastError());
    exit(1);
}

static SOCKET socket_make(u_short port_number)
{
    SOCKADDR_IN address;
    SOCKET made = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    ZeroMemory(&address, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port_number);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (made == INVALID_SOCKET || bind(made, (SOCKADDR *)&address, sizeof address) == SOCKET_ERROR)
        die("bind");
    return made;
}

/* ---- sessions ------------------------------------------------------------------------------ */

static struct session *session_open(SOCKET caller)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        die("calloc");
    session->sockets[CALLER] = caller;
    session->sockets[TARGET] = socket_make(0);
    session->next = sessions.next;
    session->previous = &sessions;
    if (session->next)
        session->next->previous = session;
    sessions.next = session;
    session_count++;
    for (int side = 0; side < SIDES; side++) {
        session->io[side].session = session;
        session->io[side].from = side;
        if (!CreateIoCompletionPort((HANDLE)session->sockets[side], port, 0, 0))
            die("CreateIoCompletionPort of a session");
    }
    return session;
}

static void session_close(struct session *session)
{
    session->previous->next = session->next;
    if (session->next)
        session->next->previous = session->previous;
    session_count--;
    outcomes[session->outcome]++;
    for (int side = 0; side < SIDES; side++) {
        if (session->outcome == WHOLE)
            passed[side] += session->bytes[side];
        closesocket(session->sockets[side]);
    }
    free(session);
}

static void direction_over(struct session *session)
{
    if (--session->directions == 0)
        session_close(session);
}

/* One direction has failed: the other one is cancelled. */
static void direction_fail(struct session *session, DWORD error)
{
    if (session->outcome == WHOLE)
        session->outcome = error == WSA_OPERATION_ABORTED ? CANCELLED : RESET;
    for (int side = 0; side < SIDES; side++)
        CancelIoEx((HANDLE)session->sockets[side], NULL);
    direction_over(session);
}

/* ---- operations ---------------------------------------------------------------------------- */

static void io_begin(struct io *io, enum io_kind kind, SOCKET socket)
{
    ZeroMemory(&io->overlapped, sizeof io->overlapped);
    io->kind = kind;
    io->socket = socket;
}

static int is_refused(int result)
{
    return result == SOCKET_ERROR && WSAGetLastError() != WSA_IO_PENDING;
}

static void receive(struct io *io)
{
    WSABUF buffers[2] = {{100, io->data}, {DATA_BYTES - 100, io->data + 100}};
    DWORD flags = 0;
    io_begin(io, IO_RECEIVE, io->session->sockets[io->from]);
    if (stopping || io->session->outcome == RESET || io->session->outcome == CANCELLED)
        direction_fail(io->session, WSA_OPERATION_ABORTED);
    else if (is_refused(WSARecv(io->socket, buffers, 2, NULL, &flags, &io->overlapped, NULL)))
        direction_fail(io->session, (DWORD)WSAGetLastError());
}

static void send_on(struct io *io, int side, WSABUF *buffers, DWORD count)
{
    io_begin(io, IO_SEND, io->session->sockets[side]);
    if (stopping)
        direction_fail(io->session, WSA_OPERATION_ABORTED);
    else if (is_refused(WSASend(io->socket, buffers, count, NULL, 0, &io->overlapped, NULL)))
        direction_fail(io->session, (DWORD)WSAGetLastError());
}

static void post_accept(struct io *io)
{
    DWORD received;
    SOCKET accepted = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    io_begin(io, IO_ACCEPT, accepted);
    if (accepted == INVALID_SOCKET)
        die("WSASocket");
    if (!AcceptEx(listener, accepted, io->data, DATA_BYTES - 2 * ADDRESS_ROOM, ADDRESS_ROOM,
                  ADDRESS_ROOM, &received, &io->overlapped) &&
        WSAGetLastError() != WSA_IO_PENDING)
        die("AcceptEx");
    busy_accepts++;
}

static void start_connect(struct session *session, int is_other)
{
    struct io *io = &session->io[CALLER];
    SOCKADDR_IN address;
    ZeroMemory(&address, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(is_other ? other_port : target_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    io_begin(io, IO_CONNECT, session->sockets[TARGET]);
    session->directions = 1;
    if (!connect_function(io->socket, (SOCKADDR *)&address, sizeof address, NULL, 0, NULL,
                          &io->overlapped) &&
        WSAGetLastError() != WSA_IO_PENDING)
        die("ConnectEx");
}

/* ---- what completes ------------------------------------------------------------------------ */

static void accept_done(struct io *io, DWORD bytes, int error)
{
    SOCKET accepted = io->socket;
    busy_accepts--;
    if (error || stopping || bytes == 0) {
        silent++;
        closesocket(accepted);
    } else {
        struct session *session;
        setsockopt(accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener,
                   sizeof listener);
        session = session_open(accepted);
        CopyMemory(session->io[CALLER].data, io->data, bytes);
        session->bytes[CALLER] = (LONG)bytes;
        start_connect(session, io->data[0] == '!');
    }
    if (!stopping)
        post_accept(io);
}

static void connect_done(struct io *io, int error)
{
    struct session *session = io->session;
    char open_bracket[] = "[", close_bracket[] = "]", sorry[] = "nobody ", there[] = "there";
    WSABUF first[] = {
        {1, open_bracket}, {(ULONG)session->bytes[CALLER], io->data}, {1, close_bracket}};
    WSABUF apology[] = {{7, sorry}, {5, there}};
    if (error == WSAECONNREFUSED) {
        session->outcome = REFUSED;
        send_on(io, CALLER, apology, 2);
    } else if (error) {
        direction_fail(session, (DWORD)error);
    } else {
        setsockopt(io->socket, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0);
        session->directions = 2;
        receive(&session->io[TARGET]);
        send_on(io, TARGET, first, 3);
    }
}

static void received(struct io *io, DWORD bytes)
{
    struct session *session = io->session;
    WSABUF buffer = {bytes, io->data};
    if (session->outcome == REFUSED) {
        if (bytes > 0)
            receive(io); /* and forget it */
        else
            direction_over(session);
    } else if (bytes > 0) {
        session->bytes[io->from] += (LONG)bytes;
        send_on(io, 1 - io->from, &buffer, 1);
    } else {
        shutdown(session->sockets[1 - io->from], SD_SEND);
        direction_over(session);
    }
}

static void io_done(struct io *io)
{
    DWORD bytes = 0, flags = 0;
    BOOL good = WSAGetOverlappedResult(io->kind == IO_ACCEPT ? listener : io->socket,
                                       &io->overlapped, &bytes, FALSE, &flags);
    int error = good ? 0 : WSAGetLastError();
    if (io->kind == IO_ACCEPT) {
        accept_done(io, bytes, error);
    } else if (io->kind == IO_CONNECT) {
        connect_done(io, error);
    } else if (error) {
        direction_fail(io->session, (DWORD)error);
    } else if (io->kind == IO_RECEIVE) {
        received(io, bytes);
    } else {
        if (io->session->outcome == REFUSED)
            shutdown(io->session->sockets[CALLER], SD_SEND);
        receive(io);
    }
}

static DWORD WINAPI work(LPVOID argument)
{
    OVERLAPPED_ENTRY entries[BATCH];
    for (;;) {
        ULONG count;
        if (!GetQueuedCompletionStatusEx(port, entries, BATCH, &count, INFINITE, FALSE))
            die("GetQueuedCompletionStatusEx");
        EnterCriticalSection(&lock);
        for (ULONG i = 0; i < count && entries[i].lpOverlapped; i++)
            io_done(CONTAINING_RECORD(entries[i].lpOverlapped, struct io, overlapped));
        LeaveCriticalSection(&lock);
        if (!entries[count - 1].lpOverlapped) { /* goodbye; the next worker needs it, too */
            PostQueuedCompletionStatus(port, 0, 0, NULL);
            return 0;
        }
    }
}

/* ---- the program --------------------------------------------------------------------------- */

static void start(void)
{
    GUID guid = WSAID_CONNECTEX;
    SOCKADDR_IN address;
    socklen_t address_bytes = sizeof address;
    DWORD bytes;
    listener = socket_make(0);
    if (listen(listener, 1000) == SOCKET_ERROR ||
        getsockname(listener, (SOCKADDR *)&address, &address_bytes) == SOCKET_ERROR)
        die("listen");
    if (!CreateIoCompletionPort((HANDLE)listener, port, 0, 0))
        die("CreateIoCompletionPort of the listener");
    if (WSAIoctl(listener, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof guid,
                 &connect_function, sizeof connect_function, &bytes, NULL, NULL) == SOCKET_ERROR)
        die("WSAIoctl");
    EnterCriticalSection(&lock);
    for (int i = 0; i < ACCEPTS; i++)
        post_accept(&accepts[i]);
    LeaveCriticalSection(&lock);
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

/* Cancels what is pending and waits until all of it has come back. */
static void stop(void)
{
    int left = 1;
    EnterCriticalSection(&lock);
    stopping = 1;
    for (int i = 0; i < ACCEPTS; i++)
        if (!CancelIoEx((HANDLE)listener, &accepts[i].overlapped))
            fprintf(stderr, "accept %d: error %d\n", i, (int)GetLastError());
    for (struct session *each = sessions.next; each; each = each->next)
        for (int side = 0; side < SIDES; side++)
            CancelIoEx((HANDLE)each->sockets[side], NULL);
    LeaveCriticalSection(&lock);
    while (left) {
        EnterCriticalSection(&lock);
        left = busy_accepts + session_count;
        LeaveCriticalSection(&lock);
        Sleep(1);
    }
    closesocket(listener);
}

int main(int argc, char **argv)
{
    HANDLE workers[WORKERS];
    WSADATA data;
    if (argc != 3 || WSAStartup(MAKEWORD(2, 2), &data) != 0)
        die("usage: relay TARGET_PORT OTHER_PORT");
    target_port = (u_short)atoi(argv[1]);
    other_port = (u_short)atoi(argv[2]);
    InitializeCriticalSection(&lock);
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    if (!port)
        die("CreateIoCompletionPort");
    start();
    for (int i = 0; i < WORKERS; i++)
        if (!(workers[i] = CreateThread(NULL, 0, work, NULL, 0, NULL)))
            die("CreateThread");
    while (getchar() != EOF)
        continue;
    stop();
    PostQueuedCompletionStatus(port, 0, 0, NULL);
    WaitForMultipleObjects(WORKERS, workers, TRUE, INFINITE);
    for (int i = 0; i < WORKERS; i++)
        CloseHandle(workers[i]);
    CloseHandle(port);
    DeleteCriticalSection(&lock);
    WSACleanup();
    printf("whole %d\nrefused %d\nreset %d\ncancelled %d\nsilent %d\n", outcomes[WHOLE],
           outcomes[REFUSED], outcomes[RESET], outcomes[CANCELLED], silent);
    printf("bytes there %d\nbytes back %d\n", (int)passed[CALLER], (int)passed[TARGET]);
    return 0;
}
