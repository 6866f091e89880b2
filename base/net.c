/* The part of net.h that is the same on every system: addresses, ending, and
 * calls with a time limit. */
#include "base/net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/os.h"

_Static_assert(sizeof(struct sockaddr_in6) <= NET_ADDRESS_BYTES_MAX, "both families fit");
_Static_assert(sizeof(struct sockaddr_in) <= NET_ADDRESS_BYTES_MAX, "both families fit");

/* ---- addresses ------------------------------------------------------------------------------ */

static struct net_address address_of(const void *data, size_t bytes)
{
    struct net_address address = {.bytes = (unsigned)bytes};
    assert(bytes <= sizeof address.data);
    memcpy(address.data, data, bytes);
    return address;
}

/* 0 with *found from getaddrinfo; else getaddrinfo's error. */
static int look_up(const char *host, const char *service, int flags, struct addrinfo **found)
{
    const struct addrinfo hints = {
        .ai_flags = flags, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    return getaddrinfo(host, service, &hints, found);
}

bool net_numeric(const char *host, uint16_t port, struct net_address *address)
{
    char service[8];
    struct addrinfo *found;
    snprintf(service, sizeof service, "%u", port);
    if (look_up(host, service, AI_NUMERICHOST, &found) != 0)
        return false;
    *address = address_of(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static bool is_among(const struct net_address *addresses, unsigned count,
                     const struct net_address *address)
{
    for (unsigned i = 0; i < count; i++)
        if (addresses[i].bytes == address->bytes &&
            memcmp(addresses[i].data, address->data, address->bytes) == 0)
            return true;
    return false;
}

void net_interleave(struct net_address *addresses, unsigned count)
{
    for (unsigned at = 1; at < count; at++) {
        unsigned other = at;
        while (other < count && net_family(&addresses[other]) == net_family(&addresses[at - 1]))
            other++;
        if (other == count)
            return; /* one family is left */
        const struct net_address moved = addresses[other];
        memmove(&addresses[at + 1], &addresses[at], (other - at) * sizeof *addresses);
        addresses[at] = moved;
    }
}

/* gai_strerror has one buffer for all threads on Windows, which has no EAI_SYSTEM. */
static void resolver_words(int error, char *why, size_t why_bytes)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const int system_error = errno;
    pthread_mutex_lock(&lock);
    snprintf(why, why_bytes, "%s", gai_strerror(error));
    pthread_mutex_unlock(&lock);
#ifdef EAI_SYSTEM
    if (error == EAI_SYSTEM)
        snprintf(why, why_bytes, "%s", strerror(system_error));
#else
    (void)system_error;
#endif
}

unsigned net_resolve(const char *host, struct net_address **addresses, char *why, size_t why_bytes)
{
    struct addrinfo *found, *next;
    unsigned count = 0, most = 0;
    int error = look_up(host, NULL, 0, &found);
    if (error != 0) {
        resolver_words(error, why, why_bytes);
        return 0;
    }
    for (next = found; next != NULL; next = next->ai_next)
        most++;
    *addresses = calloc(most, sizeof **addresses);
    if (*addresses == NULL)
        snprintf(why, why_bytes, "no memory for its addresses");
    for (next = found; next != NULL && *addresses != NULL; next = next->ai_next) {
        const struct net_address address = address_of(next->ai_addr, next->ai_addrlen);
        if (!is_among(*addresses, count, &address))
            (*addresses)[count++] = address;
    }
    freeaddrinfo(found);
    net_interleave(*addresses, count);
    return count;
}

struct net_address net_ipv4(uint32_t host, uint16_t port)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    four.sin_addr.s_addr = htonl(host);
    return address_of(&four, sizeof four);
}

const struct sockaddr *net_sockaddr(const struct net_address *address)
{
    return (const struct sockaddr *)(const void *)address->data;
}

int net_family(const struct net_address *address)
{
    return net_sockaddr(address)->sa_family;
}

const char *net_family_name(const struct net_address *address)
{
    return net_family(address) == AF_INET ? "ipv4" : "ipv6";
}

/* Where the last 32 bits of the host are, and the port: in network byte order. */
static unsigned char *host_of(const struct net_address *address)
{
    if (net_family(address) == AF_INET)
        return (unsigned char *)&((struct sockaddr_in *)(void *)address->data)->sin_addr;
    return ((struct sockaddr_in6 *)(void *)address->data)->sin6_addr.s6_addr + 12;
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "both families have the port in one place");

static uint16_t *port_of(const struct net_address *address)
{
    return &((struct sockaddr_in *)(void *)address->data)->sin_port;
}

uint32_t net_address_host(const struct net_address *address)
{
    uint32_t host;
    memcpy(&host, host_of(address), sizeof host);
    return ntohl(host);
}

uint16_t net_address_port(const struct net_address *address)
{
    return ntohs(*port_of(address));
}

struct net_address net_address_at(const struct net_address *base, uint32_t steps, uint16_t port)
{
    struct net_address address = *base;
    uint32_t host = htonl(net_address_host(base) + steps);
    memcpy(host_of(&address), &host, sizeof host);
    *port_of(&address) = htons(port);
    return address;
}

const char *net_address_text(const struct net_address *address, char text[NET_TEXT_BYTES])
{
    const bool four = net_family(address) == AF_INET;
    char host[INET6_ADDRSTRLEN] = "?";
    inet_ntop(net_family(address), host_of(address) - (four ? 0 : 12), host, sizeof host);
    snprintf(text, NET_TEXT_BYTES, four ? "%s:%u" : "[%s]:%u", host, net_address_port(address));
    return text;
}

int net_local(intptr_t handle, struct net_address *address)
{
    struct sockaddr_in6 local; /* the larger one */
    socklen_t bytes = sizeof local;
    if (getsockname(handle, (struct sockaddr *)&local, &bytes) != 0)
        return -EINVAL;
    *address = address_of(&local, (size_t)bytes);
    return 0;
}

int net_peer(intptr_t handle, struct net_address *address)
{
    struct sockaddr_in6 peer; /* the larger one */
    socklen_t bytes = sizeof peer;
    if (getpeername(handle, (struct sockaddr *)&peer, &bytes) != 0)
        return -ENOTCONN;
    *address = address_of(&peer, (size_t)bytes);
    return 0;
}

/* ---- ending ---------------------------------------------------------------------------------- */

void net_finish(intptr_t handle)
{
    shutdown(handle, SHUT_WR);
}

void net_shutdown(intptr_t handle)
{
    shutdown(handle, SHUT_RDWR);
}

void net_reset(intptr_t handle)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(handle, SOL_SOCKET, SO_LINGER, (const void *)&at_once, sizeof at_once);
    net_close(handle);
}

/* ---- calls with time limits ----------------------------------------------------------------- */

/* When a call gives up. */
struct patience {
    uint64_t deadline_ns;
    bool was_interrupted; /* before the call */
};

static struct patience patience_of(uint64_t timeout_ns)
{
    return (struct patience){os_active_ns() + timeout_ns, os_interrupted()};
}

/* 0: the call that would have blocked may be made again. */
static int wait_for(intptr_t handle, unsigned sign, const struct patience *patience)
{
    const uint64_t now_ns = os_active_ns();
    if (os_interrupted() && !patience->was_interrupted)
        return -ECANCELED;
    if (now_ns >= patience->deadline_ns)
        return -ETIMEDOUT;
    net_wait(handle, sign, os_slice_ns(patience->deadline_ns - now_ns));
    return 0;
}

int net_send_all(intptr_t handle, const void *data, size_t bytes, uint64_t timeout_ns)
{
    const struct patience patience = patience_of(timeout_ns);
    const char *next = data;
    while (bytes > 0) {
        int64_t sent = net_send(handle, next, bytes);
        if (sent == -EAGAIN)
            sent = wait_for(handle, NET_WRITABLE, &patience);
        if (sent < 0)
            return (int)sent;
        next += sent;
        bytes -= (size_t)sent;
    }
    return 0;
}

/* One byte at a time, so that nothing behind the line is consumed; lines are short and rare. */
int net_read_line(intptr_t handle, char *line, size_t line_bytes, uint64_t timeout_ns)
{
    assert(line_bytes > 2);
    const struct patience patience = patience_of(timeout_ns);
    for (size_t used = 0; used < line_bytes;) {
        int64_t got = net_receive(handle, line + used, 1);
        if (got == -EAGAIN && (got = wait_for(handle, NET_READABLE, &patience)) == 0)
            continue;
        if (got <= 0)
            return got == 0 ? -ENOTCONN : (int)got;
        used++;
        if (used >= 2 && memcmp(line + used - 2, "\r\n", 2) == 0) {
            line[used - 2] = '\0';
            return 0;
        }
    }
    return -EINVAL;
}
