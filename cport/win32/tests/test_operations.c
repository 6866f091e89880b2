/* Operations by Win32's names: receives and sends, cancelling, closing, datagrams. */
#include "cport/win32/tests/win32_fixture.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- receives and sends -------------------------------------------------------------------- */

static void submit_from_the_stack(struct pair *pair, LPOVERLAPPED overlapped, char *data)
{
    WSABUF buffers[40];
    for (unsigned index = 0; index < 40; index++)
        buffers[index] = (WSABUF){index % 2, data + index / 2}; /* every other one is empty */
    assert_pending(WSASend(pair->near, buffers, 40, NULL, 0, overlapped, NULL) == 0);
    memset(buffers, 0xff, sizeof buffers);
}

TEST(buffers_are_copied_in_the_call_however_many)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped = {0};
    char data[] = "abcdefghijklmnopqrst", got[21] = "";
    submit_from_the_stack(&pair, &overlapped, data);
    assert_packet(pair.port, 20, 5, &overlapped, 0);
    assert_int_equal(recv(pair.far, got, 20, MSG_WAITALL), 20);
    assert_string_equal(got, data);
    pair_close(&pair);
}

TEST(an_empty_receive_waits_and_takes_nothing)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped;
    char data[4];
    assert_pending(receive(pair.near, &overlapped, NULL, 0));
    assert_nothing_queued(pair.port);
    assert_int_equal(send(pair.far, "xy", 2, 0), 2);
    assert_packet(pair.port, 0, 5, &overlapped, 0);
    assert_pending(receive(pair.near, &overlapped, data, sizeof data));
    assert_packet(pair.port, 2, 5, &overlapped, 0);
    pair_close(&pair);
}

TEST(the_peers_end_is_0_bytes)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped;
    char data[4];
    shutdown(pair.far, SHUT_WR);
    assert_pending(receive(pair.near, &overlapped, data, sizeof data));
    assert_packet(pair.port, 0, 5, &overlapped, 0);
    pair_close(&pair);
}

TEST(without_an_overlapped_calls_block)
{
    struct pair pair = pair_make();
    char text[] = "hello", got[6] = "";
    WSABUF out[] = {{2, text}, {3, text + 2}}, in[] = {{1, got}, {4, got + 1}};
    DWORD bytes = 0, flags = 0;
    assert_int_equal(WSASend(pair.near, out, 2, &bytes, 0, NULL, NULL), 0);
    assert_int_equal(bytes, 5);
    assert_int_equal(recv(pair.far, got, 5, MSG_WAITALL), 5);
    assert_int_equal(send(pair.far, "world", 5, 0), 5);
    assert_int_equal(WSARecv(pair.near, in, 2, &bytes, &flags, NULL, NULL), 0);
    assert_int_equal(bytes, 5);
    assert_string_equal(got, "world");
    pair_close(&pair);
}

struct reader {
    int socket;
    size_t got;
};

static DWORD read_to_the_end(LPVOID argument)
{
    struct reader *reader = argument;
    char data[65536];
    ssize_t count;
    while ((count = recv(reader->socket, data, sizeof data, 0)) > 0)
        reader->got += (size_t)count;
    return 0;
}

/* More than the kernel takes at once: the rest goes out before the end of the stream. */
TEST(a_shutdown_comes_after_the_sends_that_were_accepted)
{
    enum { BYTES = 16 << 20 };
    struct pair pair = pair_make();
    struct reader reader = {.socket = pair.far};
    OVERLAPPED sent;
    char *data = calloc(1, BYTES);
    assert_pending(transmit(pair.near, &sent, data, BYTES));
    assert_nothing_queued(pair.port);
    assert_int_equal(shutdown(pair.near, SD_SEND), 0);
    HANDLE thread = CreateThread(NULL, 0, read_to_the_end, &reader, 0, NULL);
    assert_packet(pair.port, BYTES, 5, &sent, 0);
    assert_int_equal(WaitForSingleObject(thread, PACKET_WAIT_MS), WAIT_OBJECT_0);
    assert_int_equal(reader.got, BYTES);
    CloseHandle(thread);
    free(data);
    pair_close(&pair);
}

TEST(sends_end_with_a_shutdown_and_receives_go_on)
{
    struct pair pair = pair_make();
    OVERLAPPED sent, more, got;
    char data[8];
    assert_pending(transmit(pair.near, &sent, "last", 4));
    assert_int_equal(shutdown(pair.near, SD_SEND), 0);
    assert_packet(pair.port, 4, 5, &sent, 0);
    const BOOL good = transmit(pair.near, &more, "late", 4);
    assert_false(good);
    if (WSAGetLastError() == WSA_IO_PENDING)
        assert_packet(pair.port, 0, 5, &more, ERROR_PIPE_NOT_CONNECTED);
    else
        assert_int_equal(WSAGetLastError(), WSAESHUTDOWN);
    assert_int_equal(recv(pair.far, data, sizeof data, MSG_WAITALL), 4);
    assert_int_equal(send(pair.far, "yes", 3, 0), 3);
    assert_pending(receive(pair.near, &got, data, sizeof data));
    assert_packet(pair.port, 3, 5, &got, 0);
    pair_close(&pair);
}

TEST(success_makes_no_packet_where_asked)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped = {0};
    char text[] = "quick";
    WSABUF buffer = {5, text};
    DWORD sent = 0;
    assert_true(SetFileCompletionNotificationModes((HANDLE)pair.near,
                                                   FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
    assert_int_equal(WSASend(pair.near, &buffer, 1, &sent, 0, &overlapped, NULL), 0);
    assert_int_equal(sent, 5);
    assert_int_equal(overlapped.InternalHigh, 5);
    assert_true(HasOverlappedIoCompleted(&overlapped));
    assert_nothing_queued(pair.port);
    assert_pending(receive(pair.near, &overlapped, text, 5));
    far_reset(&pair);
    assert_packet(pair.port, 0, 5, &overlapped, ERROR_NETNAME_DELETED);
    pair_close(&pair);
}

TEST(wrong_arguments_are_refused)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped = {0};
    char data[4];
    WSABUF buffer = {4, data};
    DWORD flags = 0, peek = MSG_PEEK;
    const SOCKET lonely = socket_make();
    assert_fails(WSARecv(pair.near, NULL, 1, NULL, &flags, &overlapped, NULL) == 0, WSAEFAULT);
    assert_fails(WSARecv(pair.near, &buffer, 0, NULL, &flags, &overlapped, NULL) == 0, WSAEINVAL);
    assert_fails(WSARecv(pair.near, &buffer, 1, NULL, &peek, &overlapped, NULL) == 0,
                 WSAEOPNOTSUPP);
    assert_fails(WSASend(pair.near, &buffer, 1, NULL, MSG_OOB, &overlapped, NULL) == 0,
                 WSAEOPNOTSUPP);
    assert_fails(receive(lonely, &overlapped, data, 4), WSAEOPNOTSUPP);
    assert_non_null(CreateIoCompletionPort((HANDLE)lonely, pair.port, 0, 0));
    assert_fails(receive(lonely, &overlapped, data, 4), WSAENOTCONN);
    assert_fails(receive(INVALID_SOCKET, &overlapped, data, 4), WSAENOTSOCK);
    assert_nothing_queued(pair.port);
    closesocket(lonely);
    pair_close(&pair);
}

/* ---- cancelling and closing ------------------------------------------------------------------ */

TEST(cancelling_ends_one_or_all)
{
    struct pair pair = pair_make();
    OVERLAPPED first, second, third, none = {0};
    char data[4];
    assert_fails(CancelIoEx((HANDLE)pair.near, NULL), ERROR_NOT_FOUND);
    assert_pending(receive(pair.near, &first, data, 1));
    assert_pending(receive(pair.near, &second, data, 1));
    assert_pending(receive(pair.near, &third, data, 1));
    assert_fails(CancelIoEx((HANDLE)pair.near, &none), ERROR_NOT_FOUND);
    assert_true(CancelIoEx((HANDLE)pair.near, &second));
    assert_packet(pair.port, 0, 5, &second, ERROR_OPERATION_ABORTED);
    assert_true(CancelIoEx((HANDLE)pair.near, NULL));
    assert_packet(pair.port, 0, 5, &first, ERROR_OPERATION_ABORTED);
    assert_packet(pair.port, 0, 5, &third, ERROR_OPERATION_ABORTED);
    assert_fails(CancelIoEx(INVALID_HANDLE_VALUE, NULL), ERROR_INVALID_HANDLE);
    pair_close(&pair);
}

TEST(closing_a_socket_ends_its_operations)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped;
    char data[4];
    assert_pending(receive(pair.near, &overlapped, data, 4));
    assert_int_equal(closesocket(pair.near), 0);
    assert_packet(pair.port, 0, 5, &overlapped, ERROR_OPERATION_ABORTED);
    assert_fails(closesocket(pair.near) == 0, WSAENOTSOCK);
    assert_fails(closesocket(INVALID_SOCKET) == 0, WSAENOTSOCK);
    assert_fails(receive(pair.near, &overlapped, data, 4), WSAENOTSOCK);
    assert_fails(CancelIoEx((HANDLE)pair.near, NULL), ERROR_INVALID_HANDLE);
    assert_fails(CloseHandle((HANDLE)pair.near), ERROR_INVALID_HANDLE);
    assert_int_equal(recv(pair.far, data, 4, 0), 0);
    pair_close(&pair);
}

/* The number of a closed socket is the next one's, whose life is a new one. */
TEST(a_number_used_again_is_a_new_socket)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped;
    char data[4];
    assert_pending(receive(pair.near, &overlapped, data, 4));
    assert_int_equal(closesocket(pair.near), 0);
    assert_packet(pair.port, 0, 5, &overlapped, ERROR_OPERATION_ABORTED);
    const SOCKET lower = socket_make(), next = socket_make();
    assert_int_equal(next, pair.near);
    closesocket(lower);
    assert_non_null(CreateIoCompletionPort((HANDLE)next, pair.port, 6, 0));
    assert_fails(receive(next, &overlapped, data, 4), WSAENOTCONN);
    pair_close(&pair);
}

TEST(closing_the_port_leaves_its_sockets_open)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped;
    char data[4];
    assert_pending(receive(pair.near, &overlapped, data, 4));
    assert_true(CloseHandle(pair.port));
    assert_true(HasOverlappedIoCompleted(&overlapped));
    assert_int_equal(send(pair.near, "ok", 2, 0), 2);
    assert_int_equal(recv(pair.far, data, 2, MSG_WAITALL), 2);
    assert_fails(receive(pair.near, &overlapped, data, 4), WSA_INVALID_HANDLE);
    assert_int_equal(closesocket(pair.near), 0);
    assert_int_equal(recv(pair.far, data, 2, 0), 0);
    close(pair.far);
}

/* ---- the system's calls ---------------------------------------------------------------------- */

TEST(the_systems_calls_set_windows_errors)
{
    struct pair pair = pair_make();
    SOCKADDR_IN address;
    SOCKET listener = listener_make(NULL, 0, &address), other = socket_make();
    unsigned long on = 1;
    char data[4];
    assert_fails(bind(other, (SOCKADDR *)&address, sizeof address) == 0, WSAEADDRINUSE);
    assert_fails(listen(INT_MAX, 1) == 0, WSAENOTSOCK);
    assert_int_equal(ioctlsocket(pair.near, FIONBIO, &on), 0);
    assert_fails(recv(pair.near, data, 4, 0) >= 0, WSAEWOULDBLOCK);
    assert_fails(socket(-1, SOCK_STREAM, 0) >= 0, WSAEAFNOSUPPORT);
    assert_fails(setsockopt(pair.near, SOL_SOCKET, 0x4242, &on, sizeof on) == 0, WSAENOPROTOOPT);
    closesocket(listener);
    assert_fails(connect(other, (SOCKADDR *)&address, sizeof address) == 0, WSAECONNREFUSED);
    closesocket(other);
    pair_close(&pair);
}

TEST(options_of_windows_are_understood)
{
    SOCKET socket = socket_make();
    int zero = 0, size = 0, on = 1;
    DWORD milliseconds = 1500;
    struct timeval interval;
    socklen_t bytes = sizeof size;
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &zero, sizeof zero), 0);
    assert_int_equal(getsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, &bytes), 0);
    assert_true(size > 10000);
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, &on, sizeof on), 0);
    assert_int_equal(
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &milliseconds, sizeof milliseconds), 0);
    bytes = sizeof interval;
    assert_int_equal(getsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &interval, &bytes), 0);
    assert_int_equal(interval.tv_sec * 1000 + interval.tv_usec / 1000, 1500);
    milliseconds = 0;
    bytes = sizeof milliseconds;
    assert_int_equal(getsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &milliseconds, &bytes), 0);
    assert_int_equal(milliseconds, 1500);
    closesocket(socket);
    assert_fails(setsockopt(socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, NULL, 0) == 0,
                 WSAENOTSOCK);
}

/* ---- datagrams ----------------------------------------------------------------------------- */

static SOCKET datagrams(HANDLE port, SOCKADDR_IN *address)
{
    SOCKET made = WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, NULL, 0, WSA_FLAG_OVERLAPPED);
    socklen_t bytes = sizeof *address;
    *address = (SOCKADDR_IN){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_non_null(CreateIoCompletionPort((HANDLE)made, port, 11, 0));
    assert_int_equal(bind(made, (SOCKADDR *)address, sizeof *address), 0);
    assert_int_equal(getsockname(made, (SOCKADDR *)address, &bytes), 0);
    return made;
}

TEST(datagrams_have_addresses_and_an_end)
{
    HANDLE port = port_make(1);
    SOCKADDR_IN here, there, from;
    INT from_bytes = sizeof from;
    SOCKET near = datagrams(port, &here), far = datagrams(port, &there);
    OVERLAPPED out = {0}, in = {0};
    char text[] = "datagram", got[5] = "";
    WSABUF sent = {8, text}, small = {4, got};
    DWORD flags = 0;
    assert_pending(
        WSARecvFrom(near, &small, 1, NULL, &flags, (SOCKADDR *)&from, &from_bytes, &in, NULL) == 0);
    assert_pending(WSASendTo(far, &sent, 1, NULL, 0, (SOCKADDR *)&here, sizeof here, &out, NULL) ==
                   0);
    assert_packet(port, 8, 11, &out, 0);
    assert_packet(port, 4, 11, &in, ERROR_MORE_DATA);
    assert_string_equal(got, "data");
    assert_int_equal(from.sin_port, there.sin_port);
    sent.len = 3;
    assert_pending(WSASendTo(far, &sent, 1, NULL, 0, (SOCKADDR *)&here, sizeof here, &out, NULL) ==
                   0);
    assert_packet(port, 3, 11, &out, 0);
    assert_pending(receive(near, &in, got, 4));
    assert_packet(port, 3, 11, &in, 0);
    closesocket(near);
    closesocket(far);
    CloseHandle(port);
}
