/* The audit: when the scenes stop, what is shown equals what each screen has, and all input that
 * was sent was seen (base/rfb/protocol.h). */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "client/monitor/monitor.h"

enum { STILL_MS = 500, PATIENCE_MS = 5000, LIMIT_MS = 30000, LOOK_MS = 20 };

/* ---- the wait ---- */

void audit_wait_look(struct audit_wait *wait, const struct audit_wait *seen)
{
    const struct audit_wait before = *wait;
    const bool first = before.began_ns == 0;
    *wait = *seen;
    wait->began_ns = first ? seen->now_ns : before.began_ns;
    wait->came_ns = first || seen->bytes != before.bytes ? seen->now_ns : before.came_ns;
    wait->answered_ns =
        first || seen->answers != before.answers ? seen->now_ns : before.answered_ns;
}

unsigned audit_wait_room(const struct audit_wait *wait)
{
    if (wait->now_ns - wait->came_ns > (uint64_t)STILL_MS * OS_NS_PER_MS)
        return AUDIT_TURNS;
    return wait->owed < AUDIT_TURNS ? AUDIT_TURNS - wait->owed : 0;
}

bool audit_wait_is_over(const struct audit_wait *wait)
{
    const uint64_t came_for_ns = wait->came_ns - wait->began_ns;
    const uint64_t least_ns = (uint64_t)PATIENCE_MS * OS_NS_PER_MS;
    return wait->now_ns - wait->came_ns > (came_for_ns > least_ns ? came_for_ns : least_ns) ||
           wait->now_ns - wait->answered_ns > (uint64_t)LIMIT_MS * OS_NS_PER_MS;
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

/* Under the lock. False: it cannot say what it has. */
static bool ask(struct monitor *monitor, unsigned number)
{
    static const char question[] = RFB_AUDIT_ASK;
    enum { TEXT_BYTES = sizeof question - 1 };
    struct place *place = &monitor->places[number];
    struct screen *screen = place->screen;
    uint8_t cut_text[8 + TEXT_BYTES] = {RFB_CLIENT_CUT_TEXT};
    input_release(monitor, number);
    if (screen == NULL || !atomic_load(&screen->ready) || !screen->ours)
        return false;
    place->audit = AUDIT_ASKED;
    rfb_put32(cut_text + 4, TEXT_BYTES);
    memcpy(cut_text + 8, question, TEXT_BYTES);
    send_input(screen);
    send_bytes(screen, cut_text, sizeof cut_text);
    monitored_request(screen, false);
    return true;
}

/* ---- all ---- */

/* Asks so many more of those from *next on. */
static void ask_some(struct monitor *monitor, unsigned *next, unsigned count)
{
    pthread_mutex_lock(&monitor->lock);
    while (count > 0 && *next < monitor->options->screens)
        count -= ask(monitor, (*next)++);
    pthread_mutex_unlock(&monitor->lock);
}

static void look(struct monitor *monitor, struct audit_wait *wait)
{
    struct audit_wait seen = {.now_ns = os_active_ns(), .bytes = monitor_counts(monitor).bytes};
    pthread_mutex_lock(&monitor->lock);
    for (unsigned i = 0; i < monitor->options->screens; i++) {
        const struct place *place = &monitor->places[i];
        seen.answers += place->audit == AUDIT_PASSED || place->audit == AUDIT_FAILED;
        seen.owed +=
            place->screen != NULL && (place->audit == AUDIT_ASKED || !send_is_empty(place->screen));
    }
    pthread_mutex_unlock(&monitor->lock);
    audit_wait_look(wait, &seen);
}

static void ask_all(struct monitor *monitor)
{
    struct audit_wait wait = {.began_ns = 0};
    unsigned next = 0;
    for (look(monitor, &wait); !audit_wait_is_over(&wait); look(monitor, &wait)) {
        if (next == monitor->options->screens && wait.owed == 0)
            return;
        ask_some(monitor, &next, audit_wait_room(&wait));
        monitor_look(monitor);
        os_park(&monitor->main, (uint64_t)LOOK_MS * OS_NS_PER_MS);
    }
    ask_some(monitor, &next, UINT_MAX); /* gave no answer either */
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
        asked += place->audit != AUDIT_NOT_ASKED;
        seen += place->events_seen;
        if (place->audit != AUDIT_FAILED && place->audit != AUDIT_ASKED)
            continue;
        failed++;
        if (first < 0) {
            first = (int)i;
            why = place->audit == AUDIT_ASKED ? "no answer" : place->audit_text;
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
    atomic_store(&monitor->phase, PHASE_AUDITING);
    ask_all(monitor);
    sum_up(monitor);
}
