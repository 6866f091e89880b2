/* fanin-client: the program under test. */
#include "client/collector/collector.h"

int main(int argc, char **argv)
{
    return collector_main(argc, argv);
}
