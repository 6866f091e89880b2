/* Formats messages for the user. */
#include "mock_servers/lan/failure.h"

#include <stdarg.h>
#include <stdio.h>

int failure_set(struct failure *failure, int result, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return result;
}

void message_print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("fanin-lan: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}
