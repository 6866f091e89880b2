/* Frames on both sides of a scheme: found among received bytes, handed to a processor. The same for
 * every scheme that has frames. */
#ifndef FANIN_FRAMES_H
#define FANIN_FRAMES_H

#include "client/buffers/scheme.h"

/* frames_find: searches the stream's next received bytes, piece[0..bytes), bytes > 0, for the end
 * of its current frame. *end: after how many of them the frame ends, with *frame_bytes the frame's
 * length; 0: not here, and all of them belong to the frame. Returns FRAME_OK, or FRAME_OVERLONG or
 * FRAME_SURPLUS: the stream has to end. */
enum frame_error frames_find(const struct scheme_config *config, struct stream *stream,
                             const uint8_t *piece, size_t bytes, size_t *end, size_t *frame_bytes);

/* The rest is the processing side's, for the one thread that processes the stream. */

/* frames_append: a piece of the stream's current frame, in order. Does nothing once the stream has
 * failed. */
void frames_append(struct processor *processor, struct stream *stream,
                   const struct scheme_events *events, const uint8_t *piece, size_t bytes);

/* frames_finish: all pieces of the frame were appended: processes it and notifies the collector if
 * the stream has finished or failed. */
void frames_finish(struct processor *processor, struct stream *stream,
                   const struct scheme_events *events);

/* For threads that process several frames under a lock and notify afterwards. frames_progress: how
 * far the stream is. frames_notify_progress: notifies the collector of what has changed since. */
struct progress {
    uint64_t frames;
    enum frame_error error;
};
struct progress frames_progress(const struct stream *stream);
void frames_notify_progress(struct stream *stream, const struct scheme_events *events,
                            const struct progress *before);

#endif
