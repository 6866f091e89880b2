/* Behaviours of datagrams: U1 to U12. The near socket is of the port, the far one of the far port;
 * stage->address is the far one's. */
#include "cport/tests/conformance/stage.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* A socket on a free port of 127.0.0.1. */
static bool open_bound(struct cport *port, uintptr_t key, struct cp_socket *socket,
                       struct net_address *address)
{
    struct net_address any = net_ipv4(0x7f000001, 0);
    if (cp_socket_open_udp(port, net_family(&any), key, socket) != 0 ||
        cp_bind(*socket, net_sockaddr(&any), any.bytes) != 0)
        return false;
    *address = listener_address(*socket);
    return true;
}

static bool open_both(struct stage *stage, struct net_address *near_address)
{
    return open_bound(stage->port, 7, &stage->near, near_address) &&
           open_bound(stage->far_port, 8, &stage->far, &stage->address);
}

/* The far socket sends one datagram. */
static bool far_sends(struct stage *stage, const struct net_address *to, const char *text)
{
    struct cp_op op = {0};
    struct cp_packet packet;
    struct cp_block block = {(void *)(uintptr_t)text, strlen(text)};
    return cp_send_to(stage->far, &op, &block, 1, net_sockaddr(to), to->bytes) == 0 &&
           cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1 && packet.op == &op &&
           packet.result == (int64_t)block.bytes;
}

/* Where a datagram comes from. */
struct sender {
    struct sockaddr_storage address;
    unsigned bytes;
};

static int receive_from(struct stage *stage, struct cp_op *op, struct cp_block block,
                        struct sender *sender)
{
    *sender = (struct sender){.bytes = sizeof sender->address};
    return cp_receive_from(stage->near, op, &block, 1, (struct sockaddr *)&sender->address,
                           &sender->bytes);
}

static bool is_from(const struct sender *sender, const struct net_address *address)
{
    const struct sockaddr_in *saw = (const struct sockaddr_in *)&sender->address;
    const struct sockaddr_in *expected = (const struct sockaddr_in *)net_sockaddr(address);
    return sender->bytes == sizeof *saw && saw->sin_family == expected->sin_family &&
           saw->sin_port == expected->sin_port && saw->sin_addr.s_addr == expected->sin_addr.s_addr;
}

void datagram_is_whole(struct stage *stage)
{
    struct net_address near_address;
    struct sender sender = {.bytes = sizeof sender.address};
    char one[4], two[100];
    struct cp_block blocks[] = {{one, 4}, {two, 100}};
    EXPECT(open_both(stage, &near_address));
    EXPECT(cp_receive_from(stage->near, &stage->op, blocks, 2, (struct sockaddr *)&sender.address,
                           &sender.bytes) == 0);
    memset(blocks, 0xff, sizeof blocks); /* copied */
    EXPECT(nothing_comes(stage));
    EXPECT(far_sends(stage, &near_address, "abcdef"));
    EXPECT(next_is(stage, &stage->op, 6) && stage->packet.key == 7);
    EXPECT(memcmp(one, "abcd", 4) == 0 && memcmp(two, "ef", 2) == 0);
    EXPECT(is_from(&sender, &stage->address));
    EXPECT(stage->op.kind == CP_RECEIVE_FROM);
}

/* Not the end of anything: the next one comes. */
void datagram_empty(struct stage *stage)
{
    struct net_address near_address;
    struct sender sender;
    EXPECT(open_both(stage, &near_address));
    for (unsigned round = 0; round < 2; round++) {
        EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
        EXPECT(far_sends(stage, &near_address, ""));
        EXPECT(next_is(stage, &stage->op, 0));
        EXPECT(is_from(&sender, &stage->address));
    }
    EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
    EXPECT(far_sends(stage, &near_address, "last"));
    EXPECT(next_is(stage, &stage->op, 4));
}

/* Whether it waits for the datagram or the datagram for it. */
void datagram_is_cut(struct stage *stage)
{
    struct net_address near_address;
    struct sender sender;
    struct cp_block small = {stage->data, 4};
    EXPECT(open_both(stage, &near_address));
    for (unsigned round = 0; round < 2; round++) {
        EXPECT(round == 1 || receive_from(stage, &stage->op, small, &sender) == 0);
        EXPECT(far_sends(stage, &near_address, "abcdef"));
        EXPECT(round == 0 || receive_from(stage, &stage->op, small, &sender) == 0);
        EXPECT(next_is(stage, &stage->op, CP_EMSGSIZE));
        EXPECT(memcmp(stage->data, "abcd", 4) == 0 && is_from(&sender, &stage->address));
    }
    EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
    EXPECT(far_sends(stage, &near_address, "next"));
    EXPECT(next_is(stage, &stage->op, 4) && memcmp(stage->data, "next", 4) == 0);
}

void datagrams_that_wait(struct stage *stage)
{
    static const char *const texts[] = {"a", "bc", "def"};
    struct net_address near_address;
    struct sender sender;
    EXPECT(open_both(stage, &near_address));
    for (unsigned index = 0; index < 3; index++)
        EXPECT(far_sends(stage, &near_address, texts[index]));
    for (unsigned index = 0; index < 3; index++) {
        size_t bytes = strlen(texts[index]);
        EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
        EXPECT(next_is(stage, &stage->op, (int64_t)bytes));
        EXPECT(memcmp(stage->data, texts[index], bytes) == 0);
    }
}

void datagram_receives_in_order(struct stage *stage)
{
    enum { COUNT = 8 };
    struct net_address near_address;
    struct cp_op ops[COUNT] = {0};
    struct sender senders[COUNT];
    EXPECT(open_both(stage, &near_address));
    for (unsigned index = 0; index < COUNT; index++)
        EXPECT(receive_from(stage, &ops[index], (struct cp_block){&stage->data[index], 1},
                            &senders[index]) == 0);
    for (unsigned index = 0; index < COUNT; index++)
        EXPECT(far_sends(stage, &near_address, (const char[]){(char)('s' + index), '\0'}));
    for (unsigned index = 0; index < COUNT; index++)
        EXPECT(next_is(stage, &ops[index], 1) && is_from(&senders[index], &stage->address));
    EXPECT(memcmp(stage->data, "stuvwxyz", COUNT) == 0);
}

/* The far socket closes, so that nobody has its address. */
static bool open_to_nobody(struct stage *stage)
{
    struct net_address near_address;
    if (!open_both(stage, &near_address))
        return false;
    cp_socket_close(stage->far);
    os_sleep_ns(ms(A_MOMENT_MS));
    return true;
}

static bool near_connects(struct stage *stage)
{
    struct cp_op op = {0};
    return cp_connect(stage->near, &op, net_sockaddr(&stage->address), stage->address.bytes,
                      CP_FOREVER) == 0 &&
           next_is(stage, &op, 0);
}

/* Both packets come; the socket can be used again. */
void datagram_refused(struct stage *stage)
{
    struct cp_op send = {0};
    struct cp_block block = {"x", 1};
    EXPECT(open_to_nobody(stage));
    EXPECT(near_connects(stage));
    EXPECT(post_receive(stage) == 0);
    EXPECT(cp_send(stage->near, &send, &block, 1) == 0);
    for (unsigned index = 0; index < 2; index++) {
        EXPECT(next_within(stage, PATIENCE_MS));
        EXPECT(stage->packet.result == (stage->packet.op == &send ? 1 : CP_EREFUSED));
    }
    EXPECT(post_receive(stage) == 0);
    EXPECT(nothing_comes(stage));
}

void datagram_to_nobody(struct stage *stage)
{
    static struct sender sender; /* the receive is still in flight at the end */
    struct cp_op send = {0};
    struct cp_block block = {"x", 1};
    EXPECT(open_to_nobody(stage));
    EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
    EXPECT(cp_send_to(stage->near, &send, &block, 1, net_sockaddr(&stage->address),
                      stage->address.bytes) == 0);
    EXPECT(next_is(stage, &send, 1));
    EXPECT(nothing_comes(stage));
}

void datagrams_of_a_peer(struct stage *stage)
{
    struct net_address near_address, other_address;
    struct cp_socket other;
    struct cp_op op = {0};
    struct cp_packet packet;
    struct cp_block block = {"to", 2};
    EXPECT(open_both(stage, &near_address));
    EXPECT(cp_send(stage->near, &op, &block, 1) == CP_ENOTCONN);
    EXPECT(near_connects(stage));
    EXPECT(cp_send(stage->near, &stage->op, &block, 1) == 0 && next_is(stage, &stage->op, 2));
    EXPECT(post_receive(stage) == 0);
    EXPECT(open_bound(stage->far_port, 9, &other, &other_address));
    EXPECT(cp_send_to(other, &op, &block, 1, net_sockaddr(&near_address), near_address.bytes) == 0);
    EXPECT(cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1 && packet.result == 2);
    EXPECT(nothing_comes(stage)); /* it is not the peer */
    EXPECT(far_sends(stage, &near_address, "peer"));
    EXPECT(next_is(stage, &stage->op, 4) && memcmp(stage->data, "peer", 4) == 0);
}

/* It was bound by hand; an unbound one is bound by what it does first. */
void datagrams_adopted(struct stage *stage)
{
    struct net_address near_address;
    struct sender sender;
    struct cp_socket unbound;
    struct cp_op op = {0};
    struct cp_packet packet;
    intptr_t handle = (intptr_t)socket(AF_INET, SOCK_DGRAM, 0);
    struct net_address any = net_ipv4(0x7f000001, 0);
    EXPECT(bind(handle, net_sockaddr(&any), (socklen_t)any.bytes) == 0);
    EXPECT(cp_associate(stage->port, handle, 7, &stage->near) == 0);
    near_address = listener_address(stage->near);
    EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
    EXPECT(cp_socket_open_udp(stage->far_port, AF_INET, 9, &unbound) == 0);
    EXPECT(cp_send_to(unbound, &op, &(struct cp_block){"abc", 3}, 1, net_sockaddr(&near_address),
                      near_address.bytes) == 0);
    EXPECT(next_is(stage, &stage->op, 3));
    EXPECT(cp_wait(stage->far_port, &packet, 1, ms(PATIENCE_MS)) == 1 && packet.result == 3);
}

void datagram_receives_end(struct stage *stage)
{
    struct net_address near_address;
    struct sender sender;
    EXPECT(open_both(stage, &near_address));
    EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
    EXPECT(cp_cancel(stage->near, &stage->op) == 0);
    EXPECT(next_is(stage, &stage->op, CP_ECANCELED));
    EXPECT(far_sends(stage, &near_address, "kept"));
    EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
    EXPECT(next_is(stage, &stage->op, 4));
    EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == 0);
    cp_socket_close(stage->near);
    EXPECT(next_is(stage, &stage->op, CP_EABORTED) && stage->packet.key == 7);
    EXPECT(nothing_comes(stage));
}

void datagram_too_large(struct stage *stage)
{
    static char large[70000]; /* UDP has 16 bits for a length */
    struct net_address near_address;
    struct cp_block block = {large, sizeof large};
    EXPECT(open_both(stage, &near_address));
    int code = cp_send_to(stage->near, &stage->op, &block, 1, net_sockaddr(&stage->address),
                          stage->address.bytes);
    EXPECT(code == CP_EMSGSIZE || (code == 0 && next_is(stage, &stage->op, CP_EMSGSIZE)));
}

static unsigned take_none(void *context, struct cp_block *blocks, unsigned max)
{
    return 0;
}

static void give_none(void *context, struct cp_block *blocks, unsigned count)
{
}

void datagram_misuse(struct stage *stage)
{
    const struct cp_source source = {take_none, give_none, NULL};
    struct sender sender;
    struct sockaddr *from = (struct sockaddr *)&sender.address;
    struct cp_socket datagrams;
    const struct sockaddr *to = net_sockaddr(&stage->address);
    EXPECT(receive_from(stage, &stage->op, stage->block, &sender) == CP_EINVAL); /* a stream */
    EXPECT(cp_send_to(stage->near, &stage->op, &stage->block, 1, to, stage->address.bytes) ==
           CP_EINVAL);
    EXPECT(cp_socket_open_udp(stage->port, AF_INET, 1, &datagrams) == 0);
    EXPECT(cp_listen(datagrams, to, stage->address.bytes, 1) == CP_EINVAL);
    EXPECT(cp_accept(datagrams, &stage->op, NULL, NULL) == CP_EINVAL);
    EXPECT(cp_shutdown(datagrams) == CP_EINVAL);
    EXPECT(cp_receive(datagrams, &stage->op, NULL, 0) == CP_EINVAL); /* it would take one */
    EXPECT(cp_receive_late(datagrams, &stage->op, &stage->block, 1, &source) == CP_EINVAL);
    EXPECT(cp_send_to(datagrams, &stage->op, &stage->block, 1, to, 3) == CP_EINVAL);
    EXPECT(cp_send_to(datagrams, &stage->op, &stage->block, 1, NULL, 0) == CP_EINVAL);
    sender.bytes = sizeof(struct sockaddr_in) - 1;
    EXPECT(cp_receive_from(datagrams, &stage->op, &stage->block, 1, from, &sender.bytes) ==
           CP_EINVAL);
    EXPECT(cp_receive_from(datagrams, &stage->op, &stage->block, 1, from, NULL) == CP_EINVAL);
    EXPECT(nothing_comes(stage));
}
