/* Links: from links.conf, from a measurement, and from a record. */
#include "scenarios/sweep/link.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/options.h"
#include "base/os.h"
#include "scenarios/sweep/output_dir.h"
#include "base/json_read.h"

static const char *const status_names[] = {[LINK_UNKNOWN] = "unchecked",
                                           [LINK_OK] = "ok",
                                           [LINK_FAILED] = "failed",
                                           [LINK_UNAVAILABLE] = "unavailable"};

static struct link *links_find(const struct links *links, const char *name)
{
    for (unsigned i = 0; i < links->count; i++) {
        if (strcmp(links->items[i]->name, name) == 0)
            return links->items[i];
    }
    return NULL;
}

static struct link *links_add(struct arena *arena, struct links *links, const char *name,
                              const char *options, const struct place *place)
{
    struct link *link = arena_take(arena, sizeof *link);
    *link = (struct link){
        .name = name, .options = options, .place = *place, .rate_bits_per_s = NAN, .rtt_ms = NAN};
    links->items = arena_grow(arena, links->items, links->count, sizeof(struct link *));
    links->items[links->count++] = link;
    return link;
}

/* ---- links.conf ---- */

/* The option of a profile that only the sweep may set; NULL: there is none. */
static const char *reserved_option(struct arena *arena, const char *options)
{
    static const char *const ours[] = {"--",      "--far",  "--check", "--json",    "--ready-file",
                                       "--stats", "--join", "--help",  "--version", NULL};
    for (const char *word = options; *word != '\0'; word += strspn(word, " \t")) {
        const char *name = arena_copy(arena, word, strcspn(word, "= \t"));
        if (text_is_among(name, ours))
            return name;
        word += strcspn(word, " \t");
    }
    return NULL;
}

/* The file has a scenario's syntax. */
static int profiles_read(struct arena *arena, const char *path, struct settings *profiles,
                         struct error *error)
{
    const struct scenario *file = scenario_read(arena, path, error);
    if (file == NULL)
        return -1;
    if (*file->sections[0].name != '\0')
        return error_set(error, &file->sections[0].place,
                         "links have no sections; write name = fanin-lan options");
    *profiles = file->common;
    for (unsigned i = 0; i < profiles->count; i++) {
        const struct setting *profile = &profiles->items[i];
        const char *options = profile->values[0].text, *reserved = reserved_option(arena, options);
        if (profile->value_count != 1 || profile->values[0].reference)
            return error_set(error, &profile->place,
                             "%s takes fanin-lan options, in quotes if a comma is among them",
                             profile->key);
        if (reserved != NULL)
            return error_set(error, &profile->place, "%s: %s is set by the sweep; remove it",
                             profile->key, reserved);
        if (strcmp(profile->key, CELL_LOOPBACK) == 0 && *options != '\0')
            return error_set(error, &profile->place, "%s takes no options; write \"\"",
                             CELL_LOOPBACK);
    }
    return 0;
}

/* NULL with an error. */
static const struct setting *find_profile(struct arena *arena, const struct cell *cell,
                                          const char *path, struct settings *profiles,
                                          struct error *error)
{
    struct place place = cell_place(cell, "link");
    const char *names = CELL_LOOPBACK;
    if (!file_is_readable(path)) {
        error_set(error, &place, "link = %s: cannot read %s, which defines it", cell->link_asked,
                  path);
        return NULL;
    }
    if (profiles->count == 0 && profiles_read(arena, path, profiles, error) != 0)
        return NULL;
    const struct setting *profile = settings_find(profiles, cell->link_asked);
    if (profile != NULL)
        return profile;
    for (unsigned i = 0; i < profiles->count; i++) {
        if (strcmp(profiles->items[i].key, CELL_LOOPBACK) != 0)
            names = arena_join(arena, names, ", ", profiles->items[i].key);
    }
    error_set(error, &place, "link = %s: takes a name of %s: %s", cell->link_asked, path, names);
    return NULL;
}

/* ---- a round trip of one's own ---- */

static double rtt_ms_of(const struct cell *cell)
{
    uint64_t rtt_ns = 0;
    bool sound = key_duration(cell->rtt, &rtt_ns);
    assert(sound);
    (void)sound;
    return (double)rtt_ns / OS_NS_PER_MS;
}

/* What the profile asks for towards the client; NAN: unlimited, or each way has its own. */
static double rate_of(struct arena *arena, const char *options)
{
    static const char option[] = "--rate";
    const char *at = strstr(options, option);
    uint64_t rate;
    if (at == NULL || strchr("= \t", at[strlen(option)]) == NULL)
        return NAN;
    at += strlen(option) + strspn(at + strlen(option), "= \t");
    return values_quantity_parse(arena_copy(arena, at, strcspn(at, " \t")), values_bit_rates, &rate)
               ? (double)rate
               : NAN;
}

/* The options with this round trip in place of their own. */
static const char *options_with(struct arena *arena, const char *options, const char *rtt)
{
    static const char blanks[] = " \t", option[] = "--rtt", assigned[] = "--rtt=";
    const char *rest = "";
    while (*(options += strspn(options, blanks)) != '\0') {
        const char *word = arena_copy(arena, options, strcspn(options, blanks));
        options += strlen(word);
        if (strcmp(word, option) == 0) {
            options += strspn(options, blanks);
            options += strcspn(options, blanks);
        } else if (strncmp(word, assigned, strlen(assigned)) != 0) {
            rest = arena_join(arena, rest, " ", word);
        }
    }
    return arena_join(arena, rest, " ", arena_text(arena, "%s %s", option, rtt));
}

/* The profile with the cell's round trip, named cell->link_asked. NULL with an error. */
static struct link *derive(struct arena *arena, const struct cell *cell,
                           const struct setting *profile, const struct settings *profiles,
                           struct links *links, struct error *error)
{
    const char *options = options_with(arena, profile->values[0].text, cell->rtt);
    const struct setting *other = settings_find(profiles, cell->link_asked);
    struct link *link = links_find(links, cell->link_asked);
    if (other != NULL && strcmp(other->values[0].text, options) != 0) {
        struct place place = cell_place(cell, "rtt");
        error_set(error, &place, "rtt = %s makes the link %s, and %s:%u has another of this name",
                  cell->rtt, cell->link_asked, other->place.file, other->place.line);
        return NULL;
    }
    if (link == NULL)
        link = links_add(arena, links, cell->link_asked, options, &profile->place);
    /* As a check would say, for the runs of a calibration, whose links are not checked. */
    link->rtt_ms = rtt_ms_of(cell);
    link->rate_bits_per_s = rate_of(arena, options);
    return link;
}

/* NULL with an error. */
static struct link *find_link(struct arena *arena, struct cell *cell, const char *path,
                              struct settings *profiles, struct links *links, struct error *error)
{
    const char *name = cell->rtt == NULL
                           ? cell->link_asked
                           : arena_text(arena, "%s-rtt%.9g", cell->link_asked, rtt_ms_of(cell));
    struct link *link = links_find(links, name);
    const struct setting *profile = NULL;
    if (link == NULL || (cell->rtt != NULL && !link->recorded)) {
        profile = find_profile(arena, cell, path, profiles, error);
        if (profile == NULL)
            return NULL;
    }
    cell->link_asked = name;
    if (profile == NULL)
        return link;
    return cell->rtt == NULL
               ? links_add(arena, links, profile->key, profile->values[0].text, &profile->place)
               : derive(arena, cell, profile, profiles, links, error);
}

/* What a cell's link cannot be. 0, or -1 with an error. */
static int check_link(const struct cell *cell, struct error *error)
{
    const bool loopback = strcmp(cell->link_asked, CELL_LOOPBACK) == 0;
    struct place place = cell_place(cell, loopback ? "rtt" : "link");
    if (loopback && cell->rtt != NULL)
        return error_set(error, &place,
                         "rtt = %s: on link = %s there is none to set; name a link of links.conf, "
                         "such as link = lan100",
                         cell->rtt, CELL_LOOPBACK);
    if (!loopback && cell->servers == 0)
        return error_set(error, &place,
                         "link = %s: only fanin's own servers can be behind a link; use "
                         "servers = N or link = %s",
                         cell->link_asked, CELL_LOOPBACK);
    return 0;
}

int links_plan(struct arena *arena, const struct cells *cells, const char *scenario_path,
               struct links *links, struct error *error)
{
    const char *path = scenario_beside(arena, scenario_path, "links.conf");
    struct settings profiles = {0};
    for (unsigned i = 0; i < cells->count; i++) {
        struct cell *cell = cells->items[i];
        if (check_link(cell, error) != 0)
            return -1;
        if (cell->link != NULL || strcmp(cell->link_asked, CELL_LOOPBACK) == 0)
            continue;
        cell->link = find_link(arena, cell, path, &profiles, links, error);
        if (cell->link == NULL)
            return -1;
    }
    return 0;
}

static bool is_used(const struct link *link, const struct cells *cells)
{
    for (unsigned i = 0; i < cells->count; i++) {
        if (cells->items[i]->link == link)
            return true;
    }
    return false;
}

void links_prune(struct links *links, const struct cells *cells)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < links->count; i++) {
        struct link *link = links->items[i];
        if (link->status != LINK_UNKNOWN || is_used(link, cells))
            links->items[kept++] = link;
    }
    links->count = kept;
}

/* ---- what a check says ---- */

bool link_judge(struct arena *arena, struct link *link, const char *check)
{
    double rate, rtt_us;
    if (check == NULL || !json_is_object(check) ||
        !json_find_number(check, "rtt_asked_us", &rtt_us))
        return false;
    const char *kind = json_find_text(arena, check, "link"), *down = json_find(check, "down");
    if (kind == NULL || down == NULL || *down != '{' ||
        !json_find_number(down, "rate_asked_bits_per_s", &rate))
        return false;
    link->check = check;
    link->rtt_ms = rtt_us / 1e3;
    link->rate_bits_per_s = rate > 0 ? rate : NAN;
    link->own_process = strcmp(kind, "kernel") != 0;
    return true;
}

struct command link_command(struct arena *arena, const struct link *link)
{
    return command_begin(arena, arena_text(arena, "fanin-lan %s", link->options));
}

/* ---- falling back ---- */

void links_fall_back(const struct cells *cells)
{
    for (unsigned i = 0; i < cells->count; i++) {
        struct cell *cell = cells->items[i];
        if (cell->link != NULL && cell->link->status == LINK_UNAVAILABLE) {
            cell->link_reason = cell->link->reason;
            cell->link = NULL;
        }
    }
}

/* ---- the record ---- */

void links_write(struct json *json, const struct links *links)
{
    json_object_open(json, "links");
    for (unsigned i = 0; i < links->count; i++) {
        const struct link *link = links->items[i];
        json_object_open(json, link->name);
        json_text(json, "options", link->options);
        json_text(json, "status", status_names[link->status]);
        json_text(json, "reason", link->reason);
        json_object(json, "check", link->check);
        json_object_close(json);
    }
    json_object_close(json);
}

/* False: the link has no sound check. */
static bool take_recorded(struct arena *arena, struct link *link, const char *object)
{
    const char *status = json_find_text(arena, object, "status");
    const char *check = json_find_copy(arena, object, "check");
    for (enum link_status i = LINK_UNKNOWN; status != NULL && i <= LINK_UNAVAILABLE; i++) {
        if (strcmp(status, status_names[i]) == 0)
            link->status = i;
    }
    link->reason = json_find_text(arena, object, "reason");
    return check != NULL && *check == '{' ? link_judge(arena, link, check)
                                          : link->status != LINK_OK;
}

int links_read(struct arena *arena, const char *record, const struct place *place,
               struct links *links, struct error *error)
{
    const char *object = json_find(record, "links"), *value;
    char *name;
    if (object == NULL || *object != '{')
        return 0; /* a record from before there were links */
    while ((value = json_member(arena, object, links->count, &name)) != NULL) {
        const char *options = *value == '{' ? json_find_text(arena, value, "options") : NULL;
        struct link *link = options == NULL ? NULL : links_add(arena, links, name, options, place);
        if (link == NULL || !take_recorded(arena, link, value))
            return error_set(error, place, "link %s has no sound check; it cannot be resumed",
                             name);
        link->recorded = true;
    }
    return 0;
}
