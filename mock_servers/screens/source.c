/* The table of what pictures are made from. */
#include "mock_servers/screens/source.h"

#include <stddef.h>

static const struct source_kind *const kinds[] = {&source_scene};

const struct source_kind *source_list(unsigned index)
{
    return index < sizeof kinds / sizeof *kinds ? kinds[index] : NULL;
}
