/* The processing step of process.h for frames that nobody puts together: pieces are looked at where
 * they lie, in order, and may go when they have been seen. The checks are the same, and so are
 * their names and their order.
 *
 * What is kept of a frame between its pieces: its length, its header, and with VERIFY_FULL
 * the state of its check value. Payload is never copied; a header is that lies in several pieces.
 */
#ifndef FANIN_INCREMENTAL_CHECK_H
#define FANIN_INCREMENTAL_CHECK_H

#include "client/buffers/process.h"

/* Of one stream. Touched by the one thread that processes it. Zeroed before its first use. */
struct incremental_check {
    struct protocol_check *digest; /* NULL: nothing is verified in full */
    uint64_t bytes;                /* of the current frame, seen so far */
    struct protocol_header header;
    bool is_header; /* what the frame began with */
    uint8_t begin[PROTOCOL_HEADER_BYTES];
};

/* incremental_check_open: takes what `config` wants checked. 0, or -1 without memory. */
int incremental_check_open(struct incremental_check *check, const struct process_config *config);
void incremental_check_close(struct incremental_check *check);

/* incremental_check_memory: bytes that incremental_check_open takes. */
uint64_t incremental_check_memory(const struct process_config *config);

/* incremental_check_rewind: the current frame was cut; the next piece is the begin of one. */
void incremental_check_rewind(struct incremental_check *check);

/* incremental_check_feed: the next piece of the stream's frames; `whole`: its current frame ends
 * with it,
 * and is counted on processor and stream if it is in order. FRAME_OK, or what is wrong: nothing
 * more of the stream is to be seen then. */
enum frame_error incremental_check_feed(struct incremental_check *check,
                                        struct processor *processor, struct stream *stream,
                                        const uint8_t *piece, size_t bytes, bool whole);

#endif
