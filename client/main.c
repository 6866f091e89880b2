/* fanin-client: the program under test. */
#include "base/os.h"
#include "client/collector/collector.h"

int main(int argc, char **argv)
{
    os_writes_fail();
    return collector_main(argc, argv);
}
