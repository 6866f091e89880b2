#include "scenarios/sweep/complaint.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

int complain(struct complaint *complaint, const struct place *place, const char *format, ...)
{
    va_list arguments;
    size_t used = 0;

    complaint->text[0] = '\0';
    if (place != NULL && place->line != 0)
        snprintf(complaint->text, COMPLAINT_BYTES, "%s:%u: ", place->file, place->line);
    else if (place != NULL)
        snprintf(complaint->text, COMPLAINT_BYTES, "%s: ", place->file);
    used = strlen(complaint->text);
    va_start(arguments, format);
    vsnprintf(complaint->text + used, COMPLAINT_BYTES - used, format, arguments);
    va_end(arguments);
    for (char *at = complaint->text; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    }
    return -1;
}
