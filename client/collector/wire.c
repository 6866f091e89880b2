#include "client/collector/wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "client/os/os.h"

_Static_assert(sizeof(struct sockaddr_in6) <= WIRE_ADDRESS_BYTES_MAX, "both families fit");
_Static_assert(sizeof(struct sockaddr_in) <= WIRE_ADDRESS_BYTES_MAX, "both families fit");

/* ---- addresses ---------------------------------------------------------------------------------- */

int wire_resolve(const char *host, uint16_t port, struct wire_address *address, char *why,
                 size_t why_bytes)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int error = getaddrinfo(host, service, &hints, &found);
    if (error != 0) {
        snprintf(why, why_bytes, "'%s' is no address and no name that resolves (%s)", host,
                 gai_strerror(error));
        return -1;
    }
    assert(found->ai_addrlen <= sizeof address->data);
    memset(address, 0, sizeof *address);
    memcpy(address->data, found->ai_addr, found->ai_addrlen);
    address->bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

const struct sockaddr *wire_sockaddr(const struct wire_address *address)
{
    return (const struct sockaddr *)(const void *)address->data;
}

int wire_family(const struct wire_address *address)
{
    return wire_sockaddr(address)->sa_family;
}

static void count_up(unsigned char *last_four, uint32_t steps)
{
    uint32_t number;
    memcpy(&number, last_four, sizeof number);
    number = htonl(ntohl(number) + steps);
    memcpy(last_four, &number, sizeof number);
}

struct wire_address wire_address_at(const struct wire_address *base, uint32_t steps, uint16_t port)
{
    struct wire_address address = *base;
    if (wire_family(base) == AF_INET) {
        struct sockaddr_in *four = (void *)address.data;
        count_up((unsigned char *)&four->sin_addr, steps);
        four->sin_port = htons(port);
    } else {
        struct sockaddr_in6 *six = (void *)address.data;
        count_up(six->sin6_addr.s6_addr + 12, steps);
        six->sin6_port = htons(port);
    }
    return address;
}

const char *wire_address_text(const struct wire_address *address, char text[WIRE_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (wire_family(address) == AF_INET) {
        const struct sockaddr_in *four = (const void *)address->data;
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
        snprintf(text, WIRE_TEXT_BYTES, "%s:%u", host, ntohs(four->sin_port));
    } else {
        const struct sockaddr_in6 *six = (const void *)address->data;
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
        snprintf(text, WIRE_TEXT_BYTES, "[%s]:%u", host, ntohs(six->sin6_port));
    }
    return text;
}

/* ---- calls with time limits --------------------------------------------------------------------- */

/* A zero time limit means none to the kernel, so that one that has run out must not become it. */
static int limit_set(int descriptor, int which, uint64_t timeout_ns)
{
    struct timeval limit = {
        .tv_sec = (time_t)(timeout_ns / OS_NS_PER_S),
        .tv_usec = (suseconds_t)(timeout_ns % OS_NS_PER_S / 1000),
    };
    if (limit.tv_sec == 0 && limit.tv_usec == 0)
        limit.tv_usec = 1;
    return setsockopt(descriptor, SOL_SOCKET, which, &limit, sizeof limit);
}

static void limit_lift(int descriptor, int which)
{
    const struct timeval none = {0};
    setsockopt(descriptor, SOL_SOCKET, which, &none, sizeof none);
}

/* With a send limit a blocking connect() that runs into it says EINPROGRESS. */
static int connect_code(int os_error)
{
    if (os_error == EINPROGRESS || os_error == EAGAIN)
        return CP_ETIMEDOUT;
    if (os_error == EINTR)
        return CP_ECANCELED;
    return cp_error_from_os(os_error);
}

int wire_connect(const struct wire_address *address, uint64_t timeout_ns, cp_handle *handle)
{
    int descriptor = socket(wire_family(address), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return cp_error_from_os(errno);
    int result = 0;
    if (limit_set(descriptor, SO_SNDTIMEO, timeout_ns) != 0 ||
        connect(descriptor, wire_sockaddr(address), address->bytes) != 0)
        result = connect_code(errno);
    if (result < 0) {
        close(descriptor);
        return result;
    }
    limit_lift(descriptor, SO_SNDTIMEO);
    *handle = descriptor;
    return 0;
}

static int transfer_code(int os_error)
{
    return os_error == EAGAIN || os_error == EWOULDBLOCK ? CP_ETIMEDOUT
                                                         : cp_error_from_os(os_error);
}

static uint64_t left_ns(uint64_t deadline_ns)
{
    uint64_t now_ns = os_now_ns();
    return now_ns < deadline_ns ? deadline_ns - now_ns : 0;
}

int wire_send(cp_handle handle, const void *data, size_t bytes, uint64_t timeout_ns)
{
    int descriptor = (int)handle, result = 0;
    uint64_t deadline_ns = os_now_ns() + timeout_ns;
    const char *next = data;
    while (bytes > 0 && result == 0) {
        limit_set(descriptor, SO_SNDTIMEO, left_ns(deadline_ns));
        ssize_t sent = send(descriptor, next, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            result = transfer_code(errno);
        if (sent > 0) {
            next += sent;
            bytes -= (size_t)sent;
        }
    }
    limit_lift(descriptor, SO_SNDTIMEO);
    return result;
}

/* A byte at a time: what follows the line is not this function's to take, and lines are short and rare. */
int wire_read_line(cp_handle handle, char *line, size_t line_bytes, uint64_t timeout_ns)
{
    assert(line_bytes > 2);
    int descriptor = (int)handle, result = CP_EINVAL;
    uint64_t deadline_ns = os_now_ns() + timeout_ns;
    size_t used = 0;
    while (used < line_bytes) {
        limit_set(descriptor, SO_RCVTIMEO, left_ns(deadline_ns));
        ssize_t got = recv(descriptor, line + used, 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            result = got == 0 ? CP_ERESET : transfer_code(errno);
            break;
        }
        used++;
        if (used >= 2 && memcmp(line + used - 2, "\r\n", 2) == 0) {
            line[used - 2] = '\0';
            result = 0;
            break;
        }
    }
    limit_lift(descriptor, SO_RCVTIMEO);
    return result;
}

void wire_close(cp_handle handle)
{
    close((int)handle);
}
