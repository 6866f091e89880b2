/* Writes the request of each server and computes what the server owes. */
#include "client/collector/request.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "base/os.h"

/* A --request, or `go`. -1: too long for a line. The longest form, which request_again may write,
 * has to fit too. */
static int fill(struct request *request, const struct collector_options *options,
                const struct protocol_go *go)
{
    const struct text_value *text = &options->request.text;
    if (options->request.given) {
        memcpy(request->text, text->data, text->bytes);
        request->bytes = text->bytes;
        request->goal.frames =
            options->frames_per_server > 0 ? options->frames_per_server : UINT64_MAX;
        request->goal.bytes = UINT64_MAX;
        return 0;
    }
    struct protocol_go longest = *go;
    longest.from = go->frames - 1;
    longest.ago_ns = PROTOCOL_AGO_NS_MAX;
    if (protocol_write_go(&longest, request->text, PROTOCOL_LINE_BYTES_MAX) < 0)
        return -1;
    request->go = *go;
    request->bytes = (size_t)protocol_write_go(go, request->text, PROTOCOL_LINE_BYTES_MAX);
    request->goal.frames = go->frames;
    request->goal.bytes = UINT64_MAX;
    if (options->frames_per_server > 0 || go->source == PROTOCOL_TAPE)
        request->goal.bytes = protocol_frames_bytes(go, go->frames, UINT64_MAX);
    return 0;
}

/* What every device would refuse. */
static int check_rate(const struct collector_options *options, uint32_t asked, char *why,
                      size_t why_bytes)
{
    const double each = options->rate / asked;
    if (options->request.given || each == 0 ||
        (each >= PROTOCOL_RATE_MIN && each <= PROTOCOL_RATE_MAX))
        return 0;
    return why_write(
        why, why_bytes,
        "--rate: %.9g frames per second of %u servers are %.9g of each, which can send "
        "%.9g to %.9g: choose a --rate from %.9g to %.9g",
        options->rate, asked, each, PROTOCOL_RATE_MIN, PROTOCOL_RATE_MAX, PROTOCOL_RATE_MIN * asked,
        PROTOCOL_RATE_MAX * asked);
}

static int check_tape(const struct request *request, const char *option, char *why,
                      size_t why_bytes)
{
    if (request->go.source != PROTOCOL_TAPE || request->go.frames == 0 ||
        request->goal.bytes <= PROTOCOL_TAPE_BYTES_MAX)
        return 0;
    return why_write(why, why_bytes,
                     "%s: frames made in advance would take %llu bytes, and no fleet has room for "
                     "more than %llu (--tape-cap): ask for fewer or smaller ones, or for --source "
                     "live",
                     option, (unsigned long long)request->goal.bytes,
                     (unsigned long long)PROTOCOL_TAPE_BYTES_MAX);
}

int request_set_fill(struct request_set *requests, const struct collector_options *options,
                     uint32_t servers, char *why, size_t why_bytes)
{
    memset(requests, 0, sizeof *requests);
    requests->run = os_identity();
    requests->foreign = options->request.given;
    requests->idle_percent = options->idle_percent;
    const uint64_t frames = options->frames_per_server;
    struct protocol_go go = {
        .run = requests->run,
        .frames = frames > 0 ? frames : PROTOCOL_FRAMES_MAX, /* the most that can be asked for */
        .size_min = (uint32_t)options->size_min,
        .size_max = (uint32_t)options->size_max,
        .rate = options->rate / request_asked(requests, servers),
        .source = options->source == SOURCE_LIVE ? PROTOCOL_LIVE : PROTOCOL_TAPE,
        .marker = collector_options_marker(options),
        .hold = options->start == START_TOGETHER,
    };
    int result = 0;
    for (uint32_t i = 0; i < REQUEST_SEEDS && result == 0; i++) {
        go.seed = options->seed + i;
        result = fill(&requests->requests[i], options, &go);
    }
    if (options->flood_frames > 0 && result == 0) {
        go.seed = options->seed;
        go.frames = options->flood_frames;
        go.rate = 0;
        go.source = PROTOCOL_TAPE;
        go.hold = false; /* the others start beside its data */
        result = fill(&requests->flood, options, &go);
    }
    if (result != 0)
        return why_write(why, why_bytes, "the request does not fit a line of %d bytes",
                         PROTOCOL_LINE_BYTES_MAX);
    if (check_rate(options, request_asked(requests, servers), why, why_bytes) != 0 ||
        check_tape(&requests->flood, "--flood", why, why_bytes) != 0)
        return -1;
    for (uint32_t i = 0; i < REQUEST_SEEDS && i < servers; i++)
        if (check_tape(&requests->requests[i], "--frames", why, why_bytes) != 0)
            return -1;
    if (!options->login.given)
        return 0;
    int bytes = protocol_write_login(options->login.user, options->login.password, requests->login,
                                     sizeof requests->login);
    if (bytes < 0)
        return why_write(why, why_bytes, "--login does not fit a line of %d bytes",
                         PROTOCOL_LINE_BYTES_MAX);
    requests->login_bytes = (size_t)bytes;
    return 0;
}

unsigned request_kind(const struct request_set *requests, uint32_t index)
{
    if (request_is_idle(requests, index))
        return REQUEST_IDLE;
    return index == 0 && requests->flood.bytes > 0 ? REQUEST_FLOOD : index % REQUEST_SEEDS;
}

const struct request *request_of_kind(const struct request_set *requests, unsigned kind)
{
    assert(kind < REQUEST_KINDS);
    if (kind < REQUEST_SEEDS)
        return &requests->requests[kind];
    return kind == REQUEST_IDLE ? &requests->idle : &requests->flood;
}

const struct request *request_of(const struct request_set *requests, uint32_t index)
{
    return request_of_kind(requests, request_kind(requests, index));
}

enum { PERCENT = 100 };

bool request_is_idle(const struct request_set *requests, uint32_t index)
{
    const uint64_t asked_percent = PERCENT - requests->idle_percent;
    return index * asked_percent % PERCENT >= asked_percent;
}

/* Server 0, and each at which the sum of percentages passes a multiple of 100. */
uint32_t request_asked(const struct request_set *requests, uint32_t servers)
{
    const uint64_t asked_percent = PERCENT - requests->idle_percent;
    assert(servers > 0);
    return (uint32_t)(1 + (servers - 1) * asked_percent / PERCENT);
}

size_t request_again(const struct request *request, uint64_t from, uint64_t ago_ns,
                     char text[TEXT_BYTES_MAX + 1])
{
    struct protocol_go go = request->go;
    if (go.frames == 0) {
        memcpy(text, request->text, request->bytes);
        return request->bytes;
    }
    assert(from < go.frames);
    go.from = from;
    go.hold = false; /* the others have started, perhaps in a process that is not there any more */
    go.ago_ns = ago_ns < PROTOCOL_AGO_NS_MAX ? ago_ns : PROTOCOL_AGO_NS_MAX;
    int bytes = protocol_write_go(&go, text, PROTOCOL_LINE_BYTES_MAX);
    assert(bytes > 0); /* request_set_fill has written a longer one */
    return (size_t)bytes;
}

uint64_t request_whole_frames(const struct request *request, uint64_t bytes, uint64_t *rest)
{
    const struct protocol_go *go = &request->go;
    uint64_t frames = 0;
    for (; frames < go->frames; frames++) {
        uint32_t length = protocol_frame_length(go->seed, frames, go->size_min, go->size_max);
        if (bytes < length)
            break;
        bytes -= length;
    }
    *rest = go->frames > 0 ? bytes : 0;
    return frames;
}

bool request_is_answered(const struct stream *stream)
{
    return stream->found_frames >= stream->goal->frames ||
           stream->received_bytes >= stream->goal->bytes;
}

bool request_counts_bytes(const struct stream *stream)
{
    return stream->received_bytes > 0 && stream->found_frames == 0 && stream->partial_bytes == 0;
}

uint64_t request_surplus_bytes(const struct request_set *requests, const struct stream *stream)
{
    if (!requests->foreign || stream->found_frames < stream->goal->frames)
        return 0;
    return stream->received_bytes - stream->found_bytes;
}

const char *request_end_reason(const struct request_set *requests, const struct stream *stream)
{
    if (stream->goal->frames > 0 && request_is_answered(stream))
        return NULL;
    if (stream->partial_bytes > 0)
        return frame_error_name(FRAME_TRUNCATED);
    if (requests->foreign && request_counts_bytes(stream))
        return NULL; /* bytes alone do not tell how many frames there were */
    return stream->goal->frames != UINT64_MAX ? "closed-early" : NULL;
}

enum refusal_state refusal_feed(struct refusal **refusal, const void *data, size_t bytes)
{
    assert(bytes > 0);
    if (*refusal == NULL && *(const char *)data == 'N')
        *refusal = calloc(1, sizeof **refusal);
    if (*refusal == NULL)
        return REFUSAL_NONE;
    struct refusal *said = *refusal;
    const size_t room = sizeof said->text - 1 - said->bytes;
    memcpy(said->text + said->bytes, data, bytes < room ? bytes : room);
    said->bytes += bytes < room ? bytes : room;
    char *end = strstr(said->text, "\r\n");
    if (end != NULL)
        *end = '\0';
    return end != NULL || bytes >= room ? REFUSAL_WHOLE : REFUSAL_PART;
}

const char *refusal_name(const struct refusal *refusal)
{
    const bool no = strcmp(refusal->text, "NO") == 0 || strncmp(refusal->text, "NO ", 3) == 0;
    return no ? REQUEST_REFUSED : frame_error_name(FRAME_BAD_HEADER);
}

const char *login_verdict(const char *answer, size_t bytes)
{
    if (bytes == 2 && memcmp(answer, "OK", 2) == 0)
        return NULL;
    const bool no = bytes >= 2 && memcmp(answer, "NO", 2) == 0 && (bytes == 2 || answer[2] == ' ');
    return no ? LOGIN_REFUSED : LOGIN_GARBAGE;
}

const char *login_error(int code)
{
    if (code == 0 || code == CP_ENOTCONN)
        return LOGIN_CLOSED;
    if (code == CP_ERESET)
        return LOGIN_RESET;
    return code == CP_ETIMEDOUT ? LOGIN_TIMEOUT : LOGIN_FAILED;
}

const char *login_short_name(const char *name)
{
    const size_t bytes = strlen("login-");
    return strncmp(name, "login-", bytes) == 0 ? name + bytes : name;
}

const char *request_log_in(const struct request_set *requests, cp_handle handle,
                           uint64_t timeout_ns, char answer[PROTOCOL_LINE_BYTES_MAX])
{
    memset(answer, 0, PROTOCOL_LINE_BYTES_MAX);
    if (requests->login_bytes == 0)
        return NULL;
    int result = net_send_all(handle, requests->login, requests->login_bytes, timeout_ns);
    if (result == 0)
        result = net_read_line(handle, answer, PROTOCOL_LINE_BYTES_MAX - 1, timeout_ns);
    if (result == -EINVAL)
        return LOGIN_GARBAGE;
    return result != 0 ? login_error(cp_error_from_errno(result))
                       : login_verdict(answer, strlen(answer));
}
