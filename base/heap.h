/* A binary heap: the item with the smallest key first. Each item is told its place, so that it can
 * leave from anywhere in O(log n). */
#ifndef FANIN_HEAP_H
#define FANIN_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap {
    struct heap_slot {
        uint64_t key;
        void *item;
    } * slots; /* slots[1..count] */
    size_t count, capacity;
    void (*moved)(void *item, size_t place); /* place 0: the item has left */
};

/* heap_reserve: room for `count` items, so that heap_set never fails. 0, or -1 without memory. */
int heap_reserve(struct heap *heap, size_t count);

/* heap_set: puts an item in (place 0), or gives the item at `place` another key. */
void heap_set(struct heap *heap, size_t place, uint64_t key, void *item);

void heap_remove(struct heap *heap, size_t place); /* place 0: nothing happens */

#endif
