#include "mock_servers/lan/endpoints.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_BUFFER_BYTES = 8 << 20, CONNECT_SECONDS_MAX = 60 };

static int socket_open(const struct namespaces *namespaces, enum lan_side side, int type)
{
    namespaces_enter(namespaces, side);
    int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    int result = descriptor < 0 ? -errno : descriptor;
    namespaces_enter(namespaces, LAN_NEAR);
    return result;
}

static struct sockaddr_in address_of(enum lan_side side)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(lan_addresses[side].host)};
}

/* Binds to the side's address and a free port; *bound says which. */
static int socket_bind(int descriptor, enum lan_side side, struct sockaddr_in *bound)
{
    socklen_t bytes = sizeof *bound;

    *bound = address_of(side);
    if (bind(descriptor, (struct sockaddr *)bound, bytes) != 0 ||
        getsockname(descriptor, (struct sockaddr *)bound, &bytes) != 0)
        return -errno;
    return 0;
}

static int unblock(int descriptor)
{
    return fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 ? 0 : -errno;
}

void endpoints_close(int ends[LAN_SIDES])
{
    for (int side = 0; side < LAN_SIDES; side++) {
        if (ends[side] >= 0)
            close(ends[side]);
        ends[side] = -1;
    }
}

/* ---- datagrams ------------------------------------------------------------------------------ */

static int datagram_open(const struct namespaces *namespaces, enum lan_side side,
                         struct sockaddr_in *bound)
{
    int bytes = DATAGRAM_BUFFER_BYTES;
    int descriptor = socket_open(namespaces, side, SOCK_DGRAM | SOCK_NONBLOCK);

    if (descriptor < 0)
        return descriptor;
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    int result = socket_bind(descriptor, side, bound);
    if (result == 0)
        return descriptor;
    close(descriptor);
    return result;
}

int endpoints_datagram(const struct namespaces *namespaces, int ends[LAN_SIDES])
{
    struct sockaddr_in bound[LAN_SIDES];
    int result = 0;

    ends[LAN_NEAR] = ends[LAN_FAR] = -1;
    for (int side = 0; side < LAN_SIDES && result >= 0; side++)
        result = ends[side] = datagram_open(namespaces, side, &bound[side]);
    for (int side = 0; side < LAN_SIDES && result >= 0; side++)
        if (connect(ends[side], (struct sockaddr *)&bound[LAN_SIDES - 1 - side], sizeof bound[0]) !=
            0)
            result = -errno;
    if (result >= 0)
        return 0;
    endpoints_close(ends);
    return result;
}

/* ---- streams -------------------------------------------------------------------------------- */

/* The link is to be measured, not what a congestion control makes of it: this one grows until
 * something is dropped, and every kernel has it. */
static void congestion_set(int descriptor)
{
    setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
}

static int stream_listen(const struct namespaces *namespaces, enum lan_side side,
                         struct sockaddr_in *bound)
{
    int descriptor = socket_open(namespaces, side, SOCK_STREAM);

    if (descriptor < 0)
        return descriptor;
    int result = socket_bind(descriptor, side, bound);
    if (result == 0 && listen(descriptor, 1) != 0)
        result = -errno;
    if (result == 0)
        return descriptor;
    close(descriptor);
    return result;
}

static int stream_connect(const struct namespaces *namespaces, enum lan_side side,
                          const struct sockaddr_in *to)
{
    struct timeval limit = {.tv_sec = CONNECT_SECONDS_MAX};
    int descriptor = socket_open(namespaces, side, SOCK_STREAM);

    if (descriptor < 0)
        return descriptor;
    congestion_set(descriptor);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(descriptor, (const struct sockaddr *)to, sizeof *to) == 0)
        return descriptor;
    int result = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    close(descriptor);
    return result;
}

int endpoints_stream(const struct namespaces *namespaces, enum lan_side from, int ends[LAN_SIDES])
{
    enum lan_side to = from == LAN_NEAR ? LAN_FAR : LAN_NEAR;
    struct timeval limit = {.tv_sec = CONNECT_SECONDS_MAX};
    struct sockaddr_in bound;
    int listener = stream_listen(namespaces, to, &bound);

    ends[LAN_NEAR] = ends[LAN_FAR] = -1;
    if (listener < 0)
        return listener;
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int result = ends[from] = stream_connect(namespaces, from, &bound);
    if (result >= 0) {
        ends[to] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        result = ends[to] < 0 ? -errno : 0;
    }
    for (int side = 0; side < LAN_SIDES && result >= 0; side++)
        result = unblock(ends[side]);
    close(listener);
    if (result < 0)
        endpoints_close(ends);
    return result;
}
