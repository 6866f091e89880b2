/* errno.h with the two socket errors that Windows' own lacks; their values are Winsock's. */
#include_next <errno.h>

#define ESHUTDOWN 10058
#define EHOSTDOWN 10064
