/* Ports, connections and assertions for the tests of <cport/win32.h>. */
#include "cport/win32/tests/win32_fixture.h"

#include <unistd.h>

HANDLE port_make(DWORD concurrency)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, concurrency);
    assert_non_null(port);
    return port;
}

SOCKET socket_make(void)
{
    SOCKET made = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
    assert_true(made != INVALID_SOCKET);
    return made;
}

SOCKET listener_make(HANDLE port, ULONG_PTR key, SOCKADDR_IN *address)
{
    SOCKET listener = socket_make();
    socklen_t bytes = sizeof *address;
    *address = (SOCKADDR_IN){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (port) /* as Windows' programs do, before bind */
        assert_ptr_equal(CreateIoCompletionPort((HANDLE)listener, port, key, 0), port);
    assert_int_equal(bind(listener, (SOCKADDR *)address, sizeof *address), 0);
    assert_int_equal(listen(listener, 100), 0);
    assert_int_equal(getsockname(listener, (SOCKADDR *)address, &bytes), 0);
    return listener;
}

int caller_make(const SOCKADDR_IN *address)
{
    int caller = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(caller >= 0);
    if (connect(caller, (const SOCKADDR *)address, sizeof *address) == 0)
        return caller;
    close(caller);
    return -1;
}

struct pair pair_make(void)
{
    struct pair pair = {.port = port_make(1)};
    SOCKADDR_IN address;
    SOCKET listener = listener_make(NULL, 0, &address);
    pair.far = caller_make(&address);
    pair.near = accept(listener, NULL, NULL);
    assert_true(pair.far >= 0 && pair.near != INVALID_SOCKET);
    assert_int_equal(closesocket(listener), 0);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)pair.near, pair.port, 5, 0), pair.port);
    return pair;
}

void far_reset(struct pair *pair)
{
    const struct linger hard = {.l_onoff = 1};
    setsockopt(pair->far, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(pair->far);
    pair->far = -1;
}

void pair_close(struct pair *pair)
{
    closesocket(pair->near);
    if (pair->far >= 0)
        close(pair->far);
    assert_true(CloseHandle(pair->port));
}

void assert_packet(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped, DWORD error)
{
    DWORD got_bytes = 77;
    ULONG_PTR got_key = 77;
    LPOVERLAPPED got = NULL;
    const BOOL good = GetQueuedCompletionStatus(port, &got_bytes, &got_key, &got, PACKET_WAIT_MS);
    const DWORD got_error = good ? 0 : GetLastError();
    assert_int_equal(got_error, error);
    assert_ptr_equal(got, overlapped);
    assert_int_equal(got_bytes, bytes);
    assert_int_equal(got_key, key);
}

void assert_nothing_queued(HANDLE port)
{
    DWORD bytes;
    ULONG_PTR key;
    LPOVERLAPPED overlapped = (LPOVERLAPPED)&bytes;
    assert_fails(GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, 0), WAIT_TIMEOUT);
    assert_null(overlapped);
}

void assert_pending(BOOL good)
{
    assert_false(good);
    assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
}

void assert_fails(BOOL good, DWORD error)
{
    const DWORD last = GetLastError();
    assert_false(good);
    assert_int_equal(last, error);
}

BOOL receive(SOCKET socket, LPOVERLAPPED overlapped, void *data, ULONG bytes)
{
    WSABUF buffer = {bytes, data};
    DWORD flags = 0;
    ZeroMemory(overlapped, sizeof *overlapped);
    return WSARecv(socket, &buffer, 1, NULL, &flags, overlapped, NULL) == 0;
}

BOOL transmit(SOCKET socket, LPOVERLAPPED overlapped, const void *data, ULONG bytes)
{
    WSABUF buffer = {bytes, (char *)data};
    ZeroMemory(overlapped, sizeof *overlapped);
    return WSASend(socket, &buffer, 1, NULL, 0, overlapped, NULL) == 0;
}
