/* Names and addresses of fanin-lan's sides, and its messages. */
#include "mock_servers/lan/lan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const link_direction_names[] = {[LINK_UP] = "up", [LINK_DOWN] = "down"};

/* Ethernet addresses are locally administered, as the 02 says. */
const struct lan_address lan_addresses[] = {
    {"near", "FANIN_NEAR", "198.18.0.1", "198.18.0.0/16", "02:00:c6:12:00:01"},
    {"far", "FANIN_FAR", "198.19.0.1", "198.19.0.0/16", "02:00:c6:13:00:01"},
};

static char reason[LAN_REASON_BYTES];

bool lan_fail(const char *format, ...)
{
    char text[LAN_REASON_BYTES]; /* the arguments may hold the reason before */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(reason, text, sizeof reason);
    return false;
}

const char *lan_reason(void)
{
    return reason;
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
