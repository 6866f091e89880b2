/* How the far side resets a connection on Linux. */
#include <sys/socket.h>

#include "cport/tests/conformance/stage.h"

void far_reset(struct pair *pair)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt((int)cp_socket_handle(pair->far), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    far_close(pair);
}
