/*            os_unpark              os_park
 *   NOTIFIED <-------- EMPTY ----------------> PARKED (asleep on the word)
 *      |  ^              ^                       |  |
 *      |  '--------------|-- os_unpark, wakes ---'  |
 *      '---- os_park ----'-------- timeout ---------'
 */
#include "base/parker.h"

#include <assert.h>

#include "base/os.h"

enum { PARKER_EMPTY, PARKER_NOTIFIED, PARKER_PARKED };

static_assert(sizeof(_Atomic uint32_t) == sizeof(uint32_t), "the word is the state itself");

static bool notice_take(struct os_parker *parker)
{
    uint32_t notified = PARKER_NOTIFIED;
    return atomic_compare_exchange_strong_explicit(&parker->state, &notified, PARKER_EMPTY,
                                                   memory_order_acquire, memory_order_relaxed);
}

bool os_park(struct os_parker *parker, uint64_t timeout_ns)
{
    assert(parker);
    if (notice_take(parker))
        return true;
    if (timeout_ns == 0)
        return false;
    uint64_t now_ns = os_now_ns();
    uint64_t deadline_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
    uint32_t empty = PARKER_EMPTY;
    if (!atomic_compare_exchange_strong_explicit(&parker->state, &empty, PARKER_PARKED,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        assert(empty == PARKER_NOTIFIED);
        return notice_take(parker);
    }
    for (;;) {
        bool late = !word_wait(&parker->state, PARKER_PARKED, deadline_ns);
        if (notice_take(parker))
            return true;
        /* A wake that crosses the timeout counts: it must not be lost. */
        if (late)
            return atomic_exchange_explicit(&parker->state, PARKER_EMPTY, memory_order_acquire) ==
                   PARKER_NOTIFIED;
    }
}

void os_unpark(struct os_parker *parker)
{
    assert(parker);
    uint32_t before =
        atomic_exchange_explicit(&parker->state, PARKER_NOTIFIED, memory_order_release);
    if (before == PARKER_PARKED)
        word_wake(&parker->state);
}
