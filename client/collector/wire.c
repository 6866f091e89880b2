#include "client/collector/wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/os.h"

_Static_assert(sizeof(struct sockaddr_in6) <= WIRE_ADDRESS_BYTES_MAX, "both families fit");
_Static_assert(sizeof(struct sockaddr_in) <= WIRE_ADDRESS_BYTES_MAX, "both families fit");

/* ---- addresses ------------------------------------------------------------------------------ */

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
    address->bytes = (unsigned)found->ai_addrlen;
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

/* ---- calls with time limits ----------------------------------------------------------------- */

int wire_send(cp_handle handle, const void *data, size_t bytes, uint64_t timeout_ns)
{
    uint64_t deadline_ns = os_now_ns() + timeout_ns;
    const char *next = data;
    while (bytes > 0) {
        int64_t sent = wire_send_some(handle, next, bytes, deadline_ns);
        if (sent < 0)
            return (int)sent;
        next += sent;
        bytes -= (size_t)sent;
    }
    return 0;
}

/* A byte at a time: what follows the line is not this function's to take, and lines are short
 * and rare. */
int wire_read_line(cp_handle handle, char *line, size_t line_bytes, uint64_t timeout_ns)
{
    assert(line_bytes > 2);
    uint64_t deadline_ns = os_now_ns() + timeout_ns;
    for (size_t used = 0; used < line_bytes;) {
        int64_t got = wire_receive(handle, line + used, 1, deadline_ns);
        if (got <= 0)
            return got == 0 ? CP_ENOTCONN : (int)got;
        used++;
        if (used >= 2 && memcmp(line + used - 2, "\r\n", 2) == 0) {
            line[used - 2] = '\0';
            return 0;
        }
    }
    return CP_EINVAL;
}
