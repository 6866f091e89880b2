/* How the far side resets a connection on Windows. */
#include "base/winapi.h"
#include "cport/tests/conformance/stage.h"

void far_reset(struct pair *pair)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt((SOCKET)cp_socket_handle(pair->far), SOL_SOCKET, SO_LINGER, (const char *)&hard,
               sizeof hard);
    far_close(pair);
}
