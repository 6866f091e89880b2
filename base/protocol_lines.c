/* Lines: what a client asks and a device answers, as text. The frames are in protocol.c.
 *
 * Reading is strict, because a client that asks for something else than it means measures
 * something else than it says: one blank between words, every field exactly once (in any order),
 * nothing unknown, every number within its range. */
#include "base/protocol.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char greeting[] = "FANIN/1 ";

/* ---- writing ---- */

static int line_fits(int bytes, size_t line_bytes)
{
    return bytes >= 0 && (size_t)bytes < line_bytes ? bytes : -1;
}

static void hex_write(const struct protocol_marker *marker, char *text)
{
    for (unsigned i = 0; i < marker->count; i++)
        snprintf(text + 2 * i, 3, "%02x", marker->bytes[i]);
}

/* The fewest digits that read back as the same number: 500 stays "500", and 1/3 loses nothing. */
static void rate_write(double rate, char *text, size_t text_bytes)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, text_bytes, "%.*g", digits, rate);
        if (strtod(text, NULL) == rate)
            break;
    }
}

/* " name=value", or nothing where the value is what leaving it out says. */
static void optional_write(const char *name, uint64_t value, char *text, size_t text_bytes)
{
    text[0] = '\0';
    if (value > 0)
        snprintf(text, text_bytes, " %s=%" PRIu64, name, value);
}

int protocol_write_go(const struct protocol_go *go, char *line, size_t line_bytes)
{
    assert(go->marker.count >= 1 && go->marker.count <= PROTOCOL_MARKER_BYTES_MAX);
    assert(go->from < go->frames || go->from == 0);
    char marker[2 * PROTOCOL_MARKER_BYTES_MAX + 1], rate[32], from[32], ago[32];

    hex_write(&go->marker, marker);
    rate_write(go->rate, rate, sizeof rate);
    optional_write("from", go->from, from, sizeof from);
    optional_write("ago", go->ago_ns, ago, sizeof ago);
    int bytes = snprintf(line, line_bytes,
                         "%sGO run=%016" PRIx64 " frames=%" PRIu64 " size=%" PRIu32 "..%" PRIu32
                         " rate=%s seed=%" PRIu64 " source=%s marker=%s%s%s\r\n",
                         greeting, go->run, go->frames, go->size_min, go->size_max, rate, go->seed,
                         go->source == PROTOCOL_LIVE ? "live" : "tape", marker, from, ago);
    return line_fits(bytes, line_bytes);
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

int protocol_write_stats_request(uint64_t run, char *line, size_t line_bytes)
{
    int bytes = snprintf(line, line_bytes, "%sSTATS run=%016" PRIx64 "\r\n", greeting, run);
    return line_fits(bytes, line_bytes);
}

int protocol_write_stats(const struct protocol_stats *stats, char *line, size_t line_bytes)
{
    int bytes =
        snprintf(line, line_bytes,
                 "STATS run=%016" PRIx64 " process=%016" PRIx64 " connections=%" PRIu64
                 " frames=%" PRIu64 " bytes=%" PRIu64 " faults=%" PRIu64 " cpu_ns=%" PRIu64 "\r\n",
                 stats->run, stats->process, stats->connections, stats->frames, stats->bytes,
                 stats->faults, stats->cpu_ns);
    return line_fits(bytes, line_bytes);
}

/* ---- reading values ---- */

/* A field "name=value" of a line, and where its value goes. */
struct field {
    const char *name; /* with its '=' */
    const char *wrong, *missing, *twice;
    int (*read)(const struct field *field, const char *text, void *value);
    size_t offset;
    uint64_t min, max; /* of whole_read */
    bool optional;
};

static int whole_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;
    if (*text == '\0')
        return -1;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned char)*text - (unsigned)'0';
        if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
            return -1;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return sum >= min && sum <= max ? 0 : -1;
}

static int whole_read(const struct field *field, const char *text, void *value)
{
    return whole_parse(text, field->min, field->max, value);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_read(const struct field *field, const char *text, void *value)
{
    uint64_t number = 0;
    if (strlen(text) != 16)
        return -1;
    for (; *text != '\0'; text++) {
        int digit = hex_digit(*text);
        if (digit < 0)
            return -1;
        number = number << 4 | (uint64_t)digit;
    }
    *(uint64_t *)value = number;
    return 0;
}

/* Into size_min and the size_max behind it. */
static int size_read(const struct field *field, const char *text, void *value)
{
    char min_text[16];
    uint64_t min, max;
    const char *dots = strstr(text, "..");
    if (dots == NULL || (size_t)(dots - text) >= sizeof min_text)
        return -1;
    memcpy(min_text, text, (size_t)(dots - text));
    min_text[dots - text] = '\0';
    if (whole_parse(min_text, field->min, field->max, &min) < 0 ||
        whole_parse(dots + 2, min, field->max, &max) < 0)
        return -1;
    ((uint32_t *)value)[0] = (uint32_t)min;
    ((uint32_t *)value)[1] = (uint32_t)max;
    return 0;
}

/* strtod alone would also take blanks, signs, "inf", "nan" and hexadecimal. */
static int rate_read(const struct field *field, const char *text, void *value)
{
    char *end;
    if (*text < '0' || *text > '9' || text[strspn(text, "0123456789.e+-")] != '\0')
        return -1;
    double rate = *(double *)value = strtod(text, &end);
    if (*end != '\0')
        return -1;
    return rate == 0 || (rate >= PROTOCOL_RATE_MIN && rate <= PROTOCOL_RATE_MAX) ? 0 : -1;
}

static int marker_read(const struct field *field, const char *text, void *value)
{
    struct protocol_marker *marker = value;
    size_t digits = strlen(text);
    if (digits < 2 || digits > 2 * PROTOCOL_MARKER_BYTES_MAX || digits % 2 != 0)
        return -1;
    for (size_t i = 0; i < digits; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        marker->bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    marker->count = (unsigned)digits / 2;
    return 0;
}

static int source_read(const struct field *field, const char *text, void *value)
{
    bool is_live = strcmp(text, "live") == 0;
    *(enum protocol_source *)value = is_live ? PROTOCOL_LIVE : PROTOCOL_TAPE;
    return is_live || strcmp(text, "tape") == 0 ? 0 : -1;
}

/* ---- reading lines ---- */

#define FIELD(name, wants)                                                                         \
    name "=", name " wants " wants, name " is missing", name " is there twice"
#define GO(field)    offsetof(struct protocol_go, field)
#define STATS(field) offsetof(struct protocol_stats, field)
#define ID           "16 lower-case hexadecimal digits"
#define COUNT        "a whole number below 2^64"

enum { VALUE_BYTES_MAX = 64 };

static const struct field go_fields[] = {
    {FIELD("run", ID), hex_read, GO(run), 0, 0, false},
    {FIELD("frames", "a whole number from 1 to 100000000"), whole_read, GO(frames), 1,
     PROTOCOL_FRAMES_MAX, false},
    {FIELD("size", "MIN..MAX in bytes, each from 65 to 67108864, MIN not above MAX"), size_read,
     GO(size_min), PROTOCOL_FRAME_BYTES_MIN, PROTOCOL_FRAME_BYTES_MAX, false},
    {FIELD("rate", "0 or a number from 0.001 to 1000000"), rate_read, GO(rate), 0, 0, false},
    {FIELD("seed", COUNT), whole_read, GO(seed), 0, UINT64_MAX, false},
    {FIELD("source", "tape or live"), source_read, GO(source), 0, 0, false},
    {FIELD("marker", "1 to 16 bytes in lower-case hexadecimal"), marker_read, GO(marker), 0, 0,
     false},
    {FIELD("from", "a whole number from 0 to 99999999"), whole_read, GO(from), 0,
     PROTOCOL_FRAMES_MAX - 1, true},
    {FIELD("ago", "nanoseconds, at most 10^18"), whole_read, GO(ago_ns), 0, PROTOCOL_AGO_NS_MAX,
     true},
};

_Static_assert(GO(size_max) == GO(size_min) + sizeof(uint32_t), "size_read writes both");
_Static_assert(PROTOCOL_FRAMES_MAX == 100000000, "the text for frames says so");
_Static_assert(PROTOCOL_FRAME_BYTES_MIN == 65, "the text for size says so");
_Static_assert(PROTOCOL_FRAME_BYTES_MAX == 67108864, "the text for size says so");

static const struct field stats_fields[] = {
    {FIELD("run", ID), hex_read, STATS(run), 0, 0, false},
    {FIELD("process", ID), hex_read, STATS(process), 0, 0, false},
    {FIELD("connections", COUNT), whole_read, STATS(connections), 0, UINT64_MAX, false},
    {FIELD("frames", COUNT), whole_read, STATS(frames), 0, UINT64_MAX, false},
    {FIELD("bytes", COUNT), whole_read, STATS(bytes), 0, UINT64_MAX, false},
    {FIELD("faults", COUNT), whole_read, STATS(faults), 0, UINT64_MAX, false},
    {FIELD("cpu_ns", COUNT), whole_read, STATS(cpu_ns), 0, UINT64_MAX, false},
};

enum {
    GO_FIELDS = sizeof go_fields / sizeof *go_fields,
    STATS_FIELDS = sizeof stats_fields / sizeof *stats_fields,
};

static const struct field *field_find(const struct field *fields, unsigned count, const char *word)
{
    for (unsigned i = 0; i < count; i++)
        if (strncmp(word, fields[i].name, strlen(fields[i].name)) == 0)
            return &fields[i];
    return NULL;
}

/* The word "name=value" of `bytes`. */
static int word_read(const struct field *field, const char *word, size_t bytes, void *into)
{
    char value[VALUE_BYTES_MAX];
    size_t name_bytes = strlen(field->name);
    assert(bytes >= name_bytes);
    if (bytes - name_bytes >= sizeof value)
        return -1;
    memcpy(value, word + name_bytes, bytes - name_bytes);
    value[bytes - name_bytes] = '\0';
    return field->read(field, value, (char *)into + field->offset);
}

/* Reads "name=value name=value ..." into the struct `into`. NULL, or what is wrong. */
static const char *fields_read(const struct field *fields, unsigned count, const char *text,
                               void *into)
{
    unsigned seen = 0;
    for (bool more = true; more;) {
        size_t bytes = strcspn(text, " ");
        const struct field *field = field_find(fields, count, text);
        if (field == NULL)
            return "a field has no known name, or there is a blank too many";
        if (seen & 1u << (field - fields))
            return field->twice;
        seen |= 1u << (field - fields);
        if (word_read(field, text, bytes, into) < 0)
            return field->wrong;
        more = text[bytes] != '\0';
        text += bytes + more;
    }
    for (unsigned i = 0; i < count; i++)
        if ((seen & 1u << i) == 0 && !fields[i].optional)
            return fields[i].missing;
    return NULL;
}

static int name_copy(char name[PROTOCOL_NAME_BYTES_MAX + 1], const char *text, size_t bytes)
{
    if (bytes > PROTOCOL_NAME_BYTES_MAX)
        return -1;
    memcpy(name, text, bytes);
    name[bytes] = '\0';
    return name_is_good(name) ? 0 : -1;
}

static const char *login_read(const char *text, struct protocol_request *request)
{
    const char *blank = strchr(text, ' ');
    if (blank == NULL || name_copy(request->user, text, (size_t)(blank - text)) < 0 ||
        name_copy(request->password, blank + 1, strlen(blank + 1)) < 0)
        return "LOGIN wants a user and a password, each of 1 to 64 printable characters";
    return NULL;
}

static const char *skip(const char *text, const char *start)
{
    size_t bytes = strlen(start);
    return strncmp(text, start, bytes) == 0 ? text + bytes : NULL;
}

static const char *go_read(const char *text, struct protocol_go *go)
{
    const char *wrong = fields_read(go_fields, GO_FIELDS, text, go);
    return wrong == NULL && go->from >= go->frames ? "from is not below frames" : wrong;
}

static const char *request_read(const char *line, struct protocol_request *request)
{
    const char *text = skip(line, greeting), *rest;
    if (text == NULL)
        return "a line begins with FANIN/1";
    if ((rest = skip(text, "LOGIN ")) != NULL) {
        request->kind = PROTOCOL_LOGIN;
        return login_read(rest, request);
    }
    if ((rest = skip(text, "GO ")) != NULL) {
        request->kind = PROTOCOL_GO;
        return go_read(rest, &request->go);
    }
    if ((rest = skip(text, "STATS ")) != NULL) {
        request->kind = PROTOCOL_STATS;
        return fields_read(go_fields, 1, rest, &request->go);
    }
    return "only LOGIN, GO and STATS are known";
}

int protocol_read_request(const char *line, struct protocol_request *request, const char **why)
{
    memset(request, 0, sizeof *request);
    const char *wrong = request_read(line, request);
    if (wrong == NULL)
        return 0;
    *why = wrong;
    return -1;
}

int protocol_read_stats(const char *line, struct protocol_stats *stats, const char **why)
{
    const char *rest = skip(line, "STATS ");
    const char *wrong = rest == NULL ? "an answer to STATS begins with STATS"
                                     : fields_read(stats_fields, STATS_FIELDS, rest, stats);
    if (wrong == NULL)
        return 0;
    *why = wrong;
    return -1;
}
