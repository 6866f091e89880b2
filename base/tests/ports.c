/* Finds ports that are free. */
#include "base/tests/ports.h"

#include "base/net.h"
#include "base/os.h"
#include "base/random.h"
#include "base/tests/test.h"

enum { FIRST = 21000, LAST = 32000, TRIES = 1000 };

static bool is_free(unsigned port)
{
    const struct net_address address = net_ipv4(0x7f000001, (uint16_t)port);
    intptr_t handle;
    if (net_bind(&address, &handle) != 0)
        return false;
    net_close(handle);
    return true;
}

unsigned ports_free(unsigned count)
{
    static uint64_t state;
    if (state == 0)
        state = os_identity();
    for (unsigned i = 0; i < TRIES; i++) {
        const unsigned port = FIRST + (unsigned)(random_next(&state) % (LAST - FIRST - count));
        unsigned found = 0;
        while (found < count && is_free(port + found))
            found++;
        if (found == count)
            return port;
    }
    fail_msg("no %u ports in a row are free from %d to %d", count, FIRST, LAST);
    return 0;
}
