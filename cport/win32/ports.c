/* Ports: opening and closing, packets. */
#include "cport/win32/internal.h"

#include <stdlib.h>
#include <time.h>

/* A posted packet. It is taken from its port's store, which is freed with the port: cport drops the
 * packets that nobody took. */
struct post {
    struct cp_op op;
    struct post *next;
    ULONG_PTR key;
    LPOVERLAPPED overlapped;
    DWORD bytes;
};

enum { CHUNK_POSTS = 30 };

struct post_chunk {
    struct post_chunk *next;
    struct post posts[CHUNK_POSTS];
};

/* ---- posts --------------------------------------------------------------------------------- */

static void post_free(struct port *port, struct post *post)
{
    pthread_mutex_lock(&port->lock);
    post->next = port->free_posts;
    port->free_posts = post;
    pthread_mutex_unlock(&port->lock);
}

/* With the lock. */
static void posts_make(struct port *port)
{
    struct post_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return;
    chunk->next = port->chunks;
    port->chunks = chunk;
    for (unsigned index = 0; index < CHUNK_POSTS; index++) {
        chunk->posts[index].next = port->free_posts;
        port->free_posts = &chunk->posts[index];
    }
}

static struct post *post_make(struct port *port)
{
    pthread_mutex_lock(&port->lock);
    if (!port->free_posts)
        posts_make(port);
    struct post *post = port->free_posts;
    if (post)
        port->free_posts = post->next;
    pthread_mutex_unlock(&port->lock);
    return post;
}

BOOL PostQueuedCompletionStatus(HANDLE handle, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped)
{
    struct port *port = port_use(handle);
    if (!port)
        return fail(ERROR_INVALID_HANDLE);
    struct post *post = post_make(port);
    int code = CP_ENOMEM;
    if (post) {
        post->key = key;
        post->overlapped = overlapped;
        post->bytes = bytes;
        code = cp_post(port->cport, &post->op, 0, 0);
        if (code != 0)
            post_free(port, post);
    }
    port_leave(port);
    if (code == 0)
        return TRUE;
    return fail(code == CP_ECLOSED ? ERROR_INVALID_HANDLE : ERROR_NOT_ENOUGH_MEMORY);
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void port_close(struct object *object, HANDLE handle)
{
    struct port *port = (struct port *)object;
    sockets_leave_port(port);
    cp_close(port->cport);
}

static void port_destroy(struct object *object)
{
    struct port *port = (struct port *)object;
    cp_free(port->cport);
    for (struct post_chunk *chunk = port->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    pthread_mutex_destroy(&port->lock);
    free(port);
}

static HANDLE port_make(DWORD concurrency)
{
    const struct cp_config config = {.concurrency = concurrency, .watch = true};
    struct port *port = calloc(1, sizeof *port);
    fail(ERROR_NOT_ENOUGH_MEMORY);
    if (!port)
        return NULL;
    const int code = cp_open(&config, &port->cport, NULL, 0);
    if (code != 0) {
        fail(error_of_status(error_status(code)));
        free(port);
        return NULL;
    }
    pthread_mutex_init(&port->lock, NULL);
    port->object =
        (struct object){.kind = OBJECT_PORT, .close = port_close, .destroy = port_destroy};
    HANDLE handle = object_publish(&port->object);
    if (!handle)
        port_destroy(&port->object);
    return handle;
}

HANDLE CreateIoCompletionPort(HANDLE file, HANDLE existing, ULONG_PTR key, DWORD concurrency)
{
    HANDLE handle = existing;
    if (file == INVALID_HANDLE_VALUE && existing) {
        fail(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    struct port *port = existing ? port_use(existing) : NULL;
    if (port)
        port_leave(port);
    else if (existing)
        fail(ERROR_INVALID_HANDLE);
    if (!existing)
        handle = port_make(concurrency);
    if ((existing && !port) || !handle)
        return NULL;
    const DWORD error =
        file == INVALID_HANDLE_VALUE ? 0 : socket_associate((SOCKET)file, handle, key);
    if (error == 0)
        return handle;
    if (!existing)
        CloseHandle(handle);
    fail(error);
    return NULL;
}

/* ---- taking packets ------------------------------------------------------------------------ */

/* False: the operation goes on, there is no packet yet. */
static bool entry_fill(struct port *port, HANDLE handle, const struct cp_packet *packet,
                       LPOVERLAPPED_ENTRY entry)
{
    if (packet->op->kind == CP_POST) {
        struct post *post = CONTAINING_RECORD(packet->op, struct post, op);
        *entry = (OVERLAPPED_ENTRY){post->key, post->overlapped, STATUS_SUCCESS, post->bytes};
        post_free(port, post);
        return true;
    }
    LPOVERLAPPED overlapped = CONTAINING_RECORD(packet->op, OVERLAPPED, op);
    if (!operation_continue(handle, overlapped, packet->result))
        return false;
    *entry = (OVERLAPPED_ENTRY){overlapped->key, overlapped, overlapped->Internal,
                                (DWORD)overlapped->InternalHigh};
    return true;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* How many entries were filled in; 0: the last error says why none. */
static ULONG take(HANDLE handle, LPOVERLAPPED_ENTRY entries, ULONG max, DWORD milliseconds)
{
    struct cp_packet packets[CP_BATCH_MAX];
    struct port *port = port_use(handle);
    uint64_t left_ns = milliseconds == INFINITE ? CP_FOREVER : milliseconds * (uint64_t)1000000;
    const uint64_t deadline_ns =
        left_ns > 0 && left_ns != CP_FOREVER ? now_ns() + left_ns : left_ns;
    ULONG filled = 0;
    int count = 1;
    if (!port)
        return (ULONG)fail(ERROR_INVALID_HANDLE);
    while (filled == 0 && count > 0) {
        count = cp_wait(port->cport, packets, max < CP_BATCH_MAX ? max : CP_BATCH_MAX, left_ns);
        for (int index = 0; index < count; index++)
            filled += entry_fill(port, handle, &packets[index], &entries[filled]);
        if (filled == 0 && deadline_ns != left_ns) {
            const uint64_t now = now_ns();
            left_ns = now < deadline_ns ? deadline_ns - now : 0;
        }
    }
    port_leave(port);
    if (count == 0)
        fail(WAIT_TIMEOUT);
    else if (count < 0)
        fail(count == CP_ECLOSED ? ERROR_ABANDONED_WAIT_0 : ERROR_NOT_ENOUGH_MEMORY);
    return filled;
}

BOOL GetQueuedCompletionStatus(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED *overlapped,
                               DWORD milliseconds)
{
    OVERLAPPED_ENTRY entry;
    if (!bytes || !key || !overlapped)
        return fail(ERROR_INVALID_PARAMETER);
    *overlapped = NULL;
    if (take(port, &entry, 1, milliseconds) == 0)
        return FALSE;
    *bytes = entry.dwNumberOfBytesTransferred;
    *key = entry.lpCompletionKey;
    *overlapped = entry.lpOverlapped;
    return entry.Internal == STATUS_SUCCESS || fail(error_of_status(entry.Internal));
}

BOOL GetQueuedCompletionStatusEx(HANDLE port, LPOVERLAPPED_ENTRY entries, ULONG count,
                                 PULONG removed, DWORD milliseconds, BOOL alertable)
{
    if (!entries || count == 0 || !removed)
        return fail(ERROR_INVALID_PARAMETER);
    *removed = take(port, entries, count, milliseconds);
    return *removed > 0;
}
