/* All screens of the process: opening them, and the loop that serves them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/rfb/tls.h"
#include "mock_servers/screens/session.h"
#include "mock_servers/startup.h"

/* How long the loop waits at most: os_interrupted is checked again, even if the signal was lost. */
static const uint64_t wait_ns_max = 100 * OS_NS_PER_MS;

static int listen_all(struct screens *screens, char *why, size_t why_bytes)
{
    const struct screens_config *config = screens->config;
    for (uint64_t i = 0; i < config->count; i++) {
        const struct net_address address =
            net_address_at(&config->address, 0, (uint16_t)(config->port + i));
        int result = screen_listen(&screens->all[i], &address);
        if (result < 0)
            return startup_cannot_listen(&address, result, why, why_bytes);
    }
    return 0;
}

static int parts_open(struct screens *screens, char *why, size_t why_bytes)
{
    const struct screens_config *config = screens->config;
    list_init(&screens->closed);
    screens->jpeg = jpeg_open();
    screens->faults = calloc(config->count, sizeof *screens->faults);
    screens->all = calloc(config->count, sizeof *screens->all);
    if (loop_open(&screens->loop) < 0 || screens->faults == NULL || screens->all == NULL)
        return why_write(why, why_bytes, "no memory or no descriptor for %llu screens",
                         (unsigned long long)config->count);
    if (faults_spread(&config->faults, config->count, screens->faults, why, why_bytes) < 0)
        return -1;
    for (uint64_t i = 0; i < config->count; i++)
        if (screen_init(&screens->all[i], screens, (unsigned)i) < 0)
            return why_write(why, why_bytes, "no memory");
    if (config->tls_certificate != NULL &&
        !(screens->tls = tls_screen(config->tls_certificate, config->tls_key, why, why_bytes)))
        return -1;
    if (config->source->begin == NULL)
        screens->has_begun = true;
    else
        screens->has_begun = config->source->begin(&screens->loop, config, why, why_bytes) == 0;
    return screens->has_begun ? 0 : -1;
}

struct screens *screens_open(const struct screens_config *config, char *why, size_t why_bytes)
{
    struct screens *screens = calloc(1, sizeof *screens);
    if (screens == NULL) {
        why_write(why, why_bytes, "no memory");
        return NULL;
    }
    screens->config = config;
    int result = parts_open(screens, why, why_bytes);
    if (result == 0 && config->connect == NULL)
        result = listen_all(screens, why, why_bytes);
    if (result == 0 && config->connect != NULL && !(screens->callers = callers_open(screens)))
        result = why_write(why, why_bytes, "no memory");
    if (result == 0)
        return screens;
    screens_close(screens);
    return NULL;
}

static void free_closed(struct screens *screens)
{
    struct list_node *node;
    while ((node = list_first(&screens->closed)) != NULL) {
        list_remove(node);
        session_free(LIST_MEMBER(node, struct session, member));
    }
}

void screens_run(struct screens *screens)
{
    while (!os_interrupted()) {
        loop_round(&screens->loop, wait_ns_max);
        free_closed(screens);
    }
}

void screens_close(struct screens *screens)
{
    for (uint64_t i = 0; screens->all != NULL && i < screens->config->count; i++)
        screen_end(&screens->all[i]);
    free_closed(screens);
    callers_close(screens->callers);
    if (screens->has_begun && screens->config->source->end != NULL)
        screens->config->source->end();
    loop_close(&screens->loop);
    tls_context_close(screens->tls);
    jpeg_close(screens->jpeg);
    free(screens->all);
    free(screens->faults);
    free(screens);
}

int screens_port(const struct screens *screens)
{
    struct net_address address;
    if (screens->config->connect != NULL || screens->config->port > 0)
        return (int)screens->config->port;
    net_local(screens->all[0].listener, &address);
    return net_address_port(&address);
}
