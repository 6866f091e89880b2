/* Stands in for a peer whose library this machine did not have when it was built, so that a sweep
 * has a skipped row with the reason instead of a program that is not there. */
#include <stdio.h>

#include "base/options.h"
#include "base/os.h"

int main(int argc, char **argv)
{
    os_writes_fail();
    fprintf(stderr,
            "%s: built without its library: install it (Debian: libuv1-dev, libevent-dev, "
            "libvncserver-dev) and make again\n",
            argc > 0 ? os_path_name(argv[0]) : "fanin-peer");
    return EXIT_MACHINE_CANNOT;
}
