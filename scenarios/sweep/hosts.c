/* What hosts write on their launcher's standard output. */
#include "scenarios/sweep/hosts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t\r";

/* Behind "0: " (srun -l), "[1,0]<stdout>:" (mpirun --tag-output), "lab2: " (clush). */
static const char *skip_label(const char *line)
{
    line += strspn(line, blanks);
    const size_t length = strcspn(line, blanks), word = strcspn(line, ":");
    if (length > 0 && line[length - 1] == ':')
        return line + length + strspn(line + length, blanks);
    /* Without a blank, up to the colon that ends the label. */
    if (*line == '[' && word < length)
        return line + word + 1;
    return line;
}

enum host_word host_word_read(const char *line, const char **rest)
{
    static const struct {
        const char *text;
        enum host_word word;
    } words[] = {{"READY", HOST_READY}, {"FAILED", HOST_FAILED}, {"PULSE", HOST_PULSE}};
    line = skip_label(line);
    const size_t length = strcspn(line, blanks);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].text) != length || strncmp(line, words[i].text, length) != 0)
            continue;
        *rest = line + length + strspn(line + length, blanks);
        return words[i].word;
    }
    return HOST_OTHER;
}

/* The next word of *text, which moves behind it; "": there is none. */
static const char *take_word(struct arena *arena, const char **text)
{
    *text += strspn(*text, blanks);
    const size_t length = strcspn(*text, blanks);
    const char *word = arena_copy(arena, *text, length);
    *text += length;
    return word;
}

static bool is_number(const char *word, uint64_t *number)
{
    char *end;
    *number = strtoull(word, &end, 10);
    return isdigit((unsigned char)*word) && *end == '\0';
}

static const char *find_fact(struct arena *arena, const char *facts, const char *key)
{
    const size_t length = strlen(key);
    const char *word;
    while (*(word = take_word(arena, &facts)) != '\0')
        if (strncmp(word, key, length) == 0 && word[length] == '=')
            return word + length + 1;
    return NULL;
}

const char *host_fact(struct arena *arena, const struct host *host, const char *key)
{
    return host->ready ? find_fact(arena, host->facts, key) : NULL;
}

/* utc_ns stands last: with it a line is whole. */
bool host_ready_read(struct arena *arena, const char *rest, struct host *host)
{
    struct host read = *host;
    uint64_t utc_ns;
    read.said = take_word(arena, &rest);
    read.address = take_word(arena, &rest);
    const bool placed = is_number(take_word(arena, &rest), &read.port) &&
                        is_number(take_word(arena, &rest), &read.count);
    rest += strspn(rest, blanks);
    size_t length = strlen(rest);
    while (length > 0 && strchr(blanks, rest[length - 1]) != NULL)
        length--;
    read.facts = arena_copy(arena, rest, length);
    read.process = find_fact(arena, read.facts, "process");
    read.commit = find_fact(arena, read.facts, "commit");
    const char *utc = find_fact(arena, read.facts, "utc_ns");
    if (!placed || read.port == 0 || read.count == 0 || read.process == NULL ||
        read.commit == NULL || utc == NULL || !is_number(utc, &utc_ns))
        return false;
    read.ready = true;
    if (*read.name == '\0')
        read.name = read.said;
    *host = read;
    return true;
}

bool host_is_called(const char *name, const char *said)
{
    const char *user = strrchr(name, '@');
    name = user == NULL ? name : user + 1;
    const size_t length = strcspn(name, "."), other = strcspn(said, ".");
    return strcasecmp(name, said) == 0 ||
           (length == other && strncasecmp(name, said, length) == 0 &&
            (name[length] == '\0' || said[length] == '\0'));
}

/* ---- the record ---- */

/* Numbers are numbers, and what a host does not know is null. */
static void write_fact(struct json *json, const char *key, const char *value)
{
    static const char *const numbers[] = {"pid",        "cpus",        "memory_mb", "mtu",
                                          "speed_mbit", "descriptors", "utc_ns",    NULL};
    uint64_t number;
    if (!text_is_among(key, numbers))
        json_text(json, key, value);
    else if (is_number(value, &number))
        json_count(json, key, number);
    else
        json_null(json, key);
}

void host_write(struct arena *arena, struct json *json, const struct host *host)
{
    const char *facts = host->facts, *word;
    json_text(json, "host", host->said);
    json_text(json, "asked", host->name);
    json_text(json, "address", host->address);
    json_count(json, "port", host->port);
    json_count(json, "count", host->count);
    while (*(word = take_word(arena, &facts)) != '\0') {
        const size_t length = strcspn(word, "=");
        if (word[length] == '=')
            write_fact(json, arena_copy(arena, word, length), word + length + 1);
    }
}
