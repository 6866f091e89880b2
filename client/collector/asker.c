/* Talks to a device over a blocking connection. Askers of different devices may run on different
 * threads at the same time. */
#include "client/collector/asker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/collector/program.h"

enum { TURN_MS = 500, LOOPBACK = 127, HOST_SHIFT = 24, NETWORK_SHIFT = 16 };

const char asker_no_answer[] = "no answer";

static const uint64_t timeout_ns = (uint64_t)STATS_TIMEOUT_MS * OS_NS_PER_MS;

void asker_close(struct asker *asker)
{
    if (asker->connected)
        net_close(asker->handle);
    asker->connected = asker->asked = false;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static bool is_same_host(const struct net_address *left, const struct net_address *right)
{
    const struct net_address a = net_address_at(left, 0, 0), b = net_address_at(right, 0, 0);
    return a.bytes == b.bytes && memcmp(a.data, b.data, a.bytes) == 0;
}

/* Both ends of fanin-lan's link are on one computer; a side may have many addresses. */
static bool is_on_link(const struct net_address *own, const struct net_address *peer)
{
    const char *near = getenv("FANIN_NEAR"), *far = getenv("FANIN_FAR");
    struct net_address near_address, far_address;
    return near != NULL && far != NULL && net_numeric(near, 0, &near_address) &&
           net_numeric(far, 0, &far_address) && is_same_host(own, &near_address) &&
           net_address_host(peer) >> NETWORK_SHIFT ==
               net_address_host(&far_address) >> NETWORK_SHIFT;
}

static bool is_here(cp_handle handle)
{
    struct net_address own, peer;
    if (net_local(handle, &own) != 0 || net_peer(handle, &peer) != 0)
        return false;
    const bool is_ipv4 = strcmp(net_family_name(&peer), "ipv4") == 0;
    return is_same_host(&own, &peer) || is_on_link(&own, &peer) ||
           (is_ipv4 && net_address_host(&peer) >> HOST_SHIFT == LOOPBACK);
}

/* NULL, or why not. */
static const char *asker_connect(struct program *program, struct asker *asker)
{
    char answer[PROTOCOL_LINE_BYTES_MAX];
    const struct net_address address = servers_address(&program->servers, asker->server);
    int result = net_connect(&address, timeout_ns, &asker->handle);
    if (result != 0)
        return result == -ETIMEDOUT ? asker_no_answer
                                    : attempt_error_name(cp_error_from_errno(result));
    asker->connected = true;
    asker->is_here = is_here(asker->handle);
    const char *why = request_log_in(&program->requests, asker->handle, timeout_ns, answer);
    if (why == NULL)
        return NULL;
    if (strcmp(why, LOGIN_REFUSED) == 0)
        program_note_refusal(program, asker->server, answer);
    asker_close(asker);
    return strcmp(why, LOGIN_TIMEOUT) == 0 ? asker_no_answer : why;
}

/* ---- questions ------------------------------------------------------------------------------- */

/* What the device has said. NULL: its counters. */
static const char *stats_read(struct program *program, const struct asker *asker, const char *line,
                              struct protocol_stats *stats)
{
    if (protocol_read_stats(line, stats) == NULL && stats->run == program->requests.run)
        return NULL;
    program_note_refusal(program, asker->server, line);
    return REQUEST_REFUSED;
}

const char *asker_stats(struct program *program, struct asker *asker, struct protocol_stats *stats)
{
    const uint64_t turn_ns = (uint64_t)TURN_MS * OS_NS_PER_MS;
    char line[PROTOCOL_LINE_BYTES_MAX];
    const char *why = asker->connected ? NULL : asker_connect(program, asker);
    if (why != NULL)
        return why;
    int result = 0;
    if (!asker->asked) {
        int bytes = protocol_write_stats_request(program->requests.run, line, sizeof line);
        assert(bytes > 0);
        result = net_send_all(asker->handle, line, (size_t)bytes, turn_ns);
        asker->asked = result == 0;
    }
    if (result == 0)
        result = net_read_line(asker->handle, line, sizeof line, turn_ns);
    if (result == -ETIMEDOUT && asker->asked)
        return asker_no_answer;
    asker->asked = false;
    why = result == 0 ? stats_read(program, asker, line, stats)
                      : attempt_error_name(cp_error_from_errno(result));
    if (why != NULL)
        asker_close(asker);
    return why;
}

/* A late answer must not be taken for that of a later question. */
void asker_time(struct asker *asker, struct clock_offset *offset)
{
    if (asker->connected && clock_offset_ask(offset, asker->handle, timeout_ns) != 0)
        asker_close(asker);
}

static uint64_t left_ns(uint64_t start_ns, uint64_t way_ns)
{
    const uint64_t arrival_ns = os_now_ns() + way_ns;
    return arrival_ns < start_ns ? start_ns - arrival_ns : 0;
}

const char *asker_start(struct program *program, struct asker *asker, uint64_t start_ns,
                        uint64_t round_trip_ns)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    if (asker->asked)
        asker_close(asker);
    const char *why = asker->connected ? NULL : asker_connect(program, asker);
    if (why != NULL)
        return why;
    const int bytes = protocol_write_start(program->requests.run,
                                           left_ns(start_ns, round_trip_ns / 2), line, sizeof line);
    assert(bytes > 0);
    int result = net_send_all(asker->handle, line, (size_t)bytes, timeout_ns);
    if (result == 0)
        result = net_read_line(asker->handle, line, sizeof line, timeout_ns);
    if (result == 0 && strcmp(line, "OK") == 0)
        return NULL;
    if (result == 0)
        program_note_refusal(program, asker->server, line);
    asker_close(asker);
    return result == 0 ? REQUEST_REFUSED : attempt_error_name(cp_error_from_errno(result));
}
