/* Why a port cannot be had, and the file that says that all is ready. */
#include "mock_servers/startup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/options.h"
#include "base/os.h"

enum { LIMIT_BYTES = 192 };

/* `limit` holds the text where a limit is the reason. */
static const char *advice(int error, char *limit, size_t limit_bytes)
{
    if (error != EADDRNOTAVAIL && os_limit_met(-error, limit, limit_bytes))
        return limit;
    switch (error) {
    case EADDRINUSE:
        return "the port is in use; choose another --port, or end the program that listens there";
    case EADDRNOTAVAIL:
        return "this computer does not have that address; see --listen";
    case EACCES:
        return "ports below 1024 need privileges; choose a higher --port";
    case ENOENT:
        return "the kernel has no such congestion control; see --congestion and sysctl "
               "net.ipv4.tcp_available_congestion_control";
    default:
        return strerror(error);
    }
}

int startup_cannot_listen(const struct net_address *address, int error, char *why, size_t why_bytes)
{
    char text[NET_TEXT_BYTES], limit[LIMIT_BYTES];
    return why_write(why, why_bytes, "cannot listen on %s: %s", net_address_text(address, text),
                     advice(-error, limit, sizeof limit));
}

int startup_ready(const char *path, int port, uint64_t count)
{
    struct draft draft;
    int result = draft_open(&draft, path);
    if (result != 0)
        return result;
    fprintf(draft.out, "%ld %d %llu\n", (long)getpid(), port, (unsigned long long)count);
    return draft_close(&draft, 0);
}
