/* The two things that the far side needs of Windows' sockets. */
#include "base/winapi.h"
#include "cport/tests/conformance/stage.h"

void far_reset(struct pair *pair)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt((SOCKET)cp_socket_handle(pair->far), SOL_SOCKET, SO_LINGER, (const char *)&hard,
               sizeof hard);
    far_close(pair);
}

struct wire_address listener_address(struct cp_socket *listener)
{
    struct wire_address address = {0};
    int bytes = sizeof address.data;
    getsockname((SOCKET)cp_socket_handle(listener), (struct sockaddr *)address.data, &bytes);
    address.bytes = (unsigned)bytes;
    return address;
}
