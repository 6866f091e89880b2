/* Chooses a kind of link and opens it. */
#include "mock_servers/lan/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/kinds.h"

/* In the order in which "auto" tries them. */
static const struct link_kind *const kinds[] = {&link_kernel, &link_tun, &link_packet};

enum { KINDS = sizeof kinds / sizeof *kinds, WHY_BYTES = 512, AUTO = 0 };

const char *const link_names[] = {"auto", "kernel", "tun", "packet", NULL};
const char *const link_direction_names[] = {[LINK_UP] = "up", [LINK_DOWN] = "down"};

_Static_assert(sizeof link_names / sizeof *link_names == KINDS + 2, "a name for each kind");

struct link {
    const struct link_kind *kind;
    void *state;
};

static int kind_open(struct link *link, const struct link_request *request,
                     const struct namespaces *namespaces, char *why, size_t why_bytes)
{
    int result = link->kind->open(&link->state, request, namespaces, why, why_bytes);
    bool opened = result == 0;

    for (int side = 0; side < LAN_SIDES && result == 0; side++)
        result = interface_configure(namespaces, side, why, why_bytes);
    if (opened && result < 0)
        link->kind->close(link->state);
    return result;
}

/* A kind that failed may have left an interface. */
static void interfaces_delete(const struct namespaces *namespaces)
{
    char ignored[WHY_BYTES];

    for (int side = 0; side < LAN_SIDES; side++)
        interface_command(namespaces, side, "ip", ignored, sizeof ignored,
                          "link delete " LAN_INTERFACE "\n");
}

struct link *link_open(int name, const struct link_request *request,
                       const struct namespaces *namespaces, char *why, size_t why_bytes)
{
    assert(name >= AUTO && name <= KINDS);
    struct link *link = calloc(1, sizeof *link);
    int first = name == AUTO ? 0 : name - 1, last = name == AUTO ? KINDS - 1 : name - 1;
    size_t used = 0;

    why[0] = '\0';
    for (int i = first; link != NULL && i <= last; i++) {
        char reason[WHY_BYTES] = "";
        link->kind = kinds[i];
        if (kind_open(link, request, namespaces, reason, sizeof reason) == 0)
            return link;
        interfaces_delete(namespaces);
        int more = snprintf(why + used, why_bytes - used, "%s%s: %s", used == 0 ? "" : "; ",
                            kinds[i]->name, reason);
        used += (size_t)more < why_bytes - used ? (size_t)more : why_bytes - used - 1;
    }
    free(link);
    return NULL;
}

int link_start(struct link *link)
{
    return link->kind->start(link->state);
}

const char *link_name(const struct link *link)
{
    return link->kind->name;
}

int link_set_down(struct link *link, bool down)
{
    return link->kind->set_down(link->state, down);
}

void link_read(struct link *link, struct link_figures *figures)
{
    link->kind->read(link->state, figures);
}

void link_close(struct link *link)
{
    if (link == NULL)
        return;
    link->kind->close(link->state);
    free(link);
}
