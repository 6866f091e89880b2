/* Windows has what POSIX keeps here in one header of its own. */
#include "base/winapi.h"

#define SHUT_WR   SD_SEND
#define SHUT_RDWR SD_BOTH
