#include "mock_servers/lan/netlink.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void netlink_append(struct netlink_message *message, const void *data, size_t bytes)
{
    size_t at = NLMSG_ALIGN(message->header.nlmsg_len);

    assert(at + NLMSG_ALIGN(bytes) <= sizeof message->data);
    /* From the whole message's address: compilers take the union's first member for all of it. */
    if (bytes > 0)
        memcpy((uint8_t *)message + at, data, bytes);
    message->header.nlmsg_len = (uint32_t)(at + bytes);
}

void netlink_start(struct netlink_message *message, uint16_t type, uint16_t flags,
                   const void *fixed, size_t fixed_bytes)
{
    memset(message, 0, sizeof *message);
    message->header.nlmsg_len = NLMSG_HDRLEN;
    message->header.nlmsg_type = type;
    message->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    message->header.nlmsg_seq = 1;
    netlink_append(message, fixed, fixed_bytes);
}

void netlink_put(struct netlink_message *message, uint16_t type, const void *data, size_t bytes)
{
    struct nlattr attribute = {.nla_len = (uint16_t)(NLA_HDRLEN + bytes), .nla_type = type};

    netlink_append(message, &attribute, sizeof attribute);
    netlink_append(message, data, bytes);
}

void netlink_put_text(struct netlink_message *message, uint16_t type, const char *text)
{
    netlink_put(message, type, text, strlen(text) + 1);
}

void netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t value)
{
    netlink_put(message, type, &value, sizeof value);
}

size_t netlink_nest(struct netlink_message *message, uint16_t type)
{
    size_t nest = NLMSG_ALIGN(message->header.nlmsg_len);

    netlink_put(message, type, NULL, 0);
    return nest;
}

void netlink_unnest(struct netlink_message *message, size_t nest)
{
    struct nlattr attribute;

    memcpy(&attribute, message->data + nest, sizeof attribute);
    attribute.nla_len = (uint16_t)(message->header.nlmsg_len - nest);
    memcpy(message->data + nest, &attribute, sizeof attribute);
}

/* The kernel answers a request for an acknowledgement with its error, 0 if there is none. */
static int answer_read(int descriptor)
{
    struct netlink_message answer;
    struct nlmsgerr error;
    ssize_t got;

    do
        got = recv(descriptor, &answer, sizeof answer, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if ((size_t)got < NLMSG_HDRLEN + sizeof error || answer.header.nlmsg_type != NLMSG_ERROR)
        return -EPROTO;
    memcpy(&error, answer.data + NLMSG_HDRLEN, sizeof error);
    return error.error;
}

int netlink_ask(struct netlink_message *message)
{
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (descriptor < 0)
        return -errno;
    int result = send(descriptor, message, message->header.nlmsg_len, 0) < 0
                     ? -errno
                     : answer_read(descriptor);
    close(descriptor);
    return result;
}
