#include "client/buffers/schemes.h"

#include <string.h>

static const struct scheme *const schemes[] = {
    &scheme_fixed, &scheme_ring, &scheme_chain, &scheme_slices, &scheme_mirror, &scheme_drain,
};

const struct scheme *scheme_list(unsigned index)
{
    return index < sizeof schemes / sizeof schemes[0] ? schemes[index] : NULL;
}

const struct scheme *scheme_find(const char *name)
{
    for (unsigned i = 0; scheme_list(i) != NULL; i++)
        if (strcmp(scheme_list(i)->name, name) == 0)
            return scheme_list(i);
    return NULL;
}
