/* Milliseconds as nanoseconds. */
#ifndef FANIN_TESTS_MS_H
#define FANIN_TESTS_MS_H

#include <stdint.h>

#include "base/os.h"

static inline uint64_t ms(uint64_t count)
{
    return count * OS_NS_PER_MS;
}

#endif
