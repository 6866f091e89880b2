/* Where Linux's sockets differ: codes are errno values. */
#include "cport/port.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int cp_error_from_os(int os_code)
{
    return cp_error_from_errno(-os_code);
}

int socket_error(void)
{
    return cp_error_from_os(errno);
}

int socket_unblock(cp_handle handle)
{
    int flags = fcntl((int)handle, F_GETFL);
    if (flags < 0 || fcntl((int)handle, F_SETFL, flags | O_NONBLOCK) != 0)
        return socket_error();
    return 0;
}

/* A connection that was reset before it was adopted is closed, like a fresh socket. Unlike that, it
 * has an error to report, once, or data. */
static void recognise_closed(struct cp_slot *slot)
{
    char byte;
    int code = 0;
    if (recv((int)slot->handle, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        code = socket_error();
    if (code == CP_ENOTCONN)
        return;
    slot->role = ROLE_CONNECTED;
    slot->broken = code;
}

/* 0 for a UDP socket. */
static int recognise_datagrams(struct cp_slot *slot)
{
    struct sockaddr_storage address;
    int type = 0, protocol = 0;
    socklen_t type_bytes = sizeof type, protocol_bytes = sizeof protocol, bytes = sizeof address;
    if (getsockopt((int)slot->handle, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0 ||
        getsockopt((int)slot->handle, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_bytes) != 0 ||
        getsockname((int)slot->handle, (struct sockaddr *)&address, &bytes) != 0)
        return socket_error();
    if (type != SOCK_DGRAM || protocol != IPPROTO_UDP)
        return CP_EINVAL;
    slot->datagrams = true;
    slot->family = address.ss_family;
    bytes = sizeof address;
    if (getpeername((int)slot->handle, (struct sockaddr *)&address, &bytes) == 0)
        slot->role = ROLE_CONNECTED;
    return 0;
}

/* One call: a server does it for each connection. */
int socket_recognise(struct cp_slot *slot)
{
    struct tcp_info info;
    socklen_t bytes = sizeof info;
    if (getsockopt((int)slot->handle, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0)
        return recognise_datagrams(slot);
    slot->role = info.tcpi_state == TCP_LISTEN ? ROLE_LISTENING : ROLE_CONNECTED;
    if (slot->role == ROLE_LISTENING)
        return socket_unblock(slot->handle);
    if (info.tcpi_state == TCP_CLOSE) {
        slot->role = ROLE_FRESH;
        recognise_closed(slot);
    }
    return 0;
}
