/* Sockets in slots: taken when a socket opens, released once nothing refers to it. */
#include "cport/port.h"

#include <assert.h>
#include <stdlib.h>

struct cp_socket *slot_at(struct cport *port, uint32_t index)
{
    return &port->chunks[index / SLOTS_PER_CHUNK][index % SLOTS_PER_CHUNK];
}

void slot_free(struct cp_socket *socket)
{
    socket->open = false;
    socket->generation++;
    socket->next_free = socket->port->free_slots;
    socket->port->free_slots = socket;
}

static bool slots_grow(struct cport *port)
{
    if (port->slots == CP_SOCKETS_MAX)
        return false;
    struct cp_socket *chunk = calloc(SLOTS_PER_CHUNK, sizeof *chunk);
    if (!chunk)
        return false;
    port->chunks[port->slots / SLOTS_PER_CHUNK] = chunk;
    for (uint32_t index = SLOTS_PER_CHUNK; index-- > 0;) {
        chunk[index] = (struct cp_socket){.port = port, .index = port->slots + index};
        slot_free(&chunk[index]);
    }
    port->slots += SLOTS_PER_CHUNK;
    return true;
}

struct cp_socket *slot_take(struct cport *port, int family, cp_handle handle, uintptr_t key)
{
    if (!port->free_slots && !slots_grow(port))
        return NULL;
    struct cp_socket *socket = port->free_slots;
    port->free_slots = socket->next_free;
    *socket = (struct cp_socket){.port = port,
                                 .index = socket->index,
                                 .generation = socket->generation,
                                 .open = true,
                                 .family = family,
                                 .handle = handle,
                                 .key = key};
    for (unsigned name = 0; name < DIRECTION_COUNT; name++)
        socket->directions[name].socket = socket;
    return socket;
}

uint64_t socket_token(const struct cp_socket *socket)
{
    return (uint64_t)socket->generation << 32 | socket->index;
}

struct cp_socket *socket_find(struct cport *port, uint64_t token)
{
    uint32_t index = (uint32_t)token;
    if (index >= port->slots)
        return NULL;
    struct cp_socket *socket = slot_at(port, index);
    return socket->open && socket->generation == token >> 32 ? socket : NULL;
}

void slots_free(struct cport *port)
{
    for (uint32_t index = 0; index < port->slots; index += SLOTS_PER_CHUNK)
        free(port->chunks[index / SLOTS_PER_CHUNK]);
}

static bool direction_idle(const struct direction *direction)
{
    return !direction->busy && !direction->started && !direction->ops.first;
}

void socket_release(struct cp_socket *socket)
{
    assert(!socket->open);
    const struct direction *directions = socket->directions;
    if (!direction_idle(&directions[DIRECTION_IN]) || !direction_idle(&directions[DIRECTION_OUT]))
        return;
    if (socket->handle != CP_HANDLE_NONE) {
        socket->port->engine->detach(socket);
        socket->handle = CP_HANDLE_NONE;
    }
    if (!directions[DIRECTION_IN].queued && !directions[DIRECTION_OUT].queued)
        slot_free(socket);
}
