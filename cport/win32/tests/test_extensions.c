/* AcceptEx and ConnectEx. */
#include "cport/win32/tests/win32_fixture.h"

#include <unistd.h>

/* ---- accepts ------------------------------------------------------------------------------- */

struct door {
    HANDLE port;
    SOCKET listener, second;
    SOCKADDR_IN address;
    OVERLAPPED overlapped;
    char output[2 * ADDRESS_ROOM + 64];
};

static void door_open(struct door *door)
{
    *door = (struct door){.port = port_make(1)};
    door->listener = listener_make(door->port, 7, &door->address);
    door->second = socket_make();
}

static BOOL door_accept(struct door *door, DWORD data_bytes)
{
    DWORD received;
    return AcceptEx(door->listener, door->second, door->output + 1, data_bytes, ADDRESS_ROOM,
                    ADDRESS_ROOM, &received, &door->overlapped);
}

static void door_close(struct door *door)
{
    closesocket(door->second);
    closesocket(door->listener);
    assert_true(CloseHandle(door->port));
}

static void assert_addresses(struct door *door, DWORD data_bytes, int caller)
{
    SOCKADDR *local, *remote;
    SOCKADDR_IN name;
    socklen_t name_bytes = sizeof name;
    INT local_bytes = 0, remote_bytes = 0;
    GetAcceptExSockaddrs(door->output + 1, data_bytes, ADDRESS_ROOM, ADDRESS_ROOM, &local,
                         &local_bytes, &remote, &remote_bytes);
    assert_int_equal(local_bytes, sizeof name);
    assert_int_equal(remote_bytes, sizeof name);
    assert_memory_equal(local, &door->address, sizeof name);
    assert_int_equal(getsockname(caller, (SOCKADDR *)&name, &name_bytes), 0);
    assert_memory_equal(remote, &name, sizeof name);
}

TEST(an_accept_gives_the_connection_to_the_second_socket)
{
    struct door door;
    char data[4];
    door_open(&door);
    assert_pending(door_accept(&door, 0));
    assert_fails(door_accept(&door, 0), WSAEINVAL); /* the second socket is taken */
    const int caller = caller_make(&door.address);
    assert_packet(door.port, 0, 7, &door.overlapped, 0);
    assert_addresses(&door, 0, caller);
    assert_int_equal(setsockopt(door.second, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                                (char *)&door.listener, sizeof door.listener),
                     0);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)door.second, door.port, 8, 0), door.port);
    assert_pending(receive(door.second, &door.overlapped, data, 4));
    assert_int_equal(send(caller, "hi", 2, 0), 2);
    assert_packet(door.port, 2, 8, &door.overlapped, 0);
    close(caller);
    door_close(&door);
}

TEST(an_accept_with_room_waits_for_the_first_bytes)
{
    struct door door;
    char data[4];
    door_open(&door);
    assert_pending(door_accept(&door, 64));
    const int caller = caller_make(&door.address);
    assert_nothing_queued(door.port);
    assert_int_equal(send(caller, "first", 5, 0), 5);
    assert_packet(door.port, 5, 7, &door.overlapped, 0);
    assert_memory_equal(door.output + 1, "first", 5);
    assert_addresses(&door, 64, caller);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)door.second, door.port, 8, 0), door.port);
    assert_pending(receive(door.second, &door.overlapped, data, 4));
    assert_int_equal(send(caller, "hi", 2, 0), 2);
    assert_packet(door.port, 2, 8, &door.overlapped, 0);
    close(caller);
    door_close(&door);
}

TEST(an_accept_that_waits_for_bytes_can_be_cancelled)
{
    struct door door;
    door_open(&door);
    assert_pending(door_accept(&door, 64));
    const int caller = caller_make(&door.address);
    assert_nothing_queued(door.port);
    assert_true(CancelIoEx((HANDLE)door.listener, &door.overlapped));
    assert_packet(door.port, 0, 7, &door.overlapped, ERROR_OPERATION_ABORTED);
    close(caller);
    door_close(&door);
}

TEST(closing_either_socket_ends_an_accept)
{
    struct door door;
    door_open(&door);
    assert_pending(door_accept(&door, 0));
    assert_int_equal(closesocket(door.second), 0);
    assert_packet(door.port, 0, 7, &door.overlapped, ERROR_OPERATION_ABORTED);
    door.second = socket_make();
    assert_pending(door_accept(&door, 0));
    assert_int_equal(closesocket(door.listener), 0);
    assert_packet(door.port, 0, 7, &door.overlapped, ERROR_OPERATION_ABORTED);
    door.listener = listener_make(door.port, 7, &door.address);
    assert_pending(door_accept(&door, 0)); /* the second socket is as good as new */
    const int caller = caller_make(&door.address);
    assert_packet(door.port, 0, 7, &door.overlapped, 0);
    close(caller);
    door_close(&door);
}

TEST(an_accept_wants_a_listener_and_a_fresh_socket)
{
    struct pair pair = pair_make();
    OVERLAPPED overlapped = {0};
    char output[2 * ADDRESS_ROOM];
    const SOCKET second = socket_make();
    assert_fails(
        AcceptEx(pair.near, second, output, 0, ADDRESS_ROOM, ADDRESS_ROOM, NULL, &overlapped),
        WSAEINVAL);
    assert_fails(AcceptEx(pair.near, INVALID_SOCKET, output, 0, ADDRESS_ROOM, ADDRESS_ROOM, NULL,
                          &overlapped),
                 WSAENOTSOCK);
    assert_fails(AcceptEx(pair.near, second, output, 0, 16, ADDRESS_ROOM, NULL, &overlapped),
                 WSAEINVAL);
    closesocket(second);
    pair_close(&pair);
}

/* ---- connects ------------------------------------------------------------------------------ */

static LPFN_CONNECTEX connect_ex(SOCKET socket)
{
    GUID guid = WSAID_CONNECTEX;
    LPFN_CONNECTEX function = NULL;
    DWORD bytes = 0;
    assert_int_equal(WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof guid,
                              &function, sizeof function, &bytes, NULL, NULL),
                     0);
    assert_int_equal(bytes, sizeof function);
    return function;
}

static SOCKET bound(HANDLE port)
{
    const SOCKADDR_IN any = {.sin_family = AF_INET};
    const SOCKET made = socket_make();
    assert_non_null(CreateIoCompletionPort((HANDLE)made, port, 9, 0));
    assert_int_equal(bind(made, (SOCKADDR *)&any, sizeof any), 0);
    return made;
}

TEST(a_connect_may_bring_its_first_bytes)
{
    HANDLE port = port_make(1);
    SOCKADDR_IN address;
    SOCKET listener = listener_make(NULL, 0, &address), near = bound(port);
    OVERLAPPED overlapped = {0};
    char hello[] = "hello", got[6] = "";
    assert_pending(
        connect_ex(near)(near, (SOCKADDR *)&address, sizeof address, hello, 5, NULL, &overlapped));
    assert_packet(port, 5, 9, &overlapped, 0);
    const SOCKET far = accept(listener, NULL, NULL);
    assert_int_equal(recv(far, got, 5, MSG_WAITALL), 5);
    assert_string_equal(got, hello);
    assert_int_equal(setsockopt(near, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0), 0);
    closesocket(far);
    closesocket(near);
    closesocket(listener);
    CloseHandle(port);
}

TEST(a_refused_connect_is_a_packet_that_says_so)
{
    HANDLE port = port_make(1);
    SOCKADDR_IN address;
    SOCKET near = bound(port);
    OVERLAPPED overlapped = {0};
    DWORD bytes, flags;
    closesocket(listener_make(NULL, 0, &address));
    assert_pending(
        connect_ex(near)(near, (SOCKADDR *)&address, sizeof address, NULL, 0, NULL, &overlapped));
    assert_packet(port, 0, 9, &overlapped, ERROR_CONNECTION_REFUSED);
    assert_fails(WSAGetOverlappedResult(near, &overlapped, &bytes, FALSE, &flags), WSAECONNREFUSED);
    closesocket(near);
    CloseHandle(port);
}

TEST(a_connect_wants_a_bound_socket)
{
    HANDLE port = port_make(1);
    SOCKADDR_IN address;
    SOCKET listener = listener_make(NULL, 0, &address), near = socket_make();
    OVERLAPPED overlapped = {0};
    assert_non_null(CreateIoCompletionPort((HANDLE)near, port, 9, 0));
    assert_fails(
        connect_ex(near)(near, (SOCKADDR *)&address, sizeof address, NULL, 0, NULL, &overlapped),
        WSAEINVAL);
    closesocket(near);
    closesocket(listener);
    CloseHandle(port);
}
