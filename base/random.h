/* splitmix64: random numbers of 64 bits from a state of 64 bits. It passes the usual statistical
 * tests, takes any seed, and is five lines wherever a sequence has to be repeated. */
#ifndef FANIN_RANDOM_H
#define FANIN_RANDOM_H

#include <stdint.h>

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

/* random_mix: every input bit changes every output bit with probability one half. */
static inline uint64_t random_mix(uint64_t value)
{
    value += RANDOM_STEP;
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* random_next: the next number of the sequence that `*state` was the seed of. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t number = random_mix(*state);
    *state += RANDOM_STEP;
    return number;
}

#endif
