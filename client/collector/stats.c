/* Asks the fleet what it sent, before and after a run. */
#include "client/collector/stats.h"

#include <assert.h>
#include <errno.h>

#include "base/os.h"

static const uint64_t timeout_ns = (uint64_t)STATS_TIMEOUT_MS * OS_NS_PER_MS;

static int ask(cp_handle handle, const struct request_set *requests, struct protocol_stats *stats)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    if (request_log_in(requests, handle, timeout_ns) != NULL)
        return -EACCES;
    int bytes = protocol_write_stats_request(requests->run, line, sizeof line);
    assert(bytes > 0);
    int result = net_send_all(handle, line, (size_t)bytes, timeout_ns);
    if (result == 0)
        result = net_read_line(handle, line, sizeof line, timeout_ns);
    if (result == 0 && (protocol_read_stats(line, stats) != NULL || stats->run != requests->run))
        result = -EINVAL;
    return result;
}

/* One question to one device. Blocks up to STATS_TIMEOUT_MS. 0, or a portable negative code. */
static int ask_device(const struct net_address *device, const struct request_set *requests,
                      struct protocol_stats *stats)
{
    cp_handle handle;
    int result = net_connect(device, timeout_ns, &handle);
    if (result != 0)
        return result;
    result = ask(handle, requests, stats);
    net_close(handle);
    return result;
}

bool stats_begin(struct fleet_stats *fleet, const struct net_address *device,
                 const struct request_set *requests)
{
    if (requests->foreign)
        return true;
    fleet->device = *device;
    fleet->known = ask_device(device, requests, &fleet->before) == 0;
    return fleet->known || ++fleet->tries == STATS_TRIES;
}

void stats_end(struct fleet_stats *fleet, const struct request_set *requests,
               uint64_t bytes_received)
{
    enum { PAUSE_MS = 20 };
    if (!fleet->known)
        return;
    uint64_t deadline_ns = os_now_ns() + (uint64_t)STATS_LAG_MS * OS_NS_PER_MS;
    for (;;) {
        fleet->known = ask_device(&fleet->device, requests, &fleet->after) == 0;
        bool lags = !fleet->known || fleet->after.bytes < bytes_received;
        if (!lags || os_now_ns() >= deadline_ns)
            break;
        os_sleep_ns((uint64_t)PAUSE_MS * OS_NS_PER_MS);
    }
    fleet->known = fleet->known && fleet->after.process == fleet->before.process;
}
