#include "client/collector/workers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/collector/connection.h"
#include "base/os.h"

static void *work(void *argument)
{
    const struct workers *workers = argument;
    struct cp_packet packets[CP_BATCH_MAX];
    for (;;) {
        int count = cp_wait(workers->port, packets, workers->batch, CP_FOREVER);
        if (count == CP_ECLOSED)
            return NULL;
        assert(count >= 0);
        for (int i = 0; i < count; i++)
            connection_complete((struct connection *)packets[i].key, packets[i].op,
                                packets[i].result);
    }
}

int workers_start(struct workers *workers, struct cport *port, unsigned count, unsigned batch)
{
    assert(batch >= 1);
    assert(batch <= CP_BATCH_MAX);
    memset(workers, 0, sizeof *workers);
    workers->port = port;
    workers->batch = batch;
    workers->threads = calloc(count, sizeof *workers->threads);
    if (workers->threads == NULL)
        return -ENOMEM;
    while (workers->count < count) {
        int result =
            os_thread_start(&workers->threads[workers->count], OS_ROLE_WORKER, 0, work, workers);
        if (result != 0)
            return result;
        workers->count++;
    }
    return 0;
}

void workers_join(struct workers *workers)
{
    for (unsigned i = 0; i < workers->count; i++)
        pthread_join(workers->threads[i], NULL);
    free(workers->threads);
    memset(workers, 0, sizeof *workers);
}
