/* The audit: when the scenes stop, what is shown equals what each screen has, and all input that
 * was sent was seen (base/rfb/protocol.h). */
#include <inttypes.h>
#include <string.h>

#include "client/monitor/monitor.h"

enum { STILL_MS = 500, PATIENCE_MS = 5000, HURRY_MS = 10000, LOOK_MS = 20 };

/* ---- the wait ---- */

static bool is_past(uint64_t now_ns, uint64_t from_ns, unsigned ms)
{
    return now_ns - from_ns > ms * (uint64_t)OS_NS_PER_MS;
}

void audit_wait_look(struct audit_wait *wait, const struct audit_wait *seen)
{
    const struct audit_wait before = *wait;
    const uint64_t now_ns = seen->now_ns;
    const bool first = before.began_ns == 0;
    *wait = *seen;
    wait->began_ns = first ? now_ns : before.began_ns;
    wait->came_ns = first || seen->bytes != before.bytes ? now_ns : before.came_ns;
    wait->moved_ns = first || seen->moves != before.moves ? now_ns : before.moved_ns;
    wait->hurried_ns = before.is_hurried ? before.hurried_ns : now_ns;
}

unsigned audit_wait_room(const struct audit_wait *wait)
{
    if (is_past(wait->now_ns, wait->came_ns, STILL_MS))
        return AUDIT_TURNS;
    return wait->turns < AUDIT_TURNS ? AUDIT_TURNS - wait->turns : 0;
}

bool audit_wait_is_over(const struct audit_wait *wait)
{
    const uint64_t now_ns = wait->now_ns;
    const bool is_silent = is_past(now_ns, wait->came_ns, PATIENCE_MS) &&
                           now_ns - wait->came_ns > wait->came_ns - wait->began_ns;
    return wait->left == 0 || is_silent || now_ns - wait->moved_ns > AUDIT_TURN_NS ||
           (wait->is_hurried && is_past(now_ns, wait->hurried_ns, HURRY_MS));
}

/* ---- one screen ---- */

struct said {
    unsigned long long picture, keys, pointers, updates;
};

static void judge(struct screen *screen, const struct said *said)
{
    struct monitor *monitor = screen->monitor;
    struct place *place = &monitor->places[screen->place];
    const uint64_t picture = rfb_picture_digest(&screen->picture);
    pthread_mutex_lock(&screen->lock);
    const uint64_t keys = screen->sent_keys, pointers = screen->sent_pointers;
    pthread_mutex_unlock(&screen->lock);
    pthread_mutex_lock(&monitor->lock);
    place->audit = AUDIT_FAILED;
    place->events_seen = said->keys + said->pointers;
    if (picture != said->picture)
        snprintf(place->audit_text, sizeof place->audit_text, "its picture differs");
    else if (keys != said->keys)
        snprintf(place->audit_text, sizeof place->audit_text, "%llu keys seen, %" PRIu64 " sent",
                 said->keys, keys);
    else if (pointers != said->pointers)
        snprintf(place->audit_text, sizeof place->audit_text,
                 "%llu pointer events seen, %" PRIu64 " sent", said->pointers, pointers);
    else
        place->audit = AUDIT_PASSED;
    pthread_mutex_unlock(&monitor->lock);
    os_unpark(&monitor->main);
}

void audit_text(struct screen *screen, const char *text, size_t bytes)
{
    struct said said;
    char line[RFB_TEXT_MAX + 1];
    if (bytes >= sizeof line || screen->place < 0)
        return;
    memcpy(line, text, bytes);
    line[bytes] = '\0';
    if (atomic_load(&screen->monitor->phase) == PHASE_AUDITING &&
        sscanf(line, RFB_AUDIT_SAID " picture=%llx keys=%llu pointers=%llu updates=%llu",
               &said.picture, &said.keys, &said.pointers, &said.updates) == 4)
        judge(screen, &said);
}

/* Under the lock. */
static void ask(struct place *place)
{
    static const char question[] = RFB_AUDIT_ASK;
    enum { TEXT_BYTES = sizeof question - 1 };
    uint8_t cut_text[8 + TEXT_BYTES] = {RFB_CLIENT_CUT_TEXT};
    place->audit = AUDIT_ASKED;
    place->asked_ns = os_active_ns();
    rfb_put32(cut_text + 4, TEXT_BYTES);
    memcpy(cut_text + 8, question, TEXT_BYTES);
    send_input(place->screen);
    send_bytes(place->screen, cut_text, sizeof cut_text);
    monitored_request(place->screen, false);
}

/* ---- all ---- */

static bool is_ready(const struct place *place)
{
    return place->screen != NULL && atomic_load(&place->screen->ready) && place->screen->ours;
}

/* Whoever is here now is to answer, whatever becomes of it. */
static void begin(struct monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
    atomic_store(&monitor->phase, PHASE_AUDITING);
    for (unsigned i = 0; i < monitor->options->screens; i++) {
        input_release(monitor, i);
        if (is_ready(&monitor->places[i]))
            monitor->places[i].audit = AUDIT_DUE;
    }
    pthread_mutex_unlock(&monitor->lock);
}

static void ask_some(struct monitor *monitor, unsigned count)
{
    pthread_mutex_lock(&monitor->lock);
    for (unsigned i = 0; i < monitor->options->screens && count > 0; i++) {
        struct place *place = &monitor->places[i];
        if (place->audit != AUDIT_DUE || !is_ready(place))
            continue;
        ask(place);
        count--;
    }
    pthread_mutex_unlock(&monitor->lock);
}

static void look(struct monitor *monitor, struct audit_wait *wait)
{
    struct audit_wait seen = {.now_ns = os_active_ns(),
                              .bytes = monitor_counts(monitor).bytes,
                              .is_hurried = os_interrupted()};
    pthread_mutex_lock(&monitor->lock);
    for (unsigned i = 0; i < monitor->options->screens; i++) {
        const struct place *place = &monitor->places[i];
        const bool is_asked = place->audit == AUDIT_ASKED;
        seen.moves += is_asked + 2 * (place->audit > AUDIT_ASKED);
        seen.turns +=
            is_asked && place->screen != NULL && seen.now_ns - place->asked_ns < AUDIT_TURN_NS;
        seen.left += place->screen != NULL &&
                     (is_asked || place->audit == AUDIT_DUE || !send_is_empty(place->screen));
    }
    pthread_mutex_unlock(&monitor->lock);
    audit_wait_look(wait, &seen);
}

static void await_answers(struct monitor *monitor)
{
    struct audit_wait wait = {.began_ns = 0};
    for (look(monitor, &wait); !audit_wait_is_over(&wait); look(monitor, &wait)) {
        ask_some(monitor, audit_wait_room(&wait));
        monitor_look(monitor);
        os_park(&monitor->main, (uint64_t)LOOK_MS * OS_NS_PER_MS);
    }
    if (wait.is_hurried)
        monitor->row->interrupted_by = os_interrupted_by();
}

static void sum_up(struct monitor *monitor)
{
    struct monitor_row *row = monitor->row;
    unsigned asked = 0, failed = 0;
    uint64_t seen = 0;
    const char *why = "";
    int first = -1;
    pthread_mutex_lock(&monitor->lock);
    for (unsigned i = 0; i < monitor->options->screens; i++) {
        const struct place *place = &monitor->places[i];
        asked += place->audit != AUDIT_NONE;
        seen += place->events_seen;
        if (place->audit == AUDIT_NONE || place->audit == AUDIT_PASSED)
            continue;
        failed++;
        if (first < 0) {
            first = (int)i;
            why = place->audit == AUDIT_FAILED ? place->audit_text : "no answer";
        }
    }
    if (failed > 0)
        snprintf(row->audit, sizeof row->audit, "fail: %u of %u screens; screen %d: %s", failed,
                 asked, first, why);
    else if (asked > 0)
        snprintf(row->audit, sizeof row->audit, "pass");
    else
        snprintf(row->audit, sizeof row->audit, "none: %s",
                 monitor->connected > 0 ? "no screen that is ours was there at the end"
                                        : "no screen came");
    if (asked > 0)
        row->events_seen = seen;
    pthread_mutex_unlock(&monitor->lock);
    if (failed > 0)
        monitor_row_fail(row, "the audit: %s", row->audit);
}

void audit_run(struct monitor *monitor)
{
    begin(monitor);
    await_answers(monitor);
    sum_up(monitor);
}
