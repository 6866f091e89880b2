/* Windows has what POSIX keeps here in one header of its own. */
#include "base/winapi.h"
