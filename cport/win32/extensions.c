/* Accepts and connects, which have a second step where they carry data. */
#include "cport/win32/internal.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- accepts ------------------------------------------------------------------------------- */

/* One address of AcceptEx's output: its length, then the address, aligned. Windows too wants 16
 * bytes more than an address has. */
enum { ADDRESS_EXTRA = 16 };

static unsigned *length_in(char *place)
{
    return (unsigned *)(((uintptr_t)place + 7) / 8 * 8);
}

static struct sockaddr *address_in(char *place)
{
    return (struct sockaddr *)(length_in(place) + 2);
}

static char *local_in(const struct accept_call *call)
{
    return (char *)call->output + call->data_bytes;
}

static char *remote_in(const struct accept_call *call)
{
    return local_in(call) + call->local_bytes;
}

static int submit_accept(struct socket *listener, LPOVERLAPPED overlapped, struct socket *second,
                         const struct accept_call *call)
{
    int code = CP_EINVAL;
    pthread_rwlock_wrlock(&second->lock);
    if (second->state != SOCKET_ATTACHED && !second->accepting.overlapped) {
        overlapped_begin(overlapped, listener);
        overlapped->second = (SOCKET)second->descriptor;
        second->accepting = *call;
        second->accepting.overlapped = overlapped;
        second->accepting.listener = listener->cport;
        *length_in(remote_in(call)) = call->remote_bytes - ADDRESS_EXTRA;
        code = cp_accept(listener->cport, &overlapped->op, address_in(remote_in(call)),
                         length_in(remote_in(call)));
        if (code != 0)
            second->accepting = (struct accept_call){0};
    }
    pthread_rwlock_unlock(&second->lock);
    return code;
}

BOOL AcceptEx(SOCKET listener_number, SOCKET second_number, PVOID output, DWORD data_bytes,
              DWORD local_bytes, DWORD remote_bytes, LPDWORD received, LPOVERLAPPED overlapped)
{
    const struct accept_call call = {.output = output,
                                     .data_bytes = data_bytes,
                                     .local_bytes = local_bytes,
                                     .remote_bytes = remote_bytes};
    const DWORD room_min = sizeof(struct sockaddr_in) + ADDRESS_EXTRA;
    if (!overlapped || !output || local_bytes < room_min || remote_bytes < room_min)
        return fail(WSAEINVAL);
    struct socket *second = socket_of(second_number);
    if (!second || !socket_exists(second))
        return FALSE;
    struct socket *listener = socket_use(listener_number);
    if (!listener)
        return FALSE;
    const int code =
        second == listener ? CP_EINVAL : submit_accept(listener, overlapped, second, &call);
    socket_done(listener);
    return submitted(overlapped, code, NULL) == 0;
}

void GetAcceptExSockaddrs(PVOID output, DWORD data_bytes, DWORD local_bytes, DWORD remote_bytes,
                          struct sockaddr **local, LPINT local_length, struct sockaddr **remote,
                          LPINT remote_length)
{
    char *const place = (char *)output + data_bytes;
    (void)remote_bytes;
    *local = address_in(place);
    *local_length = (INT)*length_in(place);
    *remote = address_in(place + local_bytes);
    *remote_length = (INT)*length_in(place + local_bytes);
}

/* The accepted connection takes the place of the second socket: 0, or the code of the failure. Its
 * own descriptor is closed. */
static int adopt(struct socket *second, int connection, const struct accept_call *call)
{
    socklen_t bytes = call->local_bytes - ADDRESS_EXTRA;
    const bool named = getsockname(connection, address_in(local_in(call)), &bytes) == 0;
    *length_in(local_in(call)) = named ? bytes : 0;
    /* Until now it was non-blocking; a socket of Windows is not. */
    const int flags = fcntl(connection, F_GETFL);
    if (flags < 0 || fcntl(connection, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
        dup3(connection, second->descriptor, O_CLOEXEC) < 0)
        return CP_EABORTED;
    return 0;
}

/* Posts the receive of the first bytes; they come with the listener's key. */
static int receive_first(struct socket *second, HANDLE port, const struct accept_call *call)
{
    const struct cp_block block = {call->output, call->data_bytes};
    const bool early = !second->port; /* the program associates it later, with its own key */
    if (early)
        second->port = port;
    if (second->state == SOCKET_UNKNOWN)
        second->state = SOCKET_ASSOCIATED;
    const DWORD error = socket_attach(second);
    if (early)
        second->port = NULL;
    return error == 0 ? cp_receive(second->cport, &call->overlapped->op, &block, 1) : CP_EINVAL;
}

/* Of a completed accept: the result, or 0 and *goes_on: the OVERLAPPED waits for data. */
static int64_t accept_end(HANDLE port, LPOVERLAPPED overlapped, int64_t result, bool *goes_on)
{
    struct socket *second = socket_of(overlapped->second);
    const cp_handle connection = overlapped->op.accepted;
    pthread_rwlock_wrlock(&second->lock);
    const struct accept_call call = second->accepting;
    if (call.overlapped == overlapped)
        second->accepting = (struct accept_call){0};
    else if (result == 0)
        result = CP_EABORTED; /* the second socket was closed meanwhile */
    if (result == 0)
        result = adopt(second, (int)connection, &call);
    if (result == 0 && call.data_bytes > 0) {
        result = receive_first(second, port, &call);
        *goes_on = result == 0;
    }
    pthread_rwlock_unlock(&second->lock);
    if (connection != CP_HANDLE_NONE)
        close((int)connection);
    return result;
}

/* ---- connects ------------------------------------------------------------------------------ */

static bool is_bound(SOCKET number)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getsockname((int)number, (struct sockaddr *)&address, &bytes) != 0)
        return false;
    return ((struct sockaddr_in *)&address)->sin_port != 0; /* in the same place for IPv6 */
}

static BOOL connect_ex(SOCKET number, const struct sockaddr *address, int address_bytes, PVOID data,
                       DWORD data_bytes, LPDWORD sent, LPOVERLAPPED overlapped)
{
    if (!overlapped || !address || address_bytes <= 0)
        return fail(WSAEFAULT);
    struct socket *socket = socket_use(number);
    if (!socket)
        return FALSE;
    int code = CP_EINVAL;
    if (is_bound(number)) {
        overlapped_begin(overlapped, socket);
        overlapped->after = data;
        overlapped->after_bytes = data ? data_bytes : 0;
        overlapped->second = number;
        code = cp_connect(socket->cport, &overlapped->op, address, (unsigned)address_bytes,
                          CP_FOREVER);
    }
    socket_done(socket);
    return submitted(overlapped, code, NULL) == 0;
}

/* Of a completed connect that has data to send. */
static int64_t connect_end(LPOVERLAPPED overlapped, bool *goes_on)
{
    const struct cp_block block = {(void *)overlapped->after, overlapped->after_bytes};
    struct socket *socket = socket_use(overlapped->second);
    if (!socket)
        return CP_EABORTED;
    const int code = cp_send(socket->cport, &overlapped->op, &block, 1);
    socket_done(socket);
    *goes_on = code == 0;
    return code;
}

bool operation_continue(HANDLE port, LPOVERLAPPED overlapped, int64_t result)
{
    bool goes_on = false;
    if (overlapped->op.kind == CP_ACCEPT)
        result = accept_end(port, overlapped, result, &goes_on);
    else if (overlapped->op.kind == CP_CONNECT && result == 0 && overlapped->after_bytes > 0)
        result = connect_end(overlapped, &goes_on);
    if (!goes_on)
        operation_finish(overlapped, result);
    return !goes_on;
}

/* ---- how programs find them ------------------------------------------------------------------ */

static bool same_guid(const void *one, const GUID *other)
{
    return memcmp(one, other, sizeof *other) == 0;
}

int WSAIoctl(SOCKET socket, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
             LPDWORD returned, LPWSAOVERLAPPED overlapped,
             LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    static const GUID accept_guid = WSAID_ACCEPTEX, connect_guid = WSAID_CONNECTEX,
                      addresses_guid = WSAID_GETACCEPTEXSOCKADDRS;
    const LPFN_ACCEPTEX accept_function = AcceptEx;
    const LPFN_CONNECTEX connect_function = connect_ex;
    const LPFN_GETACCEPTEXSOCKADDRS addresses_function = GetAcceptExSockaddrs;
    const void *function;
    if (code != SIO_GET_EXTENSION_FUNCTION_POINTER)
        return fail_socket(WSAEOPNOTSUPP);
    if (!in || in_bytes < sizeof(GUID) || !out || out_bytes < sizeof accept_function || !returned)
        return fail_socket(WSAEFAULT);
    if (same_guid(in, &accept_guid))
        function = &accept_function;
    else if (same_guid(in, &connect_guid))
        function = &connect_function;
    else if (same_guid(in, &addresses_guid))
        function = &addresses_function;
    else
        return fail_socket(WSAEINVAL);
    memcpy(out, function, sizeof accept_function);
    *returned = sizeof accept_function;
    return 0;
}
