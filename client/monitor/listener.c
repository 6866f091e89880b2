/* How screens come: a thread outside of the port accepts them, as in the paper; or accepts are
 * posted on the port; or they are connected to. */
#include <errno.h>
#include <string.h>

#include "client/monitor/monitor.h"

enum {
    BACKLOG = 4096,
    NO_DESCRIPTOR_MS = 50,
    AGAIN_MS = 100, /* a target is tried again after so long, and longer each time */
    AGAIN_MS_MAX = 2000,
};

static const struct net_tuning tuning = {0};

/* ---- a thread -------------------------------------------------------------------------------- */

static void note_error(struct monitor *monitor, int error)
{
    pthread_mutex_lock(&monitor->lock);
    monitor->accept_error = error;
    pthread_mutex_unlock(&monitor->lock);
}

/* The connection still waits where there is no descriptor. */
static void accept_all(struct monitor *monitor)
{
    struct net_address peer;
    intptr_t handle;
    int result;
    while ((result = net_accept(monitor->listener, &tuning, &handle)) == 0) {
        if (net_peer(handle, &peer) == 0)
            monitored_open(monitor, handle, &peer);
        else
            net_close(handle); /* it has gone already */
    }
    if (result != -EAGAIN) {
        note_error(monitor, cp_error_from_errno(result));
        os_sleep_ns((uint64_t)NO_DESCRIPTOR_MS * OS_NS_PER_MS);
    }
}

static void *listen_run(void *argument)
{
    struct monitor *monitor = argument;
    while (!atomic_load(&monitor->stop_listening))
        if (net_wait(monitor->listener, NET_READABLE, (uint64_t)OS_SLICE_MS * OS_NS_PER_MS))
            accept_all(monitor);
    return NULL;
}

/* ---- accepts on the port --------------------------------------------------------------------- */

static int accept_post(struct monitor *monitor, struct acceptor *acceptor)
{
    acceptor->peer.bytes = sizeof acceptor->peer.data;
    return cp_accept(monitor->port_listener, &acceptor->op, (struct sockaddr *)acceptor->peer.data,
                     &acceptor->peer.bytes);
}

/* A failed accept is posted again, too: the port holds it where no descriptor is left. */
void listening_accepted(struct monitor *monitor, struct cp_op *op, int64_t result)
{
    struct acceptor *acceptor = (struct acceptor *)op; /* its first member */
    if (result == 0) {
        net_tune(op->accepted, &tuning);
        monitored_open(monitor, op->accepted, &acceptor->peer);
    } else if (result == CP_EABORTED || result == CP_ECANCELED) {
        return;
    } else {
        note_error(monitor, (int)result);
    }
    accept_post(monitor, acceptor);
}

static int accepts_begin(struct monitor *monitor)
{
    int code = cp_associate(monitor->port, monitor->listener, KEY_ACCEPT, &monitor->port_listener);
    if (code == 0)
        monitor->listener = -1;
    for (unsigned i = 0; i < ACCEPTS_MAX && code == 0; i++)
        code = accept_post(monitor, &monitor->acceptors[i]);
    return code;
}

/* ---- both ------------------------------------------------------------------------------------ */

static bool refuse(struct monitor *monitor, const char *what, const char *why)
{
    char text[NET_TEXT_BYTES];
    monitor_row_skip(monitor->row, "%s %s: %s", what, net_address_text(&monitor->address, text),
                     why);
    return false;
}

bool listening_open(struct monitor *monitor)
{
    if (monitor->options->topology == TOPOLOGY_CONNECT)
        return true;
    int result = net_bind(&monitor->address, &monitor->listener);
    if (result == 0)
        result = net_listen(monitor->listener, BACKLOG, &tuning);
    if (result != 0)
        return refuse(monitor, "--listen: cannot listen on", strerror(-result));
    if (monitor->options->accepts == ACCEPTS_PORT) {
        const int code = accepts_begin(monitor);
        return code == 0 || refuse(monitor, "--accepts port: on", cp_error_text(code));
    }
    result = os_thread_start(&monitor->listener_thread, ROLE_LISTENER, 0, listen_run, monitor);
    monitor->has_listener_thread = result == 0;
    return result == 0 || refuse(monitor, "no thread to listen on", strerror(-result));
}

void listening_close(struct monitor *monitor)
{
    atomic_store(&monitor->stop_listening, true);
    if (monitor->has_listener_thread)
        pthread_join(monitor->listener_thread, NULL);
    monitor->has_listener_thread = false;
    if (monitor->listener >= 0)
        net_close(monitor->listener);
    monitor->listener = -1;
    if (monitor->port_listener.port != NULL)
        cp_socket_close(monitor->port_listener);
}

/* ---- connecting ------------------------------------------------------------------------------ */

void targets_connect(struct monitor *monitor)
{
    const uint64_t now_ms = atomic_load(&monitor->now_ms);
    for (unsigned i = 0; i < monitor->targets.count; i++) {
        pthread_mutex_lock(&monitor->lock);
        const struct target *target = &monitor->target[i];
        const bool due = !target->busy && !target->given_up && now_ms >= target->again_ms &&
                         !monitor->places[i].closed_by_hand;
        pthread_mutex_unlock(&monitor->lock);
        if (due)
            monitored_connect(monitor, (int)i);
    }
}

void targets_over(struct monitor *monitor, int number, bool again)
{
    struct target *target = &monitor->target[number];
    uint64_t wait_ms = (uint64_t)AGAIN_MS << (target->tries < 8 ? target->tries : 8);
    if (wait_ms > AGAIN_MS_MAX)
        wait_ms = AGAIN_MS_MAX;
    target->busy = false;
    target->given_up = !again;
    target->tries++;
    target->again_ms = atomic_load(&monitor->now_ms) + wait_ms;
}
