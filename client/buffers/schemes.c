/* The table of schemes: a new scheme is one file that defines scheme_NAME, and its name here. */
#include <string.h>

#include "client/buffers/scheme.h"

#define SCHEMES(X) X(fixed) X(ring) X(chain) X(slices) X(mirror) X(drain)

#define DECLARE(name) extern const struct scheme scheme_##name;
SCHEMES(DECLARE)

#define ENTRY(name) &scheme_##name,
static const struct scheme *const schemes[] = {SCHEMES(ENTRY)};

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
