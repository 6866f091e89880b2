/* Keys and pointer from windows to screens, only with --control. What is held when a window loses
 * the keyboard, or at the end, is released. */
#include <string.h>

#include "client/monitor/monitor.h"

/* Under the lock. NULL: nobody takes input there. */
static struct screen *taker(struct monitor *monitor, unsigned place)
{
    struct screen *screen = monitor->places[place].screen;
    const bool takes = screen != NULL && atomic_load(&screen->ready) &&
                       atomic_load(&monitor->phase) < PHASE_AUDITING;
    return takes && monitor->options->control ? screen : NULL;
}

static bool holds(struct place *place, uint32_t keysym, unsigned *at)
{
    for (*at = 0; *at < place->held_count; (*at)++)
        if (place->held[*at] == keysym)
            return true;
    return false;
}

/* Under the lock. False: it is not to be sent, such as the release of a key that went down
 * elsewhere. */
static bool note_key(struct place *place, uint32_t keysym, bool down)
{
    unsigned at;
    const bool held = holds(place, keysym, &at);
    if (down && !held && place->held_count < HELD_MAX)
        place->held[place->held_count++] = keysym;
    else if (!down && held)
        place->held[at] = place->held[--place->held_count];
    else
        return down && held; /* it repeats */
    return true;
}

/* Under the lock. True: it is the first since somebody else had control, or nobody. */
static bool note_control(struct place *place, const struct event *event)
{
    const bool first = !place->controlled;
    place->controlled = true;
    if (first)
        place->keys = place->pointers = 0;
    place->keys += event->is_key;
    place->pointers += !event->is_key;
    return first;
}

static void take_event(struct monitor *monitor, unsigned number, const struct event *event)
{
    struct place *place = &monitor->places[number];
    char name[sizeof place->name] = "";
    pthread_mutex_lock(&monitor->lock);
    struct screen *screen = taker(monitor, number);
    bool first = false;
    if (screen != NULL && (!event->is_key || note_key(place, event->keysym, event->down))) {
        first = note_control(place, event);
        if (!event->is_key)
            place->buttons = event->buttons;
        send_event(screen, event);
        memcpy(name, place->name, sizeof name);
    }
    pthread_mutex_unlock(&monitor->lock);
    if (first)
        journal_write(
            monitor->journal,
            &(struct journal_line){.event = "control", .screen = (int)number, .name = name});
}

static void key(void *context, unsigned screen, uint32_t keysym, bool down)
{
    take_event(context, screen, &(struct event){.is_key = true, .down = down, .keysym = keysym});
}

static void pointer(void *context, unsigned screen, unsigned x, unsigned y, uint8_t buttons)
{
    take_event(context, screen,
               &(struct event){.x = (uint16_t)x, .y = (uint16_t)y, .buttons = buttons});
}

void input_release(struct monitor *monitor, unsigned number)
{
    struct place *place = &monitor->places[number];
    struct screen *screen = place->screen;
    for (unsigned i = 0; i < place->held_count && screen != NULL; i++) {
        place->keys++;
        send_event(screen, &(struct event){.is_key = true, .keysym = place->held[i]});
    }
    place->held_count = 0;
    if (place->buttons != 0 && screen != NULL) {
        place->pointers++;
        send_event(screen, &(struct event){.buttons = 0});
    }
    place->buttons = 0;
}

void input_over(struct monitor *monitor, unsigned number)
{
    struct place *place = &monitor->places[number];
    pthread_mutex_lock(&monitor->lock);
    const bool was = place->controlled;
    const uint64_t keys = place->keys, pointers = place->pointers;
    place->controlled = false;
    pthread_mutex_unlock(&monitor->lock);
    if (was)
        journal_write(monitor->journal, &(struct journal_line){.event = "control-over",
                                                               .screen = (int)number,
                                                               .has_input = true,
                                                               .keys = keys,
                                                               .pointers = pointers});
}

/* ---- windows --------------------------------------------------------------------------------- */

static void focus(struct monitor *monitor, unsigned screen, bool focused)
{
    pthread_mutex_lock(&monitor->lock);
    if (!focused)
        input_release(monitor, screen);
    if (focused)
        credit_focus(&monitor->credit, (int)screen);
    else if (monitor->credit.focused == (int)screen)
        credit_focus(&monitor->credit, CREDIT_NOBODY);
    pthread_mutex_unlock(&monitor->lock);
}

static void unfocused(void *context, unsigned screen)
{
    focus(context, screen, false);
    input_over(context, screen);
}

static void focused(void *context, unsigned screen)
{
    focus(context, screen, true);
}

static void visible(void *context, unsigned number, bool shown)
{
    struct monitor *monitor = context;
    pthread_mutex_lock(&monitor->lock);
    credit_show(&monitor->credit, number, shown);
    asking_changed(monitor);
    pthread_mutex_unlock(&monitor->lock);
}

static void closed(void *context, unsigned number)
{
    struct monitor *monitor = context;
    struct place *place = &monitor->places[number];
    pthread_mutex_lock(&monitor->lock);
    input_release(monitor, number);
    if (!place->closed_by_hand)
        monitor->closed_by_hand++;
    place->closed_by_hand = true;
    if (place->screen != NULL)
        monitored_stop(place->screen, CAUSE_WINDOW);
    pthread_mutex_unlock(&monitor->lock);
    os_unpark(&monitor->main);
}

static void lost(void *context, const char *why)
{
    struct monitor *monitor = context;
    pthread_mutex_lock(&monitor->lock);
    snprintf(monitor->glass_lost, sizeof monitor->glass_lost, "%s", why);
    pthread_mutex_unlock(&monitor->lock);
    os_unpark(&monitor->main);
}

const struct glass_hooks input_hooks = {
    .key = key,
    .pointer = pointer,
    .unfocused = unfocused,
    .focused = focused,
    .visible = visible,
    .closed = closed,
    .lost = lost,
};
