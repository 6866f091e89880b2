/* The painter needs an X server, which Windows does not have. */
#include "mock_servers/screens/capture/paint.h"

#include "base/options.h"

int paint_run(const struct paint_config *config, char *why, size_t why_bytes)
{
    return why_write(why, why_bytes, "Windows has no X server to paint on");
}
