/* A binary heap in an array: the children of i are 2i and 2i + 1. */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

int heap_reserve(struct heap *heap, size_t count)
{
    if (count <= heap->capacity)
        return 0;
    size_t capacity = 2 * count;
    struct heap_slot *slots = realloc(heap->slots, (capacity + 1) * sizeof *slots);
    if (slots == NULL)
        return -1;
    heap->slots = slots;
    heap->capacity = capacity;
    return 0;
}

static void put(struct heap *heap, size_t place, struct heap_slot slot)
{
    heap->slots[place] = slot;
    heap->moved(slot.item, place);
}

/* Puts the slot at `place` or where the order wants it, above or below. */
static void sift(struct heap *heap, size_t place, struct heap_slot slot)
{
    for (; place > 1 && heap->slots[place / 2].key > slot.key; place /= 2)
        put(heap, place, heap->slots[place / 2]);
    for (size_t child; (child = 2 * place) <= heap->count; place = child) {
        if (child < heap->count && heap->slots[child + 1].key < heap->slots[child].key)
            child++;
        if (heap->slots[child].key >= slot.key)
            break;
        put(heap, place, heap->slots[child]);
    }
    put(heap, place, slot);
}

void heap_set(struct heap *heap, size_t place, uint64_t key, void *item)
{
    assert(place <= heap->count && heap->count <= heap->capacity);
    if (place == 0) {
        assert(heap->count < heap->capacity);
        place = ++heap->count;
    }
    sift(heap, place, (struct heap_slot){key, item});
}

void heap_remove(struct heap *heap, size_t place)
{
    if (place == 0)
        return;
    assert(place <= heap->count);
    heap->moved(heap->slots[place].item, 0);
    struct heap_slot last = heap->slots[heap->count--];
    if (place <= heap->count)
        sift(heap, place, last);
}
