/* One zlib stream of a connection: opened when it is first used, inflated into room that the caller
 * bounds. */
#ifndef FANIN_RFB_INFLATER_H
#define FANIN_RFB_INFLATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

struct inflater {
    z_stream stream;
    bool open;
};

void inflater_close(struct inflater *inflater);

/* inflater_reset: the next byte begins a new stream. */
void inflater_reset(struct inflater *inflater);

/* inflater_run: from *data on, of which it takes, into `room` bytes. Returns the bytes written, or
 * a fault (enum rfb_fault). Fewer than `room`: all of *data is taken, and no more comes of it. */
int64_t inflater_run(struct inflater *inflater, const uint8_t **data, size_t *bytes, uint8_t *into,
                     size_t room);

#endif
