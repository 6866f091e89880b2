/* Sockets in slots: taken when a socket opens, released once nothing refers to it. */
#include "cport/port.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct cp_slot *slot_at(struct cport *port, uint32_t index)
{
    return &port->chunks[index / SLOTS_PER_CHUNK][index % SLOTS_PER_CHUNK];
}

static void put_back(struct cport *port, struct cp_slot *slot)
{
    slot->next_free = port->free_slots;
    port->free_slots = slot;
}

void slot_free(struct cp_slot *slot)
{
    struct cport *port = slot->port;
    slot->open = false;
    if (++slot->generation == 0)
        slot->generation = 1;
    pthread_mutex_lock(&port->slots_lock);
    put_back(port, slot);
    pthread_mutex_unlock(&port->slots_lock);
}

static bool slots_grow(struct cport *port)
{
    uint32_t slots = port->slots;
    struct cp_slot *chunk = slots < CP_SOCKETS_MAX ? calloc(SLOTS_PER_CHUNK, sizeof *chunk) : NULL;
    if (!chunk)
        return false;
    for (uint32_t index = SLOTS_PER_CHUNK; index-- > 0;) {
        chunk[index] = (struct cp_slot){.port = port, .index = slots + index, .generation = 1};
        put_back(port, &chunk[index]);
    }
    port->chunks[slots / SLOTS_PER_CHUNK] = chunk;
    port->slots = slots + SLOTS_PER_CHUNK; /* who sees it sees the chunk, too */
    return true;
}

static struct cp_slot *unused_slot(struct cport *port)
{
    pthread_mutex_lock(&port->slots_lock);
    struct cp_slot *slot = port->free_slots || slots_grow(port) ? port->free_slots : NULL;
    if (slot)
        port->free_slots = slot->next_free;
    pthread_mutex_unlock(&port->slots_lock);
    return slot;
}

struct cp_slot *slot_take(struct cport *port, int family, cp_handle handle, uintptr_t key)
{
    struct cp_slot *slot = unused_slot(port);
    if (!slot)
        return NULL;
    slot_lock(slot); /* a late event may look at it; it reads port and index to find the lock */
    memset(&slot->role, 0, sizeof *slot - offsetof(struct cp_slot, role));
    slot->open = true;
    slot->adopted = handle != CP_HANDLE_NONE;
    slot->family = (uint16_t)family;
    slot->handle = handle;
    slot->key = key;
    for (unsigned name = 0; name < DIRECTION_COUNT; name++)
        slot->directions[name].name = (uint8_t)name;
    return slot;
}

uint64_t slot_id(const struct cp_slot *slot)
{
    return (uint64_t)slot->generation << 32 | slot->index;
}

struct cp_slot *slot_find(struct cport *port, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    if (index >= port->slots)
        return NULL;
    struct cp_slot *slot = slot_at(port, index);
    slot_lock(slot);
    if (slot->open && slot->generation == id >> 32)
        return slot;
    slot_leave(slot, &NO_EFFECTS);
    return NULL;
}

void slots_free(struct cport *port)
{
    for (uint32_t index = 0; index < port->slots; index += SLOTS_PER_CHUNK)
        free(port->chunks[index / SLOTS_PER_CHUNK]);
}

static bool direction_idle(const struct direction *direction)
{
    return !direction->busy && !direction->started && !direction->last;
}

bool slot_idle(const struct cp_slot *slot)
{
    return direction_idle(&slot->directions[DIRECTION_IN]) &&
           direction_idle(&slot->directions[DIRECTION_OUT]);
}

void slot_release(struct cp_slot *slot, struct effects *effects)
{
    assert(!slot->open);
    const struct direction *directions = slot->directions;
    if (!slot_idle(slot))
        return;
    if (slot->handle != CP_HANDLE_NONE) {
        assert(effects->closing == CP_HANDLE_NONE);
        effects->closing = slot->handle;
        slot->handle = CP_HANDLE_NONE;
    }
    if (!directions[DIRECTION_IN].queued && !directions[DIRECTION_OUT].queued)
        slot_free(slot);
}
