/* The heap against a plain list. */

#include <stdlib.h>

#include "base/heap.h"
#include "base/random.h"
#include "base/tests/test.h"

enum { ITEMS = 200 };

static struct item {
    uint64_t key;
    size_t place;
} items[ITEMS];

static void item_moved(void *item, size_t place)
{
    ((struct item *)item)->place = place;
}

static uint64_t smallest(void)
{
    uint64_t key = UINT64_MAX;
    for (unsigned i = 0; i < ITEMS; i++)
        if (items[i].place != 0 && items[i].key < key)
            key = items[i].key;
    return key;
}

TEST(the_smallest_key_is_first)
{
    struct heap heap = {.moved = item_moved};
    uint64_t seed = 1;
    assert_int_equal(heap_reserve(&heap, ITEMS), 0);
    for (unsigned step = 0; step < 20000; step++) {
        struct item *item = &items[random_next(&seed) % ITEMS];
        if (random_next(&seed) % 4 == 0) {
            heap_remove(&heap, item->place);
            assert_int_equal(item->place, 0);
        } else {
            item->key = random_next(&seed) % 1000;
            heap_set(&heap, item->place, item->key, item);
            assert_ptr_equal(heap.slots[item->place].item, item);
        }
        assert_true((heap.count == 0 ? UINT64_MAX : heap.slots[1].key) == smallest());
    }
    free(heap.slots);
}
