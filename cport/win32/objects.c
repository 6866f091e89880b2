/* The table of handles, and what closes them. A handle has its slot's index and how often the slot
 * was used, so that a stale one names nothing; a bit beyond every descriptor tells it from a
 * socket. */
#include "cport/win32/internal.h"

#include <stdatomic.h>

enum { SLOTS_MAX = 4096, HANDLE_BIT = 1 << 30, USES_MAX = HANDLE_BIT / SLOTS_MAX };

/* Each in a cache line of its own: every call on a port counts in and out here. */
struct slot {
    _Alignas(64) atomic_uint users; /* the handle, calls under way, and calls by stale handles */
    atomic_uintptr_t handle;        /* 0: none */
    atomic_bool closing;            /* the last user destroys the object */
    unsigned uses;
    struct object *object;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of object while no handle names it */
static struct slot slots[SLOTS_MAX];

HANDLE object_publish(struct object *object)
{
    pthread_mutex_lock(&lock);
    unsigned index = 0;
    while (index < SLOTS_MAX && slots[index].object)
        index++;
    struct slot *slot = index < SLOTS_MAX ? &slots[index] : NULL;
    uintptr_t handle = 0;
    if (slot) {
        slot->uses = (slot->uses + 1) % USES_MAX;
        slot->object = object;
        object->slot = slot;
        handle = HANDLE_BIT | (uintptr_t)slot->uses * SLOTS_MAX | index;
        atomic_fetch_add(&slot->users, 1);
        atomic_store(&slot->handle, handle);
    }
    pthread_mutex_unlock(&lock);
    return (HANDLE)handle;
}

static void slot_leave(struct slot *slot)
{
    if (atomic_fetch_sub(&slot->users, 1) != 1 || !atomic_exchange(&slot->closing, false))
        return;
    slot->object->destroy(slot->object);
    pthread_mutex_lock(&lock);
    slot->object = NULL;
    pthread_mutex_unlock(&lock);
}

static struct slot *slot_of(HANDLE handle)
{
    return &slots[(uintptr_t)handle % SLOTS_MAX];
}

struct object *object_use(HANDLE handle, enum object_kind kind)
{
    struct slot *slot = slot_of(handle);
    if (!handle)
        return NULL;
    atomic_fetch_add(&slot->users, 1); /* before the look: the closer counts down after its own */
    if (atomic_load(&slot->handle) == (uintptr_t)handle && slot->object->kind == kind)
        return slot->object;
    slot_leave(slot);
    return NULL;
}

void object_leave(struct object *object)
{
    slot_leave(object->slot);
}

/* Takes the handle away from calls to come; its user is the caller's. NULL: no such handle. */
static struct object *withdraw(HANDLE handle)
{
    struct slot *slot = slot_of(handle);
    uintptr_t expected = (uintptr_t)handle;
    if (!handle || !atomic_compare_exchange_strong(&slot->handle, &expected, 0))
        return NULL;
    atomic_store(&slot->closing, true);
    return slot->object;
}

BOOL CloseHandle(HANDLE handle)
{
    struct object *object = withdraw(handle);
    if (object) {
        if (object->close)
            object->close(object, handle);
        object_leave(object);
        return TRUE;
    }
    return closesocket((SOCKET)handle) == 0 || fail(ERROR_INVALID_HANDLE);
}
