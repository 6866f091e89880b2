/* A stress test of the completion port's law (client/cport.h), minutes long: `make stress`.
 * test_port_stress is the same for seconds. client/tests/trial/program.h has the options. */
#include "client/tests/trial/program.h"

int main(int argc, char **argv)
{
    return stress_main(argc, argv, 120);
}
