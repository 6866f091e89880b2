/* The processing step of process.h for frames that come in pieces: each piece is checked where it
 * lies, in order, and may go afterwards. The checks, their names and their order are the same.
 *
 * Between its pieces a frame leaves its length, its header and, with VERIFY_FULL, the state of its
 * checksum. Payload is never copied; a header that lies in several pieces is. */
#ifndef FANIN_INCREMENTAL_CHECK_H
#define FANIN_INCREMENTAL_CHECK_H

#include "client/buffers/process.h"

/* Of one stream. Touched by the one thread that processes it. Zeroed before its first use. */
struct incremental_check {
    struct protocol_check *digest; /* NULL: nothing is verified in full */
    uint64_t bytes;                /* of the current frame, so far */
    struct protocol_header header;
    bool is_header; /* the frame began with a header */
    uint8_t begin[PROTOCOL_HEADER_BYTES];
};

/* incremental_check_open: takes what `config` wants checked. 0, or -1 without memory. */
int incremental_check_open(struct incremental_check *check, const struct process_config *config);
void incremental_check_close(struct incremental_check *check);

/* incremental_check_rewind: drops the current frame; the next piece begins a frame. */
void incremental_check_rewind(struct incremental_check *check);

/* incremental_check_feed: the next piece of the stream's frames. `whole`: the current frame ends
 * with it, and is counted on processor and stream if it is correct. Returns FRAME_OK or what is
 * wrong; the stream must not be fed after an error. */
enum frame_error incremental_check_feed(struct incremental_check *check,
                                        struct processor *processor, struct stream *stream,
                                        const uint8_t *piece, size_t bytes, bool whole);

#endif
