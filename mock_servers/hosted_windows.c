/* Windows has no launchers that this would serve. */
#include "mock_servers/hosted.h"

#include <errno.h>

int hosted_begin(void)
{
    return -ENOSYS;
}

void hosted_end(int code)
{
}

int hosted_run(struct fleet *fleet, const struct fleet_config *config, const char **end)
{
    return -ENOSYS;
}
