/* Chooses a kind of link and opens it. */
#include "mock_servers/lan/link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/link_kinds.h"

enum { AUTO, KERNEL, TUN, PACKET, NAMES };

/* In the order in which "auto" tries them. */
const char *const link_names[] = {"auto", "kernel", "tun", "packet", NULL};
const char *const link_direction_names[] = {[LINK_UP] = "up", [LINK_DOWN] = "down"};

struct link {
    int name;
    struct link_request request;
    const struct namespaces *namespaces;
    struct user_link *user; /* NULL: the kernel does the work */
};

static int user_open(struct link *link, struct failure *failure)
{
    int ends[LAN_SIDES] = {-1, -1}, result;

    if (link->name == TUN)
        result = tap_ends_open(ends, link->namespaces, failure);
    else
        result = packet_ends_open(ends, link->namespaces, failure);
    if (result == 0) {
        link->user = user_link_open(&link->request, ends, link->namespaces);
        if (link->user != NULL)
            return 0;
        result = failure_set(failure, -ENOMEM, "no memory for its queues");
    }
    for (int side = 0; side < LAN_SIDES; side++)
        if (ends[side] >= 0)
            close(ends[side]);
    return result;
}

static int kind_open(struct link *link, struct failure *failure)
{
    int result = link->name == KERNEL ? kernel_link_open(&link->request, link->namespaces, failure)
                                      : user_open(link, failure);

    for (int side = 0; side < LAN_SIDES && result == 0; side++)
        result = interface_configure(link->namespaces, side, failure);
    return result;
}

/* Of a kind that failed: its thread has not been started. */
static void kind_close(struct link *link)
{
    struct failure ignored;

    if (link->user != NULL)
        user_link_close(link->user);
    link->user = NULL;
    for (int side = 0; side < LAN_SIDES; side++)
        interface_command(link->namespaces, side, "ip", &ignored,
                          "link delete " LAN_INTERFACE "\n");
}

struct link *link_open(int name, const struct link_request *request,
                       const struct namespaces *namespaces, struct failure *failure)
{
    assert(name >= AUTO && name < NAMES);
    struct link *link = calloc(1, sizeof *link);

    if (link == NULL) {
        failure_set(failure, -ENOMEM, "no memory");
        return NULL;
    }
    *link = (struct link){.request = *request, .namespaces = namespaces};
    failure->text[0] = '\0';
    for (int i = KERNEL; i < NAMES; i++) {
        struct failure reason = {""}, before = *failure;
        link->name = i;
        if (name != AUTO && name != i)
            continue;
        if (kind_open(link, &reason) == 0)
            return link;
        kind_close(link);
        failure_set(failure, 0, "%s%s%s: %s", before.text, before.text[0] == '\0' ? "" : "; ",
                    link_names[i], reason.text);
    }
    free(link);
    return NULL;
}

int link_start(struct link *link)
{
    return link->user == NULL ? 0 : user_link_start(link->user);
}

const char *link_name(const struct link *link)
{
    return link_names[link->name];
}

int link_set_down(struct link *link, bool down)
{
    if (link->user == NULL)
        return kernel_link_set_down(&link->request, link->namespaces, down);
    user_link_set_down(link->user, down);
    return 0;
}

void link_read(struct link *link, struct link_figures *figures)
{
    *figures = (struct link_figures){.counted = false};
    if (link->user != NULL)
        user_link_read(link->user, figures);
}

void link_close(struct link *link)
{
    if (link == NULL)
        return;
    if (link->user != NULL)
        user_link_close(link->user);
    free(link);
}
