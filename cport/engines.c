/* What this build of the port is: its version, and its engines in order of preference. The Makefile
 * names those (ENGINES): it knows the system and which libraries are there. */
#include "cport/engine.h"

unsigned cp_version(void)
{
    return CP_VERSION;
}

#define X(name) extern const struct engine engine_##name;
ENGINES
#undef X

const struct engine *const engines[] = {
#define X(name) &engine_##name,
    ENGINES
#undef X
        NULL,
};
