/* The processing step of process.h for frames that nobody puts together: pieces are looked at where
 * they lie, in order, and may go when they have been seen. The checks are the same, and so are
 * their names and their order.
 *
 * What is kept of a frame between its pieces: its length, its header, and with VERIFY_FULL
 * the state of its check value. Payload is never copied; a header is that lies in several pieces.
 */
#ifndef FANIN_INSPECTION_H
#define FANIN_INSPECTION_H

#include "client/buffers/process.h"

/* Of one stream. Touched by the one thread that processes it. Zeroed before its first use. */
struct inspection {
    struct protocol_check *check; /* NULL: nothing is verified in full */
    uint64_t bytes;               /* of the current frame, seen so far */
    struct protocol_header header;
    bool is_header; /* what the frame began with */
    uint8_t begin[PROTOCOL_HEADER_BYTES];
};

/* inspection_open: takes what `config` wants checked. 0, or -1 without memory. */
int inspection_open(struct inspection *inspection, const struct process_config *config);
void inspection_close(struct inspection *inspection);

/* inspection_memory: bytes that inspection_open takes. */
uint64_t inspection_memory(const struct process_config *config);

/* inspection_rewind: the current frame was cut; the next piece is the begin of one. */
void inspection_rewind(struct inspection *inspection);

/* inspection_see: the next piece of the stream's frames; `whole`: its current frame ends with it,
 * and is counted on processor and stream if it is in order. FRAME_OK, or what is wrong: nothing
 * more of the stream is to be seen then. */
enum frame_error inspection_see(struct inspection *inspection, struct processor *processor,
                                struct stream *stream, const uint8_t *piece, size_t bytes,
                                bool whole);

#endif
