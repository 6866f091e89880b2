/* Boxes of damage. */
#include "base/rfb/damage.h"

/* How many pixels more are shown when the two become one. */
static int64_t cost_of_joining(struct rfb_box one, struct rfb_box other)
{
    return (int64_t)rfb_box_area(rfb_box_join(one, other)) - (int64_t)rfb_box_area(one) -
           (int64_t)rfb_box_area(other);
}

void damage_add(struct damage *damage, struct rfb_box box)
{
    if (rfb_box_area(box) == 0)
        return;
    unsigned best = 0;
    int64_t best_cost = INT64_MAX;
    for (unsigned i = 0; i < damage->count; i++) {
        int64_t cost = cost_of_joining(damage->boxes[i], box);
        if (cost < best_cost) {
            best_cost = cost;
            best = i;
        }
    }
    if (damage->count < DAMAGE_BOXES && best_cost > 0)
        damage->boxes[damage->count++] = box;
    else
        damage->boxes[best] = rfb_box_join(damage->boxes[best], box);
}
