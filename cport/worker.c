/* Membership of threads in ports. A thread belongs to at most one port, and leaves it when it ends
 * or waits on another. The membership lives as long as the thread; the port may be freed first. So
 * one process-wide lock, taken only on joining and leaving, protects both sides of the relation. */
#include "cport/port.h"

#include <assert.h>
#include <stdlib.h>

static pthread_mutex_t membership = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;
static _Thread_local struct worker *of_thread; /* the same as the key's value, but faster */

/* With the membership lock held. */
static void leave(struct worker *worker)
{
    struct cport *port = worker->port;
    if (!port)
        return;
    struct effects effects = NO_EFFECTS;
    port_lock(port);
    gate_leave(&port->gate, &worker->gate, &effects.gate);
    struct worker **member = &port->members;
    while (*member != worker)
        member = &(*member)->next_member;
    *member = worker->next_member;
    if (port->watcher.next == worker)
        port->watcher.next = worker->next_member;
    port_unlock(port, &effects);
    worker->port = NULL;
}

static void thread_ended(void *value)
{
    pthread_mutex_lock(&membership);
    leave(value);
    pthread_mutex_unlock(&membership);
    of_thread = NULL;
    free(value);
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, thread_ended) == 0;
}

static struct worker *worker_make(void)
{
    pthread_once(&key_once, make_key);
    struct worker *worker = key_made ? calloc(1, sizeof *worker) : NULL;
    if (worker && pthread_setspecific(key, worker) != 0) {
        free(worker);
        worker = NULL;
    }
    return of_thread = worker;
}

struct worker *worker_join(struct cport *port)
{
    struct worker *worker = of_thread ? of_thread : worker_make();
    if (!worker || worker->port == port)
        return worker;
    pthread_mutex_lock(&membership);
    leave(worker);
    worker->port = port;
    port_lock(port);
    worker->next_member = port->members;
    port->members = worker;
    if (port->gate.watched)
        watcher_meets(worker);
    port_unlock(port, &NO_EFFECTS);
    pthread_mutex_unlock(&membership);
    return worker;
}

struct worker *worker_current(const struct cport *port)
{
    return of_thread && of_thread->port == port ? of_thread : NULL;
}

void cp_leave(struct cport *port)
{
    struct worker *worker = worker_current(port);
    if (!worker)
        return;
    pthread_mutex_lock(&membership);
    leave(worker);
    pthread_mutex_unlock(&membership);
}

void workers_forget(struct cport *port)
{
    pthread_mutex_lock(&membership);
    for (struct worker *worker = port->members; worker; worker = worker->next_member) {
        assert(worker->gate.state != GATE_PARKED && worker->gate.state != GATE_POLLING);
        worker->port = NULL;
        worker->gate = (struct gate_worker){0};
    }
    port->members = NULL;
    pthread_mutex_unlock(&membership);
}
