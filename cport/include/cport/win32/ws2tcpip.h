/* <ws2tcpip.h> for programs that were written for Windows: see <cport/win32.h>. */
#include <cport/win32.h>
