/* Formats an error message. */
#include "scenarios/sweep/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, const struct place *place, const char *format, ...)
{
    va_list arguments;
    size_t used = 0;

    error->text[0] = '\0';
    if (place != NULL && place->line != 0)
        snprintf(error->text, ERROR_BYTES, "%s:%u: ", place->file, place->line);
    else if (place != NULL)
        snprintf(error->text, ERROR_BYTES, "%s: ", place->file);
    used = strlen(error->text);
    va_start(arguments, format);
    vsnprintf(error->text + used, ERROR_BYTES - used, format, arguments);
    va_end(arguments);
    for (char *at = error->text; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    }
    return -1;
}
