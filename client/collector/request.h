/* What the client sends to each server, and what the server owes for it. All servers share four
 * seeds, so that the devices can share their tapes. */
#ifndef FANIN_COLLECTOR_REQUEST_H
#define FANIN_COLLECTOR_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/collector/options.h"
#include <cport.h>

/* Requests differ in the seed; an idle server's and the flooding one's are kinds of their own. */
enum { REQUEST_SEEDS = 4, REQUEST_IDLE = REQUEST_SEEDS, REQUEST_FLOOD, REQUEST_KINDS };

struct request {
    struct protocol_go go; /* frames 0: the request is --request */
    char text[TEXT_BYTES_MAX + 1];
    size_t bytes;            /* 0: nothing is sent */
    struct stream_goal goal; /* without --frames the most that can be asked */
};

struct request_set {
    bool foreign; /* --request: the servers are not fanin-servers */
    uint64_t run; /* identifies this run to the fleet */
    struct request requests[REQUEST_SEEDS];
    struct request idle;  /* of idle servers: empty */
    struct request flood; /* of server 0 with --flood; bytes 0: none */
    uint64_t idle_percent;
    char login[PROTOCOL_LINE_BYTES_MAX];
    size_t login_bytes; /* 0: no login */
};

/* request_set_fill: writes the requests for `servers` servers. 0, or -1 with `why` if a line is too
 * long, or no device could do what it asks for. */
int request_set_fill(struct request_set *requests, const struct collector_options *options,
                     uint32_t servers, char *why, size_t why_bytes);

/* request_of: the request of server `index`. request_kind: which one that is, and
 * request_of_kind: that one. */
const struct request *request_of(const struct request_set *requests, uint32_t index);
unsigned request_kind(const struct request_set *requests, uint32_t index);
const struct request *request_of_kind(const struct request_set *requests, unsigned kind);

/* request_is_idle: server `index` is connected and not asked. Idle servers are evenly spread; the
 * first server is never idle. request_asked: how many of the first `servers` are not idle. */
bool request_is_idle(const struct request_set *requests, uint32_t index);
uint32_t request_asked(const struct request_set *requests, uint32_t servers);

/* request_again: writes the request for a new connection of a stream that began `ago_ns` ago and
 * continues with frame `from`. Returns its length. A --request is repeated as it is. */
size_t request_again(const struct request *request, uint64_t from, uint64_t ago_ns,
                     char text[TEXT_BYTES_MAX + 1]);

/* request_whole_frames: the number of whole frames in the first `bytes` of the answer; *rest is the
 * part of the next one. Both are 0 if frame lengths are unknown. */
uint64_t request_whole_frames(const struct request *request, uint64_t bytes, uint64_t *rest);

/* request_is_answered: the stream has all that its server owes. */
bool request_is_answered(const struct stream *stream);

/* request_counts_bytes: the stream's receiver counts bytes and does not look for frames. A receiver
 * that looks has found a frame, or a part of one, as soon as there is data. */
bool request_counts_bytes(const struct stream *stream);

/* request_surplus_bytes: what a server that is not ours sent after the last frame asked for. */
uint64_t request_surplus_bytes(const struct request_set *requests, const struct stream *stream);

/* request_end_reason: the error if the server closes now; NULL: its answer, perhaps of unknown
 * length, is complete. */
const char *request_end_reason(const struct request_set *requests, const struct stream *stream);

/* A device says "NO <why>" instead of sending frames. Final, not tried again. */
#define REQUEST_REFUSED "request-refused"

/* What a device says instead of frames, as far as it has come. */
struct refusal {
    size_t bytes;
    char text[PROTOCOL_LINE_BYTES_MAX]; /* ends with a NUL */
};

/* refusal_feed: the next bytes of a connection on which no frame has begun. REFUSAL_NONE: they are
 * no refusal, for no frame begins as one. REFUSAL_PART: more is to come, and *refusal (NULL at
 * first) is the caller's, from malloc. REFUSAL_WHOLE: the text is whole, without its line's end. */
enum refusal_state { REFUSAL_NONE, REFUSAL_PART, REFUSAL_WHOLE };
enum refusal_state refusal_feed(struct refusal **refusal, const void *data, size_t bytes);

/* refusal_name: REQUEST_REFUSED, or what else it is that is no frame and no "NO". */
const char *refusal_name(const struct refusal *refusal);

/* How a login ends, if not with "OK". These names are the same on every engine and in a peer. */
#define LOGIN_REFUSED "login-refused" /* NO: final, not tried again */
#define LOGIN_TIMEOUT "login-timeout" /* no whole answer within --login-timeout */
#define LOGIN_CLOSED  "login-closed"  /* the server closed the connection */
#define LOGIN_RESET   "login-reset"   /* the server reset the connection */
#define LOGIN_GARBAGE "login-garbage" /* an answer that is neither OK nor NO */
#define LOGIN_FAILED  "login-failed"  /* another error of the system */

/* login_verdict: what an answer, a line without its end, means: NULL for "OK", or a name above.
 * login_error: what a portable negative code means during a login; 0: the server closed. */
const char *login_verdict(const char *answer, size_t bytes);
const char *login_error(int code);

/* login_short_name: as the row's login_errors count it: "refused". Other names stay as they are. */
const char *login_short_name(const char *name);

/* request_log_in: logs in over a plain blocking connection, if a login is wanted. Blocks up to
 * twice `timeout_ns`. NULL: accepted, or why not (a name above); `answer` then holds what the
 * server said, up to a NUL in it, "" for nothing. */
const char *request_log_in(const struct request_set *requests, cp_handle handle,
                           uint64_t timeout_ns, char answer[PROTOCOL_LINE_BYTES_MAX]);

#endif
