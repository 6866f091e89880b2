/* Which of this computer's addresses lies in a network. */
#include "mock_servers/network.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "base/options.h"

enum { HOST_BITS = 32, TEXT_BYTES = 32, LIST_BYTES = 160 };

static const char prefix[] = "net:";

static uint32_t mask_of(unsigned bits)
{
    return bits == 0 ? 0 : UINT32_MAX << (HOST_BITS - bits);
}

/* Dotted, without a port. */
static const char *host_text(uint32_t host, char text[NET_TEXT_BYTES])
{
    const struct net_address address = net_ipv4(host, 1);
    net_address_text(&address, text);
    *strrchr(text, ':') = '\0';
    return text;
}

static bool host_parse(const char *text, uint32_t *host)
{
    struct net_address address;
    if (!net_numeric(text, 1, &address) || strcmp(net_family_name(&address), "ipv4") != 0)
        return false;
    *host = net_address_host(&address);
    return true;
}

int network_parse(const char *text, struct network *network, char *why, size_t why_bytes)
{
    char base[TEXT_BYTES], right[NET_TEXT_BYTES], *end = NULL;
    *network = (struct network){.bits = HOST_BITS};
    if (strncmp(text, prefix, strlen(prefix)) != 0) {
        if (host_parse(text, &network->base))
            return 0;
        return why_write(why, why_bytes, "takes an IPv4 address such as 127.0.0.1, or net:CIDR");
    }
    text += strlen(prefix);
    const char *slash = strchr(text, '/');
    snprintf(base, sizeof base, "%.*s", (int)strcspn(text, "/"), text);
    const unsigned long bits = slash == NULL ? ULONG_MAX : strtoul(slash + 1, &end, 10);
    if (bits > HOST_BITS || slash[1] < '0' || slash[1] > '9' || *end != '\0' ||
        !host_parse(base, &network->base))
        return why_write(why, why_bytes, "takes a network such as net:10.1.0.0/16");
    network->bits = (unsigned)bits;
    network->is_network = true;
    if ((network->base & ~mask_of(network->bits)) != 0)
        return why_write(why, why_bytes, "takes net:%s/%lu for the network of that address",
                         host_text(network->base & mask_of(network->bits), right), bits);
    return 0;
}

/* What there is: all, and in the network. */
struct found {
    const struct network *network;
    uint32_t host;
    unsigned count;
    char all[LIST_BYTES], inside[LIST_BYTES];
};

static void name_add(char list[LIST_BYTES], uint32_t host, const char *interface)
{
    char text[NET_TEXT_BYTES];
    const size_t used = strlen(list);
    snprintf(list + used, LIST_BYTES - used, "%s%s%s%s%s", used > 0 ? ", " : "",
             host_text(host, text), *interface != '\0' ? " (" : "", interface,
             *interface != '\0' ? ")" : "");
}

static void found_add(void *context, uint32_t host, const char *interface)
{
    struct found *found = context;
    name_add(found->all, host, interface);
    if ((host & mask_of(found->network->bits)) != found->network->base)
        return;
    name_add(found->inside, host, interface);
    found->host = host;
    found->count++;
}

int network_find(const struct network *network, uint32_t *host, char *why, size_t why_bytes)
{
    struct found found = {.network = network};
    char text[NET_TEXT_BYTES];
    *host = network->base;
    if (!network->is_network)
        return 0;
    host_text(network->base, text);
    const int result = net_own_each(found_add, &found);
    if (result < 0)
        return why_write(why, why_bytes,
                         "--listen net:%s/%u: cannot read this computer's "
                         "addresses: %s",
                         text, network->bits, strerror(-result));
    if (found.count == 0)
        return why_write(why, why_bytes,
                         "--listen net:%s/%u: this computer has no address there; it has %s", text,
                         network->bits, *found.all != '\0' ? found.all : "none at all");
    if (found.count > 1)
        return why_write(why, why_bytes,
                         "--listen net:%s/%u: this computer has several addresses there: %s; name "
                         "one, or a smaller network",
                         text, network->bits, found.inside);
    *host = found.host;
    return 0;
}
