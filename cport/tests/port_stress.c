/* A stress test of the completion port's law (cport/cport.h), minutes long: `make stress`.
 * test_port_stress is the same for seconds. --help has the options. */
#include "cport/tests/stress/stress.h"

int main(int argc, char **argv)
{
    return stress_main(argc, argv, 120, 1000000000);
}
