/* Lists of servers in a file: each entry is a server, or the list is refused in one line that names
 * the file's line. */
#include "base/tests/fuzz.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/mman.h>

#include "client/collector/servers.h"

enum { WHY_BYTES = 1000, PATH_BYTES = 64 };

/* Counts servers as a person would: an entry is what stands between commas and ends of lines, and
 * is not blank or behind a '#'; each is one server, or as many as it says behind a '+'. */
static uint32_t servers_count(const char *text)
{
    uint32_t count = 0;
    bool comment = false, entry = false;
    for (const char *at = strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text; *at != '\0';
         at++) {
        const bool ends = *at == '\n' || *at == '\r';
        comment = !ends && (comment || *at == '#');
        if (ends || comment || *at == ',')
            entry = false;
        else if (!isblank((unsigned char)*at))
            count += !entry, entry = true;
        if (entry && *at == '+')
            count += (uint32_t)strtoul(at + 1, NULL, 10) - 1;
    }
    return count;
}

int fuzz_input(const uint8_t *data, size_t bytes)
{
    char path[PATH_BYTES], why[WHY_BYTES] = "";
    int file = memfd_create("list", 0);
    if (file < 0 || write(file, data, bytes) != (ssize_t)bytes)
        abort();
    snprintf(path, sizeof path, "@/proc/self/fd/%d", file);
    struct collector_options options = {.servers = path, .address = "127.0.0.1"};
    struct servers servers;
    if (servers_read(&servers, &options, why, sizeof why) != 0) {
        assert(strstr(why, path + 1) != NULL && strchr(why, '\n') == NULL);
    } else {
        char *text = fuzz_text(data, bytes);
        assert(servers.count > 0 && servers.count == servers_count(text));
        free(text);
    }
    servers_free(&servers);
    close(file);
    return 0;
}
