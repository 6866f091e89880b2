/* Random decisions that a seed repeats. */
#ifndef FANIN_TRIAL_DICE_H
#define FANIN_TRIAL_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

struct dice {
    uint64_t state;
};

static uint64_t dice_roll(struct dice *dice)
{
    return random_next(&dice->state);
}

static struct dice dice_child(struct dice *dice)
{
    return (struct dice){dice_roll(dice)};
}

static unsigned dice_below(struct dice *dice, unsigned limit)
{
    return (unsigned)(dice_roll(dice) % limit);
}

static unsigned dice_between(struct dice *dice, unsigned least, unsigned most)
{
    return least + dice_below(dice, most - least + 1);
}

static bool dice_chance(struct dice *dice, unsigned percent)
{
    return dice_below(dice, 100) < percent;
}

/* 1..2^bits, each order of magnitude as often as the others. */
static size_t dice_size(struct dice *dice, unsigned bits)
{
    size_t most = (size_t)1 << dice_below(dice, bits + 1);
    return 1 + (size_t)(dice_roll(dice) % most);
}

#endif
