#include "mock_servers/lan/link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/kinds.h"

/* In the order in which "auto" tries them. */
static const struct link_kind *const kinds[] = {&link_kernel, &link_tun, &link_packet};

enum { KINDS = sizeof kinds / sizeof *kinds, WHY_BYTES = 256, AUTO = 0 };

const char *const link_names[] = {"auto", "kernel", "tun", "packet", NULL};

_Static_assert(sizeof link_names / sizeof *link_names == KINDS + 2, "a name for each kind");

struct link {
    const struct link_kind *kind;
    void *state;
};

/* Puts another kind's reason behind those that are there. */
static void reason_add(char *why, size_t why_bytes, const struct link_kind *kind,
                       const char *reason)
{
    size_t used = strlen(why);

    snprintf(why + used, why_bytes - used, "%s%s: %s", used == 0 ? "" : "; ", kind->name, reason);
}

static int kind_open(struct link *link, const struct link_request *request,
                     const struct namespaces *namespaces, char *why, size_t why_bytes)
{
    char reason[WHY_BYTES] = "";
    int result = link->kind->open(&link->state, request, namespaces, reason, sizeof reason);

    if (result < 0)
        reason_add(why, why_bytes, link->kind, reason);
    return result;
}

static int sides_address(const struct namespaces *namespaces)
{
    int result = 0;

    for (int side = 0; side < LAN_SIDES && result == 0; side++) {
        namespaces_enter(namespaces, side);
        result = interface_address(side);
    }
    namespaces_enter(namespaces, LAN_NEAR);
    return result;
}

static int link_begin(struct link *link, const struct namespaces *namespaces, char *why,
                      size_t why_bytes)
{
    int result = sides_address(namespaces);

    if (result == 0)
        result = link->kind->start(link->state);
    if (result < 0)
        reason_add(why, why_bytes, link->kind, strerror(-result));
    return result;
}

struct link *link_open(int name, const struct link_request *request,
                       const struct namespaces *namespaces, char *why, size_t why_bytes)
{
    assert(name >= AUTO && name <= KINDS);
    struct link *link = calloc(1, sizeof *link);
    int first = name == AUTO ? 0 : name - 1, last = name == AUTO ? KINDS - 1 : name - 1;
    int result = -1;

    why[0] = '\0';
    if (link == NULL) {
        snprintf(why, why_bytes, "no memory");
        return NULL;
    }
    for (int i = first; i <= last && result < 0; i++) {
        link->kind = kinds[i];
        result = kind_open(link, request, namespaces, why, why_bytes);
    }
    if (result == 0 && link_begin(link, namespaces, why, why_bytes) == 0)
        return link;
    if (result == 0)
        link->kind->close(link->state);
    free(link);
    return NULL;
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
