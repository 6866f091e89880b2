/* The lines between a client and the devices, as either side reads them: what is read can be
 * written, and means the same when it is read again. */
#include "base/tests/fuzz.h"

#include "base/protocol.h"

static const char *line_end(char *line, int bytes)
{
    assert(bytes > 2 && memcmp(line + bytes - 2, "\r\n", 2) == 0);
    line[bytes - 2] = '\0';
    return line;
}

static void go_check(const struct protocol_go *go)
{
    assert(go->frames >= 1 && go->frames <= PROTOCOL_FRAMES_MAX && go->from <= PROTOCOL_FRAMES_MAX);
    assert(go->size_min >= PROTOCOL_FRAME_BYTES_MIN && go->size_min <= go->size_max);
    assert(go->size_max <= PROTOCOL_FRAME_BYTES_MAX);
    assert(go->rate == 0 || (go->rate >= PROTOCOL_RATE_MIN && go->rate <= PROTOCOL_RATE_MAX));
    assert(go->marker.count >= 1 && go->marker.count <= PROTOCOL_MARKER_BYTES_MAX);
}

static void request_check(const struct protocol_request *request)
{
    struct protocol_request again = {0};
    char line[PROTOCOL_LINE_BYTES_MAX];
    int bytes;
    switch (request->kind) {
    case PROTOCOL_GO:
        go_check(&request->go);
        bytes = protocol_write_go(&request->go, line, sizeof line);
        assert(protocol_read_request(line_end(line, bytes), &again) == NULL);
        assert(again.go.frames == request->go.frames && again.go.run == request->go.run);
        assert(again.go.size_max == request->go.size_max && again.go.rate == request->go.rate);
        assert(again.go.from == request->go.from && again.go.ago_ns == request->go.ago_ns);
        assert(again.go.hold == request->go.hold);
        break;
    case PROTOCOL_LOGIN:
        bytes = protocol_write_login(request->user, request->password, line, sizeof line);
        assert(protocol_read_request(line_end(line, bytes), &again) == NULL);
        assert(strcmp(again.user, request->user) == 0);
        assert(strcmp(again.password, request->password) == 0);
        break;
    case PROTOCOL_START:
        assert(request->in_ns <= PROTOCOL_IN_NS_MAX);
        bytes = protocol_write_start(request->go.run, request->in_ns, line, sizeof line);
        assert(protocol_read_request(line_end(line, bytes), &again) == NULL);
        assert(again.go.run == request->go.run && again.in_ns == request->in_ns);
        break;
    case PROTOCOL_STATS:
        bytes = protocol_write_stats_request(request->go.run, line, sizeof line);
        assert(protocol_read_request(line_end(line, bytes), &again) == NULL);
        assert(again.go.run == request->go.run);
        break;
    case PROTOCOL_TIME:
        bytes = protocol_write_time_request(line, sizeof line);
        assert(protocol_read_request(line_end(line, bytes), &again) == NULL);
        break;
    }
    assert(again.kind == request->kind);
}

static void stats_check(const struct protocol_stats *stats)
{
    struct protocol_stats again;
    char line[PROTOCOL_LINE_BYTES_MAX];
    int bytes = protocol_write_stats(stats, line, sizeof line);
    assert(protocol_read_stats(line_end(line, bytes), &again) == NULL);
    assert(memcmp(&again, stats, sizeof again) == 0);
}

static void time_check(uint64_t wall_ns)
{
    uint64_t again_ns;
    char line[PROTOCOL_LINE_BYTES_MAX];
    int bytes = protocol_write_time(wall_ns, line, sizeof line);
    assert(protocol_read_time(line_end(line, bytes), &again_ns) == NULL);
    assert(again_ns == wall_ns);
}

static void header_check(const uint8_t *data, size_t bytes)
{
    struct protocol_marker marker = {.bytes = "\r\n", .count = 2};
    struct protocol_header header;
    if (bytes >= PROTOCOL_HEADER_BYTES)
        protocol_header_read(data, &marker, &header);
}

int fuzz_input(const uint8_t *data, size_t bytes)
{
    struct protocol_request request = {0};
    struct protocol_stats stats;
    uint64_t wall_ns;
    char *line = fuzz_text(data, bytes);
    if (protocol_read_request(line, &request) == NULL)
        request_check(&request);
    if (protocol_read_stats(line, &stats) == NULL)
        stats_check(&stats);
    if (protocol_read_time(line, &wall_ns) == NULL)
        time_check(wall_ns);
    header_check(data, bytes);
    free(line);
    return 0;
}
