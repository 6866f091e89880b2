/* One screen: listening, calling, its source and those who look at it. */
#include "mock_servers/screens/screen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/screens/session.h"

enum {
    BACKLOG = 128,
    RETRY_NS = 100 * OS_NS_PER_MS,
    UNSENT_BYTES_MAX = 16 << 10, /* in the kernel: what waits there is older than the picture */
    LINES_MAX = 50,
    LINE_BYTES = 512,
    WHY_BYTES = 256,
};

static const struct net_tuning tuning = {.unsent_max_bytes = UNSENT_BYTES_MAX};

void screens_say(struct screens *screens, unsigned number, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    if (screens->config->quiet || screens->lines_said >= LINES_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "fanin-screens: screen %u: %s%s\n", number, line,
            ++screens->lines_said == LINES_MAX ? " (more of such lines are left out)" : "");
}

/* ---- its source ---- */

static void stale(struct source *source)
{
    struct screen *screen = source->context;
    screen->is_stale = true;
    for (struct list_node *node = screen->sessions.after; node != &screen->sessions;
         node = node->after) {
        struct session *session = LIST_MEMBER(node, struct session, member);
        if (session->asked && session->out.bytes == 0)
            session_nudge(session);
    }
}

static void changed(struct source *source, const struct scene_change *change, unsigned stamps)
{
    struct screen *screen = source->context;
    for (struct list_node *node = screen->sessions.after; node != &screen->sessions;
         node = node->after)
        flow_changed(LIST_MEMBER(node, struct session, member), change, stamps);
}

static void resized(struct source *source)
{
    struct screen *screen = source->context;
    for (struct list_node *node = screen->sessions.after; node != &screen->sessions;
         node = node->after)
        flow_resized(LIST_MEMBER(node, struct session, member));
}

static void close_all(struct screen *screen, const struct session *but, enum session_end how)
{
    struct list_node *next;
    for (struct list_node *node = screen->sessions.after; node != &screen->sessions; node = next) {
        struct session *session = LIST_MEMBER(node, struct session, member);
        next = node->after;
        if (session != but)
            session_close(session, how);
    }
}

static void lost(struct source *source, const char *why)
{
    struct screen *screen = source->context;
    screens_say(screen->screens, screen->number, "%s", why);
    close_all(screen, NULL, ENDED_BROKEN);
}

static const struct source_hooks hooks = {stale, changed, resized, lost};

bool screen_look(struct screen *screen)
{
    struct screens *screens = screen->screens;
    const struct screens_config *config = screens->config;
    char why[WHY_BYTES] = "no memory";
    if (screen->source != NULL)
        return true;
    screen->is_stale = false;
    screen->source = config->source->open(&screens->loop, config, screen->number, &hooks, screen,
                                          why, sizeof why);
    if (screen->source == NULL)
        screens_say(screens, screen->number, "no picture: %s", why);
    return screen->source != NULL;
}

void screen_refresh(struct screen *screen)
{
    if (!screen->is_stale)
        return;
    screen->is_stale = false;
    screen->source->kind->refresh(screen->source);
}

/* Three quarters of its size, and back; each second again while somebody looks. */
void screen_resize(struct screen *screen)
{
    const struct picture_size size = screen->screens->config->size;
    if (screen->source == NULL)
        return;
    screen->is_small = !screen->is_small;
    screen->source->kind->resize(screen->source,
                                 screen->is_small ? (size.width * 3 + 3) / 4 : size.width,
                                 screen->is_small ? (size.height * 3 + 3) / 4 : size.height);
    loop_wake_at(&screen->screens->loop, &screen->resizing, os_now_ns() + OS_NS_PER_S);
}

static void handle_resizing(struct handler *handler, unsigned signs)
{
    screen_resize(LIST_MEMBER(handler, struct screen, resizing));
}

/* ---- those who look ---- */

/* Sessions that are still in their handshake do not keep the source. */
void screen_gone(struct screen *screen, enum session_end how)
{
    bool is_seen = false;
    for (struct list_node *node = screen->sessions.after; node != &screen->sessions;
         node = node->after)
        is_seen |= LIST_MEMBER(node, struct session, member)->state >= SESSION_READY;
    if (!is_seen && screen->source != NULL) {
        screen->source->kind->close(screen->source);
        screen->source = NULL;
        screen->is_small = false;
    }
    if (screen->screens->callers != NULL)
        callers_gone(screen->screens->callers, screen, how);
}

void screen_alone(struct screen *screen, const struct session *session)
{
    close_all(screen, session, ENDED_BY_VIEWER);
}

/* ---- listening ---- */

/* Without descriptors or memory it tries again later: no event tells when there are some. */
static void accept_all(struct screen *screen)
{
    intptr_t socket;
    int result;
    while ((result = net_accept(screen->listener, &tuning, &socket)) == 0)
        if (session_open(screen, socket, false) < 0)
            net_close(socket);
    if (result == -EAGAIN) {
        net_watch_again(&screen->handler.watched, NET_READABLE);
        return;
    }
    screens_say(screen->screens, screen->number, "viewers wait: %s", strerror(-result));
    loop_wake_at(&screen->screens->loop, &screen->handler, os_now_ns() + RETRY_NS);
}

static void handle_listener(struct handler *handler, unsigned signs)
{
    struct screen *screen = (struct screen *)handler;
    if (screen->listener >= 0)
        accept_all(screen);
}

int screen_listen(struct screen *screen, const struct net_address *address)
{
    int result = net_bind(address, &screen->listener);
    screen->handler.handle = handle_listener;
    if (result == 0)
        result = net_listen(screen->listener, BACKLOG, &tuning);
    return result < 0 ? result
                      : loop_watch(&screen->screens->loop, &screen->handler, screen->listener);
}

void screen_deafen(struct screen *screen)
{
    if (screen->listener < 0)
        return;
    net_watch_remove(&screen->handler.watched);
    net_close(screen->listener);
    screen->listener = -1;
}

/* ---- calling ---- */

int screen_call(struct screen *screen, const struct net_address *address)
{
    intptr_t socket;
    int result = net_connect_begin(address, &socket);
    if (result < 0)
        return result;
    net_tune(socket, &tuning);
    if (session_open(screen, socket, true) == 0)
        return 0;
    net_close(socket);
    return -ENOMEM;
}

/* ---- opening and closing ---- */

int screen_init(struct screen *screen, struct screens *screens, unsigned number)
{
    *screen = (struct screen){
        .screens = screens,
        .number = number,
        .fault = screens->faults[number],
        .listener = -1,
        .resizing = {.handle = handle_resizing},
    };
    list_init(&screen->sessions);
    int added = loop_add(&screens->loop);
    return loop_add(&screens->loop) < 0 ? -1 : added;
}

void screen_end(struct screen *screen)
{
    if (screen->screens == NULL)
        return;
    close_all(screen, NULL, ENDED_WITH_PROGRAM);
    screen_deafen(screen);
    loop_remove(&screen->screens->loop, &screen->handler);
    loop_remove(&screen->screens->loop, &screen->resizing);
}
