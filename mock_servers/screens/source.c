/* The table of what pictures are made from. */
#include "mock_servers/screens/source.h"

#include <stddef.h>

#include "mock_servers/screens/capture/capture.h"

static const struct source_kind *const kinds[] = {&source_scene};

const struct source_kind *source_list(unsigned index)
{
    enum { COUNT = sizeof kinds / sizeof *kinds };
    return index < COUNT ? kinds[index] : capture_list(index - COUNT);
}
