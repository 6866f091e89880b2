/* The protocol between a client and the devices.
 *
 * A client writes ASCII lines; a device answers a line, or frames.
 *
 *   FANIN/1 LOGIN <user> <password>\r\n
 *       -> "OK\r\n", or "NO <reason>\r\n" and the connection is closed.
 *   FANIN/1 GO run=<16 hex> frames=<n> size=<min>..<max> rate=<per second> seed=<n>
 *              source=tape|live marker=<hex bytes> [from=<seq>] [ago=<ns>] [hold=0|1]\r\n
 *       -> `frames` frames, back to back. Then the device waits for another line or for the end.
 *          A client that lost its connection goes on: `from` is the first frame that it still
 *          wants (0 when left out), so that frames from..frames-1 are sent, the same ones that a GO
 *          from 0 would have sent; and the stream is one that began `ago` nanoseconds ago (0 when
 *          left out), so that frames keep the moments at which they were due: what was due
 *          meanwhile goes at once, and is late by its stamp.
 *          With hold=1 the device makes its tape but sends nothing before START for this run, which
 *          comes on another connection; one that comes after that moment begins at once. The
 *          device closes a held connection whose client has finished sending.
 *       -> "NO <reason>\r\n" and close if the line is wrong, a login is wanted and did not come, or
 *          the tape would not fit. A frame never begins with "NO": its first two bytes are digits.
 *   FANIN/1 START run=<16 hex> in=<ns>\r\n
 *       -> "OK\r\n", or "NO <reason>\r\n" and close, as for GO.
 *          All streams of that run in this process that are held begin `in` nanoseconds (at most 60
 *          seconds) after the line's arrival; the schedule of live frames counts from that moment.
 *          The first START of a run counts; later ones are answered and change nothing.
 *          A run that the process does not know yet is started, too; it lasts as for STATS.
 *   FANIN/1 STATS run=<16 hex>\r\n
 *       -> "STATS run=<16 hex> process=<16 hex> connections=<n> frames=<n> bytes=<n> faults=<n>
 *              cpu_ns=<n> first_ns=<n> last_ns=<n>\r\n"
 *          What all devices of the process have handed to their kernel for that run (frame bytes
 *          only, faults' bytes included), how many connections asked for it, how many faults the
 *          devices committed on them after GO, and the CPU time that the process took while it was
 *          sending frames of that run. Of a run that the process does not know: zeros.
 *          first_ns and last_ns: the wall clock, as for TIME, when the first and the last stream of
 *          the run began; 0: none has. A GO with `from` or `ago` above 0 goes on with a stream and
 *          does not count.
 *          A run lasts as long as a connection is open that has sent GO, START or STATS for it
 *          last; the process remembers it until then, and the last 64 that have ended.
 *          `process` is a number that the process chose at its start: another one says that the
 *          devices were started anew, and that what they sent before is forgotten.
 *   FANIN/1 TIME\r\n
 *       -> "TIME wall_ns=<n>\r\n"
 *          The wall clock that frames are stamped by, in nanoseconds since the Unix epoch, read
 *          between the line's arrival and the answer.
 * Words stand one blank apart; fields come in any order, each exactly once ([...]: at most once);
 * hexadecimal is lower case.
 *
 * A frame of `length` bytes (header, payload and end marker together):
 *
 *   0        8        16               32               48                  length-marker   length
 *   | seq    | length | sent_ns        | check          | payload ...       | end marker    |
 *
 * The four header fields are fixed-width hexadecimal text (8, 8, 16, 16 digits) over an alphabet of
 * 16 characters that leaves the marker's first byte out. The payload is pseudo-random, all 256 byte
 * values, mended where it would hold the end marker; its last byte is none of the marker's bytes.
 * So the first occurrence of the marker in a frame is its end, for every marker of 1 to 16 bytes.
 * seq counts from 0, or from the GO's `from`; sent_ns is wall-clock nanoseconds since the Unix
 * epoch at which the frame was *scheduled* to go (live source), or 0 (tape); check is XXH3-64 over
 * the header's first 32 bytes and the payload.
 *
 * The length of frame `seq` is a pure function of (seed, seq, size range):
 * protocol_frame_length. So either side can know every length, and the sum, without sending
 * anything. */
#ifndef FANIN_PROTOCOL_H
#define FANIN_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROTOCOL_HEADER_BYTES = 48,
    PROTOCOL_MARKER_BYTES_MAX = 16,
    PROTOCOL_FRAME_BYTES_MIN = PROTOCOL_HEADER_BYTES + 1 + PROTOCOL_MARKER_BYTES_MAX, /* 65 */
    PROTOCOL_FRAME_BYTES_MAX = 64 << 20,
    PROTOCOL_LINE_BYTES_MAX = 512,   /* of a request or an answer, with its \r\n */
    PROTOCOL_NAME_BYTES_MAX = 64,    /* of a user name or a password: printable, no blanks */
    PROTOCOL_FRAMES_MAX = 100000000, /* of one GO */
};

/* Frames per second of one device, where it is not 0. */
#define PROTOCOL_RATE_MIN 0.001
#define PROTOCOL_RATE_MAX 1000000.0

#define PROTOCOL_TAPE_BYTES_MAX (UINT64_C(1) << 40) /* most that a fleet can be told to hold */

#define PROTOCOL_AGO_NS_MAX UINT64_C(1000000000000000000) /* 31 years */
#define PROTOCOL_IN_NS_MAX  UINT64_C(60000000000)         /* of a START: 60 s */

struct protocol_marker {
    uint8_t bytes[PROTOCOL_MARKER_BYTES_MAX];
    unsigned count; /* 1..PROTOCOL_MARKER_BYTES_MAX */
};

enum protocol_source { PROTOCOL_TAPE, PROTOCOL_LIVE };

struct protocol_go {
    uint64_t run; /* identifies the client's run in STATS; chosen by the client */
    uint64_t frames;
    uint32_t size_min, size_max; /* bytes of a frame, marker included */
    double rate; /* frames per second of this device; 0: as fast as the connection takes */
    uint64_t seed;
    enum protocol_source source;
    struct protocol_marker marker;
    uint64_t from;   /* the first frame wanted, below `frames` */
    uint64_t ago_ns; /* how long ago the stream began, at most PROTOCOL_AGO_NS_MAX */
    bool hold;       /* nothing is sent before START */
};

struct protocol_stats {
    uint64_t run, process, connections, frames, bytes, faults, cpu_ns;
    uint64_t first_ns, last_ns; /* wall clock; 0: no stream has begun */
};

/* Lines. Writers return the line's length (with \r\n) or -1 if it does not fit `line_bytes` (or,
 * of a login, if a name is not 1..64 printable characters without blanks). Readers take a line
 * without its \r\n, NUL-terminated; they return NULL, or a constant text of what is wrong. */
int protocol_write_go(const struct protocol_go *go, char *line, size_t line_bytes);
int protocol_write_login(const char *user, const char *password, char *line, size_t line_bytes);
int protocol_write_start(uint64_t run, uint64_t in_ns, char *line, size_t line_bytes);
int protocol_write_stats_request(uint64_t run, char *line, size_t line_bytes);
int protocol_write_stats(const struct protocol_stats *stats, char *line, size_t line_bytes);
int protocol_write_time_request(char *line, size_t line_bytes);
int protocol_write_time(uint64_t wall_ns, char *line, size_t line_bytes);

enum protocol_request_kind {
    PROTOCOL_LOGIN,
    PROTOCOL_GO,
    PROTOCOL_START,
    PROTOCOL_STATS,
    PROTOCOL_TIME,
};

struct protocol_request {
    enum protocol_request_kind kind;
    struct protocol_go go; /* GO; for START and STATS only go.run */
    uint64_t in_ns; /* START: how long after the line's arrival, at most PROTOCOL_IN_NS_MAX */
    char user[PROTOCOL_NAME_BYTES_MAX + 1], password[PROTOCOL_NAME_BYTES_MAX + 1]; /* LOGIN */
};

const char *protocol_read_request(const char *line, struct protocol_request *request);
const char *protocol_read_stats(const char *line, struct protocol_stats *stats);
const char *protocol_read_time(const char *line, uint64_t *wall_ns);

/* Frames. */

/* protocol_frame_length: bytes of frame `seq`, uniform over size_min..size_max; no state. */
uint32_t protocol_frame_length(uint64_t seed, uint64_t seq, uint32_t size_min, uint32_t size_max);

/* protocol_frames_bytes: bytes of the first `frames` frames of a GO, or more than `limit` as soon
 * as they are known to be more. */
uint64_t protocol_frames_bytes(const struct protocol_go *go, uint64_t frames, uint64_t limit);

/* protocol_frame_write: makes a whole frame in `frame` (length bytes). `seed` picks the payload. */
void protocol_frame_write(uint8_t *frame, uint32_t length, uint32_t seq, uint64_t sent_ns,
                          uint64_t seed, const struct protocol_marker *marker);

struct protocol_header {
    uint32_t seq, length;
    uint64_t sent_ns, check;
};

/* protocol_header_read: decodes the first PROTOCOL_HEADER_BYTES of a frame. 0, or -1 if they are
 * no header for this marker. */
int protocol_header_read(const uint8_t *frame, const struct protocol_marker *marker,
                         struct protocol_header *header);

/* protocol_frame_check: the check value that a frame of `length` bytes should carry. One pass
 * over it. */
uint64_t protocol_frame_check(const uint8_t *frame, uint32_t length,
                              const struct protocol_marker *marker);

/* The same value of a frame that comes in pieces. For each frame: begin with its header
 * (PROTOCOL_HEADER_BYTES), add its payload in order, read the value. */
enum { PROTOCOL_CHECK_BYTES = 640 };                     /* of memory that each takes */
struct protocol_check *protocol_check_open(void);        /* NULL: no memory */
void protocol_check_close(struct protocol_check *check); /* NULL is allowed */
void protocol_check_begin(struct protocol_check *check, const uint8_t *header);
void protocol_check_add(struct protocol_check *check, const uint8_t *payload, size_t bytes);
uint64_t protocol_check_value(const struct protocol_check *check);

#endif
