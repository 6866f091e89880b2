/* The two things that the far side needs of Linux's sockets. */
#include <sys/socket.h>

#include "cport/tests/conformance/stage.h"

void far_reset(struct pair *pair)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt((int)cp_socket_handle(pair->far), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    far_close(pair);
}

struct wire_address listener_address(struct cp_socket *listener)
{
    struct wire_address address = {0};
    socklen_t bytes = sizeof address.data;
    getsockname((int)cp_socket_handle(listener), (struct sockaddr *)address.data, &bytes);
    address.bytes = bytes;
    return address;
}
