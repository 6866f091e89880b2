/* Stands in for a program whose libraries this machine did not have when it was built, so that a
 * sweep has a skipped row with the reason instead of a program that is not there. */
#include <stdio.h>

#include "base/options.h"
#include "base/os.h"

int main(int argc, char **argv)
{
    os_writes_fail();
    fprintf(
        stderr,
        "%s: built without its libraries: install them (.ci/packages names them) and make again\n",
        argc > 0 ? os_path_name(argv[0]) : "fanin-peer");
    return EXIT_MACHINE_CANNOT;
}
