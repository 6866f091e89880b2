/* Threads, waiting for their ends, and critical sections, over POSIX threads. */
#include "cport/win32/internal.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct thread {
    struct object object;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_ended, joined;
    pthread_t posix;
    LPTHREAD_START_ROUTINE start;
    LPVOID argument;
};

static struct timespec deadline_of(DWORD milliseconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += milliseconds / 1000;
    at.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

static void thread_destroy(struct object *object)
{
    struct thread *thread = (struct thread *)object;
    if (!thread->joined)
        pthread_detach(thread->posix);
    pthread_cond_destroy(&thread->ended);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}

static struct thread *thread_make(LPTHREAD_START_ROUTINE start, LPVOID argument)
{
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    *thread = (struct thread){.object = {.kind = OBJECT_THREAD, .destroy = thread_destroy},
                              .start = start,
                              .argument = argument};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&thread->lock, NULL);
    return thread;
}

static void *run(void *argument)
{
    struct thread *thread = argument;
    thread->start(thread->argument);
    pthread_mutex_lock(&thread->lock);
    thread->has_ended = true;
    pthread_cond_broadcast(&thread->ended);
    pthread_mutex_unlock(&thread->lock);
    object_leave(&thread->object);
    return NULL;
}

HANDLE CreateThread(void *attributes, SIZE_T stack_bytes, LPTHREAD_START_ROUTINE start,
                    LPVOID argument, DWORD flags, LPDWORD id)
{
    struct thread *thread = NULL;
    HANDLE handle = NULL;
    pthread_attr_t posix;
    fail(attributes || flags != 0 || !start ? ERROR_INVALID_PARAMETER : ERROR_NOT_ENOUGH_MEMORY);
    if (attributes || flags != 0 || !start || !(thread = thread_make(start, argument)))
        return NULL;
    if (!(handle = object_publish(&thread->object))) {
        thread->joined = true;
        thread_destroy(&thread->object);
        return NULL;
    }
    object_use(handle, OBJECT_THREAD); /* the thread's own */
    pthread_attr_init(&posix);
    if (stack_bytes > 0)
        pthread_attr_setstacksize(&posix, stack_bytes); /* too small: the system's size */
    const bool runs = pthread_create(&thread->posix, &posix, run, thread) == 0;
    pthread_attr_destroy(&posix);
    if (!runs) {
        thread->joined = true; /* there is nothing to join */
        object_leave(&thread->object);
        CloseHandle(handle);
        fail(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    if (id)
        *id = (DWORD)(uintptr_t)handle;
    return handle;
}

static DWORD wait_until(HANDLE handle, DWORD milliseconds, const struct timespec *deadline)
{
    struct thread *thread = (struct thread *)object_use(handle, OBJECT_THREAD);
    int code = 0;
    if (!thread) {
        fail(ERROR_INVALID_HANDLE);
        return WAIT_FAILED;
    }
    pthread_mutex_lock(&thread->lock);
    while (!thread->has_ended && code == 0)
        code = milliseconds == INFINITE
                   ? pthread_cond_wait(&thread->ended, &thread->lock)
                   : pthread_cond_timedwait(&thread->ended, &thread->lock, deadline);
    const bool ended = thread->has_ended;
    if (ended && !thread->joined) {
        pthread_join(thread->posix, NULL); /* it has left its port, too */
        thread->joined = true;
    }
    pthread_mutex_unlock(&thread->lock);
    object_leave(&thread->object);
    return ended ? WAIT_OBJECT_0 : WAIT_TIMEOUT;
}

DWORD WaitForSingleObject(HANDLE thread, DWORD milliseconds)
{
    const struct timespec deadline = deadline_of(milliseconds);
    return wait_until(thread, milliseconds, &deadline);
}

DWORD WaitForMultipleObjects(DWORD count, const HANDLE *threads, BOOL all, DWORD milliseconds)
{
    const struct timespec deadline = deadline_of(milliseconds);
    DWORD result = WAIT_OBJECT_0;
    if (count == 0 || !threads || (!all && count > 1)) {
        fail(all || count == 0 ? ERROR_INVALID_PARAMETER : ERROR_NOT_SUPPORTED);
        return WAIT_FAILED;
    }
    for (DWORD index = 0; index < count && result == WAIT_OBJECT_0; index++)
        result = wait_until(threads[index], milliseconds, &deadline);
    return result;
}

DWORD GetCurrentThreadId(void)
{
    return (DWORD)syscall(SYS_gettid);
}

void Sleep(DWORD milliseconds)
{
    const struct timespec deadline = deadline_of(milliseconds);
    while (milliseconds == INFINITE)
        pause();
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) != 0)
        continue;
}

void InitializeCriticalSection(LPCRITICAL_SECTION section)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&section->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void EnterCriticalSection(LPCRITICAL_SECTION section)
{
    pthread_mutex_lock(&section->mutex);
}

BOOL TryEnterCriticalSection(LPCRITICAL_SECTION section)
{
    return pthread_mutex_trylock(&section->mutex) == 0;
}

void LeaveCriticalSection(LPCRITICAL_SECTION section)
{
    pthread_mutex_unlock(&section->mutex);
}

void DeleteCriticalSection(LPCRITICAL_SECTION section)
{
    pthread_mutex_destroy(&section->mutex);
}
