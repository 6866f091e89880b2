/* A few seconds of the stress test for each engine, from a seed that is new each time; `make
 * stress` gives it minutes. */
#include "cport/tests/stress/stress.h"

int main(int argc, char **argv)
{
    return stress_main(argc, argv, 3, 1000000);
}
