/* Launchers: from launchers.conf and a cell's keys to command lines. */
#include "scenarios/sweep/launcher.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/sweep/output_dir.h"

#define FILE_NAME    "launchers.conf"
#define PLACEHOLDERS "{host} (one child for each), {hosts} or {n}"
/* What a batch job of Slurm has; its first node runs client and sweep. */
#define JOB_NODES "SLURM_JOB_NUM_NODES"

/* ---- launchers.conf ---- */

static bool holds(const char *command, const char *placeholder)
{
    return strstr(command, placeholder) != NULL;
}

/* The first placeholder that is none of ours, or a brace without its other one; NULL: there is
 * none. */
static const char *unknown_placeholder(struct arena *arena, const char *command)
{
    static const char *const ours[] = {"{host}", "{hosts}", "{n}", NULL};
    const char *at;
    while ((at = strpbrk(command, "{}")) != NULL) {
        const size_t length = strcspn(at, "} \t") + (at[strcspn(at, "} \t")] == '}');
        const char *word = arena_copy(arena, at, length);
        if (!text_is_among(word, ours))
            return word;
        command = at + length;
    }
    return NULL;
}

/* 0, or -1 with an error. */
static int launcher_read(struct arena *arena, const struct setting *setting,
                         struct launcher *launcher, struct error *error)
{
    const char *command = setting->values[0].text;
    const char *unknown = unknown_placeholder(arena, command);
    if (setting->value_count != 1 || setting->values[0].reference)
        return error_set(error, &setting->place, "%s takes a command, in quotes", setting->key);
    if (unknown != NULL)
        return error_set(error, &setting->place,
                         "%s: %s is unknown; a launcher takes " PLACEHOLDERS, setting->key,
                         unknown);
    if (strspn(command, " \t") == strcspn(command, "{"))
        return error_set(error, &setting->place, "%s names no program", setting->key);
    *launcher = (struct launcher){.name = setting->key,
                                  .command = command,
                                  .place = setting->place,
                                  .each = holds(command, "{host}"),
                                  .named = holds(command, "{host")};
    if (!launcher->named && !holds(command, "{n}"))
        return error_set(error, &setting->place,
                         "%s does not say which hosts; write " PLACEHOLDERS " into it",
                         setting->key);
    if (launcher->each && (holds(command, "{hosts}") || holds(command, "{n}")))
        return error_set(
            error, &setting->place,
            "%s: {host} is one child for each host; {hosts} and {n} are of one for all",
            setting->key);
    return 0;
}

static const struct settings *launchers_read(struct arena *arena, const char *path,
                                             struct error *error)
{
    const struct scenario *file = scenario_read(arena, path, error);
    if (file == NULL)
        return NULL;
    if (*file->sections[0].name != '\0') {
        error_set(error, &file->sections[0].place,
                  "launchers have no sections; write name = \"command\"");
        return NULL;
    }
    return &file->common;
}

/* NULL with an error. */
static const struct launcher *find_launcher(struct arena *arena, const struct cell *cell,
                                            const char *path, const struct settings **settings,
                                            struct error *error)
{
    const struct place place = cell_place(cell, "launcher");
    struct launcher *launcher = arena_take(arena, sizeof *launcher);
    const char *names = "";
    if (!file_is_readable(path)) {
        error_set(error, &place, "launcher = %s: cannot read %s, which defines it",
                  cell->launcher_asked, path);
        return NULL;
    }
    if (*settings == NULL && (*settings = launchers_read(arena, path, error)) == NULL)
        return NULL;
    const struct setting *setting = settings_find(*settings, cell->launcher_asked);
    if (setting != NULL)
        return launcher_read(arena, setting, launcher, error) == 0 ? launcher : NULL;
    for (unsigned i = 0; i < (*settings)->count; i++)
        names = arena_join(arena, names, ", ", (*settings)->items[i].key);
    error_set(error, &place, "launcher = %s: takes a name of %s: %s", cell->launcher_asked, path,
              names);
    return NULL;
}

/* ---- a cell's hosts ---- */

/* It goes into a command line, and as a name among others with commas. */
static bool is_host_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("._-:@%[]", *at) == NULL)
            return false;
    return *name != '-' && *name != '\0';
}

static int add_name(struct arena *arena, struct cell *cell, const char *name, struct error *error)
{
    const struct place place = cell_place(cell, "hosts");
    if (!is_host_name(name))
        return error_set(error, &place, "hosts = %s: '%s' is not a host's name", cell->hosts_asked,
                         name);
    for (unsigned i = 0; i < cell->host_count; i++)
        if (strcmp(cell->host_names[i], name) == 0)
            return error_set(error, &place, "hosts = %s: %s is named twice", cell->hosts_asked,
                             name);
    if (cell->host_count == HOSTS_MAX)
        return error_set(error, &place, "hosts: more than %d names", HOSTS_MAX);
    cell->host_names = arena_grow(arena, cell->host_names, cell->host_count, sizeof(char *));
    cell->host_names[cell->host_count++] = name;
    return 0;
}

static int read_names(struct arena *arena, struct cell *cell, struct error *error)
{
    static const char blanks[] = " \t";
    const struct place place = cell_place(cell, "hosts");
    const char *text = cell->hosts_asked;
    if (*text == '\0' || text[strspn(text, "0123456789 ")] == '\0')
        return error_set(error, &place,
                         "launcher = %s takes hosts by their names: hosts = \"lab1 lab2\"",
                         cell->launcher->name);
    while (*(text += strspn(text, blanks)) != '\0') {
        const char *name = arena_copy(arena, text, strcspn(text, blanks));
        if (add_name(arena, cell, name, error) != 0)
            return -1;
        text += strlen(name);
    }
    return 0;
}

/* Without a number: all nodes of the job but the first. */
static int read_number(struct cell *cell, struct error *error)
{
    const struct place place = cell_place(cell, *cell->hosts_asked == '\0' ? "launcher" : "hosts");
    const char *text = cell->hosts_asked, *nodes = getenv(JOB_NODES);
    const bool of_job = *text == '\0';
    char *end;
    if (of_job && nodes == NULL)
        return error_set(error, &place,
                         "launcher = %s takes a number of hosts: hosts = 4; without it, those of a "
                         "Slurm job, and " JOB_NODES " is not set",
                         cell->launcher->name);
    text = of_job ? nodes : text;
    const unsigned long long number = strtoull(text, &end, 10), others = of_job ? 1 : 0;
    if (!isdigit((unsigned char)*text) || *end != '\0' || number < 1 || number > HOSTS_MAX)
        return error_set(error, &place,
                         "hosts = %s: launcher = %s takes a number of hosts, from 1 to %d", text,
                         cell->launcher->name, HOSTS_MAX);
    if (number == others)
        return error_set(error, &place,
                         "launcher = %s: the job has one node, which runs client and sweep; the "
                         "servers need others (sbatch -N5)",
                         cell->launcher->name);
    cell->host_count = (unsigned)(number - others);
    return 0;
}

/* "10.1.0.0/16", "fd00::/8". */
static bool is_network(const char *text)
{
    const bool v6 = strchr(text, ':') != NULL;
    const size_t length = strspn(text, v6 ? "0123456789abcdefABCDEF:." : "0123456789.");
    char *end;
    if (length == 0 || text[length] != '/' || !isdigit((unsigned char)text[length + 1]))
        return false;
    return strtoul(text + length + 1, &end, 10) <= (v6 ? 128 : 32) && *end == '\0';
}

bool launcher_word_is_plain(const char *word)
{
    for (const char *at = word; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("%+,-./:=@^_", *at) == NULL)
            return false;
    return *word != '\0';
}

/* ---- what goes with a launcher ---- */

static int check_without(const struct cell *cell, struct error *error)
{
    static const char *const keys[] = {"hosts", "network"};
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct pair *pair = cell_find(cell, keys[i]);
        if (pair != NULL && *pair->value != '\0')
            return error_set(error, &pair->place,
                             "%s = %s: needs a launcher: a name of " FILE_NAME ", such as launcher "
                             "= ssh",
                             pair->key, pair->value);
    }
    return 0;
}

/* Options that the sweep sets itself where servers are on other computers, and words that a shell
 * there would change. */
static int check_fleet(const struct cell *cell, struct error *error)
{
    static const char *const own[] = {KEY_FLEET_PREFIX "listen", KEY_FLEET_PREFIX "hosted",
                                      KEY_FLEET_PREFIX "ports-per-address", NULL};
    for (unsigned i = 0; i < cell->pair_count; i++) {
        const struct pair *pair = &cell->pairs[i];
        if (key_fleet_option(pair->key) == NULL)
            continue;
        if (text_is_among(pair->key, own))
            return error_set(error, &pair->place,
                             "%s does not go with a launcher: each host listens on its address in "
                             "the network; remove it",
                             pair->key);
        if (!launcher_word_is_plain(pair->value))
            return error_set(error, &pair->place,
                             "%s = %s: a launcher may change it on the way; it may hold letters, "
                             "digits and %%+,-./:=@^_",
                             pair->key, pair->value);
    }
    return 0;
}

static int check_with(const struct cell *cell, struct error *error)
{
    struct place place = cell_place(cell, "launcher");
    if (cell->screens || cell->servers == 0)
        return error_set(error, &place,
                         "launcher = %s: only fanin's own servers can be on hosts; use servers = N",
                         cell->launcher_asked);
    if (strcmp(cell->link_asked, CELL_LOOPBACK) != 0)
        return error_set(error, &place,
                         "launcher = %s: servers on other computers are not behind link = %s, "
                         "which is of one computer; use link = %s",
                         cell->launcher_asked, cell->link_asked, CELL_LOOPBACK);
    if (*cell->network == '\0')
        return error_set(error, &place,
                         "launcher = %s: say in which network client and servers meet, such as "
                         "network = 10.1.0.0/16",
                         cell->launcher_asked);
    place = cell_place(cell, "network");
    if (!is_network(cell->network))
        return error_set(error, &place,
                         "network = %s: takes an address and how many bits of it are the "
                         "network's, such as 10.1.0.0/16",
                         cell->network);
    return check_fleet(cell, error);
}

/* By number alone the lost host would be among the next ones, too. */
static int refuse_continue(const struct cell *cell, struct error *error)
{
    const struct place place = cell_place(cell, "on-host-loss");
    return error_set(error, &place,
                     "on-host-loss = %s: launcher %s takes a number of hosts, and cannot leave out "
                     "the lost one; use stop and, in a new job, --resume",
                     cell->on_host_loss, cell->launcher->name);
}

int launchers_plan(struct arena *arena, const struct cells *cells, const char *scenario_path,
                   struct error *error)
{
    const char *path = scenario_beside(arena, scenario_path, FILE_NAME);
    const struct settings *settings = NULL;
    for (unsigned i = 0; i < cells->count; i++) {
        struct cell *cell = cells->items[i];
        cell->host_names = NULL;
        cell->host_count = 0;
        if (*cell->launcher_asked == '\0') {
            if (check_without(cell, error) != 0)
                return -1;
            continue;
        }
        cell->launcher = find_launcher(arena, cell, path, &settings, error);
        if (cell->launcher == NULL || check_with(cell, error) != 0 ||
            (cell->launcher->named ? read_names(arena, cell, error) : read_number(cell, error)) !=
                0)
            return -1;
        if (!cell->launcher->named && strcmp(cell->on_host_loss, "stop") != 0)
            return refuse_continue(cell, error);
        const struct place place = cell_place(cell, "hosts");
        if (cell->servers < cell->host_count)
            return error_set(error, &place, "%u hosts for %llu servers; each needs one",
                             cell->host_count, (unsigned long long)cell->servers);
    }
    return 0;
}

/* ---- command lines ---- */

static char *replace(struct arena *arena, const char *word, const char *placeholder,
                     const char *value)
{
    char *text = arena_text(arena, "%s", "");
    const char *at;
    while ((at = strstr(word, placeholder)) != NULL) {
        text = arena_text(arena, "%s%.*s%s", text, (int)(at - word), word, value);
        word = at + strlen(placeholder);
    }
    return arena_text(arena, "%s%s", text, word);
}

struct command launcher_command(struct arena *arena, const struct launcher *launcher,
                                const char *host, const char *const *names, unsigned count,
                                const struct command *servers)
{
    struct command command = command_begin(arena, launcher->command);
    char *list = arena_text(arena, "%s", "");
    for (unsigned i = 0; names != NULL && i < count; i++)
        list = arena_join(arena, list, ",", names[i]);
    for (unsigned i = 0; i < command.count; i++) {
        char *word = command.argv[i];
        if (host != NULL)
            word = replace(arena, word, "{host}", host);
        word = replace(arena, word, "{hosts}", list);
        command.argv[i] = replace(arena, word, "{n}", arena_text(arena, "%u", count));
    }
    for (unsigned i = 0; i < servers->count; i++)
        command_add(arena, &command, "%s", servers->argv[i]);
    return command;
}
