/* The main() of a test program that needs nothing else. */
#include "base/tests/test.h"

int main(void)
{
    return tests_run(NULL, NULL);
}
