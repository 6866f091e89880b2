/* Events of a glass, kept as lines. */
#include "client/monitor/glass/tests/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"

enum { WAIT_S = 120, LOOK_MS = 5 };

__attribute__((format(printf, 2, 3))) static void add(void *context, const char *format, ...)
{
    struct events *events = context;
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&events->lock);
    if (events->count < EVENTS_MAX)
        vsnprintf(events->lines[events->count++], EVENT_BYTES, format, arguments);
    pthread_mutex_unlock(&events->lock);
    va_end(arguments);
}

static void on_key(void *context, unsigned screen, uint32_t keysym, bool down)
{
    add(context, "key %u 0x%x %s", screen, (unsigned)keysym, down ? "down" : "up");
}

static void on_pointer(void *context, unsigned screen, unsigned x, unsigned y, uint8_t buttons)
{
    add(context, "pointer %u %u %u buttons %u", screen, x, y, buttons);
}

static void on_unfocused(void *context, unsigned screen)
{
    add(context, "unfocused %u", screen);
}

static void on_focused(void *context, unsigned screen)
{
    add(context, "focused %u", screen);
}

static void on_visible(void *context, unsigned screen, bool visible)
{
    add(context, "%s %u", visible ? "visible" : "hidden", screen);
}

static void on_closed(void *context, unsigned screen)
{
    ((struct events *)context)->closed++; /* hooks come on one thread */
    add(context, "closed %u", screen);
}

static void on_lost(void *context, const char *why)
{
    add(context, "lost: %s", why);
}

const struct glass_hooks events_hooks = {on_key,     on_pointer, on_unfocused, on_focused,
                                         on_visible, on_closed,  on_lost};

void events_init(struct events *events)
{
    events->count = events->closed = 0;
    pthread_mutex_init(&events->lock, NULL);
}

static int find(const struct events *events, const char *line)
{
    for (unsigned i = 0; i < events->count; i++) {
        if (strcmp(events->lines[i], line) == 0)
            return (int)i;
    }
    return -1;
}

static bool take(struct events *events, const char *line)
{
    pthread_mutex_lock(&events->lock);
    int at = find(events, line);
    if (at >= 0) {
        events->count -= (unsigned)at + 1;
        memmove(events->lines[0], events->lines[at + 1], (size_t)events->count * EVENT_BYTES);
    }
    pthread_mutex_unlock(&events->lock);
    return at >= 0;
}

static void print(struct events *events, const char *missing)
{
    fprintf(stderr, "no '%s' came, but:\n", missing);
    pthread_mutex_lock(&events->lock);
    for (unsigned i = 0; i < events->count; i++)
        fprintf(stderr, "  %s\n", events->lines[i]);
    pthread_mutex_unlock(&events->lock);
}

bool events_wait(struct events *events, const char *line)
{
    uint64_t end_ns = os_deadline_ns(WAIT_S * (uint64_t)OS_NS_PER_S);
    while (!take(events, line)) {
        if (os_now_ns() > end_ns) {
            print(events, line);
            return false;
        }
        os_sleep_ns(LOOK_MS * (uint64_t)OS_NS_PER_MS);
    }
    return true;
}

bool events_has(struct events *events, const char *line)
{
    pthread_mutex_lock(&events->lock);
    bool has = find(events, line) >= 0;
    pthread_mutex_unlock(&events->lock);
    return has;
}

void events_forget(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    events->count = 0;
    pthread_mutex_unlock(&events->lock);
}
