/* Hosts on Windows: there are none yet; a child with pipes is what is missing (os.h). */
#include "scenarios/sweep/hosts.h"

struct hosts *hosts_start(const struct hosts_request *request, struct error *error)
{
    error_set(error, &request->launcher->place,
              "launcher %s: a sweep on Windows starts no servers on other computers; use Linux",
              request->launcher->name);
    return NULL;
}

void hosts_end(struct hosts *hosts)
{
    (void)hosts;
}
