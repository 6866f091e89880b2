/* Frames on both sides of a scheme: found among received bytes, handed to a processor. The same for
 * every scheme that has frames. */
#ifndef FANIN_FRAMES_H
#define FANIN_FRAMES_H

#include "client/buffers/scheme.h"

/* frames_find: takes the stream's next received bytes, piece[0..bytes), bytes > 0, and looks for
 * the end of its current frame. *end says after how many of them it ended, with *frame_bytes the
 * frame's length; 0: not here, and all of them belong to the frame. Returns FRAME_OK, or
 * FRAME_OVERLONG or FRAME_SURPLUS: the stream has to end. */
enum frame_error frames_find(const struct scheme_config *config, struct stream *stream,
                             const uint8_t *piece, size_t bytes, size_t *end, size_t *frame_bytes);

/* frames_notify_progress: what processing has come to since the stream had processed `frames` and
 * had `error`,
 * for those that process several frames under a lock and tell afterwards. */
void frames_notify_progress(struct stream *stream, const struct scheme_events *events,
                            uint64_t frames, enum frame_error error);

/* frames_rewind: the stream's unfinished frame has never begun. */
void frames_rewind(struct stream *stream);

/* The rest is the processing side's, one thread's per stream. */

/* frames_append: a piece of the stream's current frame, in order. Nothing once the stream has
 * failed. */
void frames_append(struct processor *processor, struct stream *stream,
                   const struct scheme_events *events, const uint8_t *piece, size_t bytes);

/* frames_finish: the frame whose pieces were appended is whole: processes it and tells the
 * collector what that means for the stream. */
void frames_finish(struct processor *processor, struct stream *stream,
                   const struct scheme_events *events);

#endif
