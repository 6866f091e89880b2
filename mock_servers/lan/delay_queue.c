/* Frames on their way: a ring of bytes. */
#include "mock_servers/lan/delay_queue.h"

#include <assert.h>
#include <errno.h>

#include "base/os.h"
#include "mock_servers/lan/lan.h"

enum { ALIGNMENT = 8, FRAME_BYTES_MASK = 0x7ff };

_Static_assert(sizeof(struct queued_frame) + ALIGNMENT <= ETHERNET_WIRE_EXTRA_BYTES,
               "a frame takes no more room than wire");

static size_t room_bytes(uint32_t frame_bytes)
{
    return sizeof(struct queued_frame) +
           ((size_t)frame_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

int delay_queue_open(struct delay_queue *queue, uint64_t held_bytes_max)
{
    /* A frame that does not fit at the end goes to the start, and leaves that much unused. */
    size_t unused = room_bytes(ETHERNET_FRAME_BYTES_MAX);

    *queue = (struct delay_queue){.ring_bytes = (size_t)held_bytes_max + unused};
    queue->ring = os_pages_map(queue->ring_bytes);
    return queue->ring == NULL ? -ENOMEM : 0;
}

void delay_queue_close(struct delay_queue *queue)
{
    if (queue->ring != NULL)
        os_pages_unmap(queue->ring, queue->ring_bytes);
    *queue = (struct delay_queue){0};
}

static struct queued_frame *frame_at(const struct delay_queue *queue, size_t offset)
{
    return (struct queued_frame *)(queue->ring + offset);
}

static bool place_find(struct delay_queue *queue, size_t room)
{
    if (queue->count == 0) /* start again where the cache is warm */
        queue->first = queue->end = queue->wrapped_at = 0;
    if (queue->wrapped_at > 0)
        return queue->end + room <= queue->first;
    if (queue->end + room <= queue->ring_bytes)
        return true;
    if (room > queue->first)
        return false;
    queue->wrapped_at = queue->end;
    queue->end = 0;
    return true;
}

struct queued_frame *delay_queue_put(struct delay_queue *queue, uint32_t bytes)
{
    assert(bytes > 0 && bytes <= ETHERNET_FRAME_BYTES_MAX);
    size_t room = room_bytes(bytes);

    if (!place_find(queue, room))
        return NULL;
    struct queued_frame *frame = frame_at(queue, queue->end);
    *frame = (struct queued_frame){.bytes = bytes & FRAME_BYTES_MASK};
    queue->end += room;
    queue->count++;
    return frame;
}

struct queued_frame *delay_queue_first(const struct delay_queue *queue)
{
    return queue->count == 0 ? NULL : frame_at(queue, queue->first);
}

struct queued_frame *delay_queue_next(const struct delay_queue *queue,
                                      const struct queued_frame *frame)
{
    size_t offset = (size_t)((const uint8_t *)frame - queue->ring) + room_bytes(frame->bytes);

    if (queue->wrapped_at > 0 && offset == queue->wrapped_at)
        return frame_at(queue, 0);
    return offset == queue->end ? NULL : frame_at(queue, offset);
}

void delay_queue_pop(struct delay_queue *queue)
{
    assert(queue->count > 0);
    queue->first += room_bytes(delay_queue_first(queue)->bytes);
    if (queue->first == queue->wrapped_at)
        queue->first = queue->wrapped_at = 0;
    queue->count--;
}
