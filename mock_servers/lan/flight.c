#include "mock_servers/lan/flight.h"

#include <assert.h>
#include <errno.h>

#include "base/os.h"
#include "mock_servers/lan/address.h"

enum { ALIGNMENT = 8 };

_Static_assert(sizeof(struct flight_frame) + ALIGNMENT <= ETHERNET_WIRE_EXTRA_BYTES,
               "a frame takes no more room than wire");

static size_t room_bytes(uint32_t frame_bytes)
{
    return sizeof(struct flight_frame) +
           ((size_t)frame_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

int flight_open(struct flight *flight, uint64_t held_bytes_max)
{
    /* Where a frame does not fit at the end it goes to the start, and what it left is unused. */
    size_t unused = room_bytes(ETHERNET_FRAME_BYTES_MAX);

    *flight = (struct flight){.ring_bytes = (size_t)held_bytes_max + unused};
    flight->ring = os_pages_map(flight->ring_bytes);
    return flight->ring == NULL ? -ENOMEM : 0;
}

void flight_close(struct flight *flight)
{
    if (flight->ring != NULL)
        os_pages_unmap(flight->ring, flight->ring_bytes);
    *flight = (struct flight){0};
}

static struct flight_frame *frame_at(const struct flight *flight, size_t offset)
{
    return (struct flight_frame *)(flight->ring + offset);
}

static bool place_find(struct flight *flight, size_t room)
{
    if (flight->count == 0) /* from the start again: that is where the cache is warm */
        flight->first = flight->end = flight->wrapped_at = 0;
    if (flight->wrapped_at > 0)
        return flight->end + room <= flight->first;
    if (flight->end + room <= flight->ring_bytes)
        return true;
    if (room > flight->first)
        return false;
    flight->wrapped_at = flight->end;
    flight->end = 0;
    return true;
}

struct flight_frame *flight_put(struct flight *flight, uint32_t bytes)
{
    assert(bytes > 0);
    size_t room = room_bytes(bytes);

    if (!place_find(flight, room))
        return NULL;
    struct flight_frame *frame = frame_at(flight, flight->end);
    frame->bytes = bytes;
    flight->end += room;
    flight->count++;
    return frame;
}

struct flight_frame *flight_first(const struct flight *flight)
{
    return flight->count == 0 ? NULL : frame_at(flight, flight->first);
}

struct flight_frame *flight_next(const struct flight *flight, const struct flight_frame *frame)
{
    size_t offset = (size_t)((const uint8_t *)frame - flight->ring) + room_bytes(frame->bytes);

    if (flight->wrapped_at > 0 && offset == flight->wrapped_at)
        return frame_at(flight, 0);
    return offset == flight->end ? NULL : frame_at(flight, offset);
}

void flight_take(struct flight *flight)
{
    assert(flight->count > 0);
    flight->first += room_bytes(flight_first(flight)->bytes);
    if (flight->first == flight->wrapped_at)
        flight->first = flight->wrapped_at = 0;
    flight->count--;
}
