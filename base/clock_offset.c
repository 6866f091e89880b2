/* Asks a device for its clock's time. */
#include "base/clock_offset.h"

#include <errno.h>
#include <string.h>

#include "base/net.h"
#include "base/protocol.h"

enum {
    ASKED_TIMES = 64,    /* one of them is likely to meet no busy processor */
    ASKED_TIMES_MIN = 3, /* also where they take longer than: */
    ASKED_MS_MAX = 250,
    NARROW_NS = 50000,    /* a wider offset is worth further questions, */
    NARROWED_MS_MAX = 20, /* until so long after the first one */
    INTERRUPTED_MS = 100, /* patience after Ctrl-C */
    SPIN_US = 200,        /* an answer is awaited so long without sleep, which costs 50 us */
};

void clock_offset_take(struct clock_offset *offset, uint64_t asked_ns, uint64_t there_ns,
                       uint64_t answered_ns)
{
    const struct os_distance fleet = {.min_ns = (int64_t)(there_ns - answered_ns),
                                      .max_ns = (int64_t)(there_ns - asked_ns)};
    if (answered_ns < asked_ns)
        return; /* the clock here was set meanwhile */
    if (!offset->known || fleet.max_ns - fleet.min_ns < offset->fleet.max_ns - offset->fleet.min_ns)
        *offset = (struct clock_offset){.known = true, .asked_ns = os_now_ns(), .fleet = fleet};
}

/* The answer, which is all that comes on this connection. 0, or a negative errno value. */
static int read_answer(intptr_t handle, char line[PROTOCOL_LINE_BYTES_MAX], uint64_t timeout_ns)
{
    const uint64_t began_ns = os_now_ns();
    for (size_t used = 0; used + 1 < PROTOCOL_LINE_BYTES_MAX;) {
        const int64_t bytes = net_receive(handle, line + used, PROTOCOL_LINE_BYTES_MAX - 1 - used);
        const uint64_t gone_ns = os_now_ns() - began_ns;
        if (bytes == -EAGAIN && gone_ns >= timeout_ns)
            return -ETIMEDOUT;
        if (bytes == -EAGAIN && gone_ns >= SPIN_US * UINT64_C(1000))
            net_wait(handle, NET_READABLE, os_slice_ns(timeout_ns - gone_ns));
        if (bytes <= 0 && bytes != -EAGAIN)
            return bytes == 0 ? -ENOTCONN : (int)bytes;
        used += bytes > 0 ? (size_t)bytes : 0;
        line[used] = '\0';
        if (used >= 2 && strcmp(line + used - 2, "\r\n") == 0) {
            line[used - 2] = '\0';
            return 0;
        }
        if (os_interrupted() && gone_ns >= INTERRUPTED_MS * (uint64_t)OS_NS_PER_MS)
            return -ECANCELED;
    }
    return -EINVAL;
}

static bool asks_again(const struct clock_offset *offset, unsigned times, uint64_t gone_ns)
{
    if (times < ASKED_TIMES)
        return times < ASKED_TIMES_MIN || gone_ns < ASKED_MS_MAX * (uint64_t)OS_NS_PER_MS;
    return gone_ns < NARROWED_MS_MAX * (uint64_t)OS_NS_PER_MS &&
           (!offset->known || offset->fleet.max_ns - offset->fleet.min_ns > NARROW_NS);
}

int clock_offset_ask(struct clock_offset *offset, intptr_t handle, uint64_t timeout_ns)
{
    const uint64_t began_ns = os_now_ns();
    *offset = (struct clock_offset){.known = false};
    for (unsigned i = 0; asks_again(offset, i, os_now_ns() - began_ns); i++) {
        char line[PROTOCOL_LINE_BYTES_MAX];
        uint64_t there_ns;
        const int bytes = protocol_write_time_request(line, sizeof line);
        const uint64_t asked_ns = os_wall_ns();
        int error = net_send_all(handle, line, (size_t)bytes, timeout_ns);
        if (error == 0)
            error = read_answer(handle, line, timeout_ns);
        const uint64_t answered_ns = os_wall_ns();
        if (error == 0 && protocol_read_time(line, &there_ns) != NULL)
            error = -EPROTO;
        if (error != 0)
            return error;
        clock_offset_take(offset, asked_ns, there_ns, answered_ns);
    }
    return 0;
}
