/* The conformance suite's vectors over the scripted engine, which allows one poller: the suite
 * itself runs them over the engines with real sockets. */
#include "cport/tests/conformance/vectors.h"
#include "cport/tests/port_fixture.h"

static void vectors_add(void (*test)(void **state))
{
    for (unsigned index = 0; index < VECTORS; index++)
        test_add((struct CMUnitTest){vectors[index].name, test, NULL, NULL,
                                     (void *)(uintptr_t)&vectors[index]});
}

TEST_ADDED_BY(vectors_add(vector_holds), vector_holds, void **state)
{
    const struct vector *vector = *state;
    struct cport *port = port_of("scripted", vector->limit), *other = port_of("scripted", 1);
    const char *problem = vector_run(vector, port, other);
    cp_free(port);
    cp_free(other);
    if (problem)
        fail_msg("%s", problem);
}
