/* Windows has no screens that are programs of others. */
#include "mock_servers/screens/devices.h"

#include "base/options.h"

const struct device_kind *device_list(unsigned index)
{
    return NULL;
}

int device_check(const struct screens_config *config, char *why, size_t why_bytes)
{
    return why_write(why, why_bytes, "--device %s is not for Windows", config->device_name);
}

int device_run(const struct screens_config *config,
               int (*ready)(const struct screens_config *config))
{
    return EXIT_MACHINE_CANNOT;
}
