/* Lines: what a client asks and a device answers, as text. The frames are in protocol.c.
 *
 * Reading is strict, because a client that asks for something else than it means measures
 * something else than it says: one blank between words, every field exactly once (in any order),
 * nothing unknown, every number within its range. */
#include "base/protocol.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES_MAX = 64, SIZE_TEXT_BYTES_MAX = 16 };

static const char greeting[] = "FANIN/1 ";
static const char hex_digits[] = "0123456789abcdef";

/* ---- the fields of the lines ---- */

enum kind { ID, WHOLE, SIZES, RATE, SOURCE, MARKER, FLAG };

/* A field "name=value" of a line, and where its value lies. */
struct field {
    const char *name; /* with its '=' */
    const char *wrong, *missing, *twice;
    enum kind kind;
    size_t offset;
    uint64_t min, max; /* of WHOLE and SIZES */
    bool optional;     /* not written where it is 0 */
};

#define FIELD(name, wants)                                                                         \
    name "=", name " wants " wants, name " is missing", name " is there twice"
#define GO(field)    offsetof(struct protocol_go, field)
#define STATS(field) offsetof(struct protocol_stats, field)
#define HEX_16       "16 lower-case hexadecimal digits"
#define COUNT        "a whole number below 2^64"

static const struct field go_fields[] = {
    {FIELD("run", HEX_16), ID, GO(run), 0, 0, false},
    {FIELD("frames", "a whole number from 1 to 100000000"), WHOLE, GO(frames), 1,
     PROTOCOL_FRAMES_MAX, false},
    {FIELD("size", "MIN..MAX in bytes, each from 65 to 67108864, MIN not above MAX"), SIZES,
     GO(size_min), PROTOCOL_FRAME_BYTES_MIN, PROTOCOL_FRAME_BYTES_MAX, false},
    {FIELD("rate", "0 or a number from 0.001 to 1000000"), RATE, GO(rate), 0, 0, false},
    {FIELD("seed", COUNT), WHOLE, GO(seed), 0, UINT64_MAX, false},
    {FIELD("source", "tape or live"), SOURCE, GO(source), 0, 0, false},
    {FIELD("marker", "1 to 16 bytes in lower-case hexadecimal"), MARKER, GO(marker), 0, 0, false},
    {FIELD("from", "a whole number from 0 to 99999999"), WHOLE, GO(from), 0,
     PROTOCOL_FRAMES_MAX - 1, true},
    {FIELD("ago", "nanoseconds, at most 10^18"), WHOLE, GO(ago_ns), 0, PROTOCOL_AGO_NS_MAX, true},
    {FIELD("hold", "0 or 1"), FLAG, GO(hold), 0, 0, true},
};

static const struct field start_fields[] = {
    {FIELD("run", HEX_16), ID, offsetof(struct protocol_request, go.run), 0, 0, false},
    {FIELD("in", "nanoseconds, at most 60000000000"), WHOLE,
     offsetof(struct protocol_request, in_ns), 0, PROTOCOL_IN_NS_MAX, false},
};

_Static_assert(GO(size_max) == GO(size_min) + sizeof(uint32_t), "SIZES are two numbers in a row");
_Static_assert(PROTOCOL_FRAMES_MAX == 100000000, "the text for frames says so");
_Static_assert(PROTOCOL_IN_NS_MAX == 60000000000, "the text for in says so");
_Static_assert(PROTOCOL_FRAME_BYTES_MIN == 65, "the text for size says so");
_Static_assert(PROTOCOL_FRAME_BYTES_MAX == 67108864, "the text for size says so");

static const struct field stats_fields[] = {
    {FIELD("run", HEX_16), ID, STATS(run), 0, 0, false},
    {FIELD("process", HEX_16), ID, STATS(process), 0, 0, false},
    {FIELD("connections", COUNT), WHOLE, STATS(connections), 0, UINT64_MAX, false},
    {FIELD("frames", COUNT), WHOLE, STATS(frames), 0, UINT64_MAX, false},
    {FIELD("bytes", COUNT), WHOLE, STATS(bytes), 0, UINT64_MAX, false},
    {FIELD("faults", COUNT), WHOLE, STATS(faults), 0, UINT64_MAX, false},
    {FIELD("cpu_ns", COUNT), WHOLE, STATS(cpu_ns), 0, UINT64_MAX, false},
    {FIELD("first_ns", COUNT), WHOLE, STATS(first_ns), 0, UINT64_MAX, false},
    {FIELD("last_ns", COUNT), WHOLE, STATS(last_ns), 0, UINT64_MAX, false},
};

static const struct field time_field = {FIELD("wall_ns", COUNT), WHOLE, 0, 0, UINT64_MAX, false};

enum {
    GO_FIELDS = sizeof go_fields / sizeof *go_fields,
    START_FIELDS = sizeof start_fields / sizeof *start_fields,
    STATS_FIELDS = sizeof stats_fields / sizeof *stats_fields,
};

/* ---- writing ---- */

/* The fewest digits that read back as the same number: 500 stays "500", and 1/3 loses nothing. */
static void rate_write(double rate, char text[VALUE_BYTES_MAX])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, VALUE_BYTES_MAX, "%.*g", digits, rate);
        if (strtod(text, NULL) == rate)
            break;
    }
}

static void value_write(enum kind kind, const void *value, char text[VALUE_BYTES_MAX])
{
    const struct protocol_marker *marker = value;
    const uint32_t *sizes = value;
    switch (kind) {
    case ID:
        snprintf(text, VALUE_BYTES_MAX, "%016" PRIx64, *(const uint64_t *)value);
        break;
    case WHOLE:
        snprintf(text, VALUE_BYTES_MAX, "%" PRIu64, *(const uint64_t *)value);
        break;
    case SIZES:
        snprintf(text, VALUE_BYTES_MAX, "%" PRIu32 "..%" PRIu32, sizes[0], sizes[1]);
        break;
    case RATE:
        rate_write(*(const double *)value, text);
        break;
    case SOURCE:
        strcpy(text, *(const enum protocol_source *)value == PROTOCOL_LIVE ? "live" : "tape");
        break;
    case MARKER:
        for (unsigned i = 0; i < marker->count; i++)
            snprintf(text + 2 * i, 3, "%02x", marker->bytes[i]);
        break;
    case FLAG:
        strcpy(text, *(const bool *)value ? "1" : "0");
    }
}

static int line_fits(int bytes, size_t line_bytes)
{
    return bytes >= 0 && (size_t)bytes < line_bytes ? bytes : -1;
}

/* Writes "start name=value name=value ...\r\n". */
static int fields_write(const char *start, const char *word, const struct field *fields,
                        unsigned count, const void *from, char *line, size_t line_bytes)
{
    char text[PROTOCOL_LINE_BYTES_MAX], value[VALUE_BYTES_MAX];
    int bytes = snprintf(text, sizeof text, "%s%s", start, word);
    for (unsigned i = 0; i < count; i++) {
        value_write(fields[i].kind, (const char *)from + fields[i].offset, value);
        if (!fields[i].optional || strcmp(value, "0") != 0)
            bytes +=
                snprintf(text + bytes, sizeof text - (size_t)bytes, " %s%s", fields[i].name, value);
    }
    return line_fits(snprintf(line, line_bytes, "%s\r\n", text), line_bytes);
}

int protocol_write_go(const struct protocol_go *go, char *line, size_t line_bytes)
{
    assert(go->marker.count >= 1 && go->marker.count <= PROTOCOL_MARKER_BYTES_MAX);
    assert(go->from < go->frames || go->from == 0);
    return fields_write(greeting, "GO", go_fields, GO_FIELDS, go, line, line_bytes);
}

int protocol_write_start(uint64_t run, uint64_t in_ns, char *line, size_t line_bytes)
{
    const struct protocol_request request = {.go.run = run, .in_ns = in_ns};
    assert(in_ns <= PROTOCOL_IN_NS_MAX);
    return fields_write(greeting, "START", start_fields, START_FIELDS, &request, line, line_bytes);
}

int protocol_write_stats_request(uint64_t run, char *line, size_t line_bytes)
{
    const struct protocol_go go = {.run = run};
    return fields_write(greeting, "STATS", go_fields, 1, &go, line, line_bytes);
}

int protocol_write_stats(const struct protocol_stats *stats, char *line, size_t line_bytes)
{
    return fields_write("", "STATS", stats_fields, STATS_FIELDS, stats, line, line_bytes);
}

int protocol_write_time_request(char *line, size_t line_bytes)
{
    return line_fits(snprintf(line, line_bytes, "%sTIME\r\n", greeting), line_bytes);
}

int protocol_write_time(uint64_t wall_ns, char *line, size_t line_bytes)
{
    return fields_write("", "TIME", &time_field, 1, &wall_ns, line, line_bytes);
}

static bool name_is_good(const char *name)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i < bytes; i++)
        if (name[i] <= ' ' || name[i] > '~')
            return false;
    return bytes >= 1 && bytes <= PROTOCOL_NAME_BYTES_MAX;
}

int protocol_write_login(const char *user, const char *password, char *line, size_t line_bytes)
{
    if (!name_is_good(user) || !name_is_good(password))
        return -1;
    int bytes = snprintf(line, line_bytes, "%sLOGIN %s %s\r\n", greeting, user, password);
    return line_fits(bytes, line_bytes);
}

/* ---- reading values ---- */

static bool whole_read(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return digits > 0 && text[digits] == '\0' && errno == 0 && *value >= min && *value <= max;
}

static bool sizes_read(char *text, uint64_t min, uint64_t max, uint32_t sizes[2])
{
    uint64_t least, most;
    char *dots = strstr(text, "..");
    if (dots == NULL || dots - text >= SIZE_TEXT_BYTES_MAX)
        return false;
    *dots = '\0';
    if (!whole_read(text, min, max, &least) || !whole_read(dots + 2, least, max, &most))
        return false;
    sizes[0] = (uint32_t)least;
    sizes[1] = (uint32_t)most;
    return true;
}

/* strtod alone would also take blanks, signs, "inf", "nan" and hexadecimal. */
static bool rate_read(const char *text, double *rate)
{
    char *end;
    if (*text < '0' || *text > '9' || text[strspn(text, "0123456789.e+-")] != '\0')
        return false;
    *rate = strtod(text, &end);
    return *end == '\0' &&
           (*rate == 0 || (*rate >= PROTOCOL_RATE_MIN && *rate <= PROTOCOL_RATE_MAX));
}

static bool marker_read(const char *text, struct protocol_marker *marker)
{
    size_t digits = strspn(text, hex_digits);
    marker->count = (unsigned)digits / 2;
    if (text[digits] != '\0' || digits % 2 != 0 || marker->count < 1 ||
        marker->count > PROTOCOL_MARKER_BYTES_MAX)
        return false;
    for (unsigned i = 0; i < marker->count; i++)
        sscanf(text + 2 * i, "%2hhx", &marker->bytes[i]);
    return true;
}

static bool value_read(const struct field *field, char *text, void *value)
{
    switch (field->kind) {
    case ID:
        *(uint64_t *)value = strtoull(text, NULL, 16);
        return strlen(text) == 16 && strspn(text, hex_digits) == 16;
    case WHOLE:
        return whole_read(text, field->min, field->max, value);
    case SIZES:
        return sizes_read(text, field->min, field->max, value);
    case RATE:
        return rate_read(text, value);
    case SOURCE:
        *(enum protocol_source *)value = strcmp(text, "live") == 0 ? PROTOCOL_LIVE : PROTOCOL_TAPE;
        return strcmp(text, "live") == 0 || strcmp(text, "tape") == 0;
    case MARKER:
        return marker_read(text, value);
    case FLAG:
        *(bool *)value = strcmp(text, "1") == 0;
        return strcmp(text, "0") == 0 || strcmp(text, "1") == 0;
    }
    return false;
}

/* ---- reading lines ---- */

/* `text` without `start`; NULL: it begins otherwise. */
static const char *skip(const char *text, const char *start)
{
    size_t bytes = strlen(start);
    return strncmp(text, start, bytes) == 0 ? text + bytes : NULL;
}

/* Reads "name=value name=value ..." into the struct `into`. NULL, or what is wrong. */
static const char *fields_read(const struct field *fields, unsigned count, const char *text,
                               void *into)
{
    unsigned seen = 0;
    for (bool more = true; more;) {
        unsigned i = 0;
        while (i < count && skip(text, fields[i].name) == NULL)
            i++;
        if (i == count)
            return "a field has no known name, or there is a blank too many";
        if (seen & 1u << i)
            return fields[i].twice;
        seen |= 1u << i;
        text = skip(text, fields[i].name);
        size_t bytes = strcspn(text, " ");
        char value[VALUE_BYTES_MAX];
        snprintf(value, sizeof value, "%.*s", (int)bytes, text);
        if (bytes >= sizeof value ||
            !value_read(&fields[i], value, (char *)into + fields[i].offset))
            return fields[i].wrong;
        more = text[bytes] != '\0';
        text += bytes + more;
    }
    for (unsigned i = 0; i < count; i++)
        if ((seen & 1u << i) == 0 && !fields[i].optional)
            return fields[i].missing;
    return NULL;
}

static bool name_copy(char name[PROTOCOL_NAME_BYTES_MAX + 1], const char *text, size_t bytes)
{
    if (bytes > PROTOCOL_NAME_BYTES_MAX)
        return false;
    memcpy(name, text, bytes);
    name[bytes] = '\0';
    return name_is_good(name);
}

static const char *login_read(const char *text, struct protocol_request *request)
{
    const char *blank = strchr(text, ' ');
    if (blank == NULL || !name_copy(request->user, text, (size_t)(blank - text)) ||
        !name_copy(request->password, blank + 1, strlen(blank + 1)))
        return "LOGIN wants a user and a password, each of 1 to 64 printable characters";
    return NULL;
}

const char *protocol_read_request(const char *line, struct protocol_request *request)
{
    memset(request, 0, sizeof *request);
    const char *text = skip(line, greeting), *rest;
    if (text == NULL)
        return "a line begins with FANIN/1";
    if ((rest = skip(text, "LOGIN ")) != NULL) {
        request->kind = PROTOCOL_LOGIN;
        return login_read(rest, request);
    }
    if ((rest = skip(text, "GO ")) != NULL) {
        request->kind = PROTOCOL_GO;
        const char *wrong = fields_read(go_fields, GO_FIELDS, rest, &request->go);
        return wrong == NULL && request->go.from >= request->go.frames ? "from is not below frames"
                                                                       : wrong;
    }
    if ((rest = skip(text, "START ")) != NULL) {
        request->kind = PROTOCOL_START;
        return fields_read(start_fields, START_FIELDS, rest, request);
    }
    if ((rest = skip(text, "STATS ")) != NULL) {
        request->kind = PROTOCOL_STATS;
        return fields_read(go_fields, 1, rest, &request->go);
    }
    if (strcmp(text, "TIME") == 0) {
        request->kind = PROTOCOL_TIME;
        return NULL;
    }
    return "only LOGIN, GO, START, STATS and TIME are known";
}

const char *protocol_read_stats(const char *line, struct protocol_stats *stats)
{
    const char *rest = skip(line, "STATS ");
    return rest == NULL ? "an answer to STATS begins with STATS"
                        : fields_read(stats_fields, STATS_FIELDS, rest, stats);
}

const char *protocol_read_time(const char *line, uint64_t *wall_ns)
{
    const char *rest = skip(line, "TIME ");
    return rest == NULL ? "an answer to TIME begins with TIME"
                        : fields_read(&time_field, 1, rest, wall_ns);
}
