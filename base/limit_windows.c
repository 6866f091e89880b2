/* Windows has no such limits short of memory itself. */
#include "base/os.h"

#include <assert.h>

bool os_limit_reached(char *text, size_t text_bytes)
{
    assert(text && text_bytes > 0);
    text[0] = '\0';
    return false;
}
