/* Frames on both sides of a scheme, the same for every scheme that has frames, so that only the
 * buffering differs: finding their ends among received bytes; and the processing step, which copies
 * a whole frame into the processing buffer (unless it lies in one piece), checks and counts it. */
#ifndef FANIN_PROCESS_H
#define FANIN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/protocol.h"
#include "client/buffers/work.h"

enum verify { VERIFY_FULL, VERIFY_HEADER, VERIFY_NONE };

/* What is wrong with the data of a connection, which ends it; the texts are the names in rows. */
#define FRAME_ERRORS(X)                                                                            \
    X(OK, "ok")                                                                                    \
    X(OVERLONG, "overlong")   /* longer than the limit without an end marker */                    \
    X(TRUNCATED, "truncated") /* the peer ended inside a frame, or one is shorter than it says */  \
    X(BAD_HEADER, "bad-header") /* not a header */                                                 \
    X(BAD_LENGTH, "bad-length") /* the header says another length */                               \
    X(BAD_CHECK, "bad-check")   /* the checksum differs */                                         \
    X(BAD_ORDER, "bad-order")   /* another sequence number than the next */                        \
    X(SURPLUS, "surplus")       /* data after the last frame asked for */                          \
    X(NO_MEMORY, "no-memory")

#define FRAME_ERROR(name, text) FRAME_##name,
enum frame_error { FRAME_ERRORS(FRAME_ERROR) FRAME_ERROR_COUNT };

const char *frame_error_name(enum frame_error error);

/* A log-linear histogram of latencies, in nanoseconds: a quantile is less than 1 % away from the
 * exact one. 0.5 kB, and as much for each power of two that occurs. Zeroed before its first use. */
enum { LATENCY_OCTAVES = 59 };
struct latency_octave;
struct latency {
    uint64_t count, min_ns, max_ns;
    uint64_t negative; /* frames that by the clocks came before they were sent; not in `count` */
    uint64_t negative_ns_max; /* by how much, at most */
    struct latency_octave *octaves[LATENCY_OCTAVES];
};

/* latency_add: 0, or -1 without memory. latency_move: adds all of `from`, which is empty
 * afterwards. */
int latency_add(struct latency *latency, uint64_t value_ns);
void latency_move(struct latency *into, struct latency *from);
void latency_free(struct latency *latency);

/* latency_quantile_ns: the quantile at `share` (0..1) by nearest rank, never below min_ns nor above
 * max_ns. `count` is not 0. */
uint64_t latency_quantile_ns(const struct latency *latency, double share);

/* The same for all processors of a run. */
struct process_config {
    enum verify verify;
    bool live; /* frames carry their send time, but for a tape's: keep latencies */
    size_t frame_bytes_max;
    struct protocol_marker marker;
    struct work_config work; /* what the application does with each correct frame */
};

struct budget;
struct scheme_config;
struct scheme_events;
struct scheme_figures;
struct stream;

/* frames_find: searches the stream's next received bytes, piece[0..bytes), bytes > 0, for the end
 * of its current frame. *end: after how many of them the frame ends, with *frame_bytes the frame's
 * length; 0: not here, and all of them belong to the frame. Returns FRAME_OK, or FRAME_OVERLONG or
 * FRAME_SURPLUS: the stream has to end. Surplus is an error of our own servers only. */
enum frame_error frames_find(const struct scheme_config *config, struct stream *stream,
                             const uint8_t *piece, size_t bytes, size_t *end, size_t *frame_bytes);

/* frames_end: the server has closed within a frame, and its close ends it: the unfinished frame is
 * found. Returns its length, partial_bytes, which is 1 or more. */
size_t frames_end(struct stream *stream);

/* frames_notify: notifies the collector, once, when the stream has finished or failed. For the one
 * thread that processes the stream, after frames and with no lock held. */
void frames_notify(struct stream *stream, const struct scheme_events *events);

/* One thread's. */
struct processor {
    const struct process_config *config;
    uint8_t *buffer; /* the processing buffer; at most frame_bytes_max, charged to the budget */
    size_t capacity_bytes, filled_bytes;
    struct budget *budget;
    struct incremental_check *spare; /* for the next frame that comes in pieces; NULL: none */
    uint64_t frames, bytes, copied_bytes;
    struct latency latency;
    struct work work;
};

/* processor_init: without a buffer yet. Config and budget outlive the processor. */
void processor_init(struct processor *processor, const struct process_config *config,
                    struct budget *budget);

/* processor_end: frees buffer and spare; counters stay readable, and the processor may be used
 * again. */
void processor_end(struct processor *processor);

/* processor_sum_up: adds what was processed, once the work that is left is done; the latencies move
 * there, and are freed with the figures'. */
void processor_sum_up(struct processor *processor, struct scheme_figures *figures);

/* processor_reserve: makes room for a frame of `bytes`, so that appending it cannot fail. Call it
 * between frames. 0, or -1 without memory. */
int processor_reserve(struct processor *processor, size_t bytes);

/* processor_append: copies a piece of the stream's current frame behind the earlier ones; without
 * memory the stream fails. processor_finish: the frame is whole: checks it, and counts it on both
 * or fails the stream. Neither does anything once the stream has failed. */
void processor_append(struct processor *processor, struct stream *stream, const uint8_t *piece,
                      size_t bytes);
void processor_finish(struct processor *processor, struct stream *stream);

/* processor_work_bytes: the work with bytes that nobody else looks at; processor_settle: what is
 * left of it. process_in_place and incremental_check_feed do it for frames. */
void processor_work_bytes(struct processor *processor, const uint8_t *piece, size_t bytes);
void processor_settle(struct processor *processor);

/* process_in_place: checks and counts a frame that lies whole at `frame`, without a copy. Returns
 * FRAME_OK or what is wrong. */
enum frame_error process_in_place(struct processor *processor, struct stream *stream,
                                  const uint8_t *frame, size_t bytes);

/* The same checks in the same order for a stream whose frames come in pieces: each piece is checked
 * where it lies and may go afterwards. Of a frame's earlier pieces its length, its header and, with
 * VERIFY_FULL, the state of its checksum are kept. Payload is never copied; a header that lies in
 * several pieces is. The work with a piece is done with it, before it is known whether its frame is
 * correct. For the one thread that processes the stream. It exists only while a frame is under way:
 * NULL is a stream between two frames. */
struct incremental_check {
    struct protocol_check *digest; /* NULL: nothing is verified in full */
    uint64_t bytes;                /* of the current frame, so far */
    struct protocol_header header;
    bool is_header; /* the frame began with a header */
    uint8_t begin[PROTOCOL_HEADER_BYTES];
};

/* incremental_check_drop: drops the current frame, if any; the next piece begins a frame. */
void incremental_check_drop(struct incremental_check **check);

/* incremental_check_feed: the next piece of the stream's frames, at least one byte. `whole`: the
 * current frame ends with it, and is counted on processor and stream if it is correct. Returns
 * FRAME_OK or what is wrong; the stream must not be fed after an error. */
enum frame_error incremental_check_feed(struct incremental_check **check,
                                        struct processor *processor, struct stream *stream,
                                        const uint8_t *piece, size_t bytes, bool whole);

/* incremental_check_end: the current frame ended with the last piece. Results as above. */
enum frame_error incremental_check_end(struct incremental_check **check,
                                       struct processor *processor, struct stream *stream);

#endif
