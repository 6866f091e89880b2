/* A recursive descent over JSON. Every skip_ takes a place in the text and returns the place after
 * what it skipped, NULL if it is not there; NULL goes through unharmed, so that skips can be
 * strung together. */
#include "base/json_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const char *skip_value(const char *at, unsigned depth);

static const char *skip_blanks(const char *at)
{
    return at == NULL ? NULL : at + strspn(at, " \t\r\n");
}

static const char *skip_char(const char *at, char c)
{
    at = skip_blanks(at);
    return at != NULL && *at == c ? skip_blanks(at + 1) : NULL;
}

static const char *skip_character(const char *at)
{
    size_t bytes = utf8_bytes(at);
    return bytes == 0 ? NULL : at + bytes;
}

static const char *skip_escape(const char *at)
{
    if (*at != 'u')
        return *at != '\0' && strchr("\"\\/bfnrt", *at) != NULL ? at + 1 : NULL;
    return strspn(at + 1, "0123456789abcdefABCDEF") >= 4 ? at + 5 : NULL;
}

static const char *skip_text(const char *at)
{
    if (at == NULL || *at != '"')
        return NULL;
    at++;
    while (at != NULL && *at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        at = *at == '\\' ? skip_escape(at + 1) : skip_character(at);
    }
    return at == NULL ? NULL : at + 1;
}

static const char *skip_digits(const char *at)
{
    size_t count = strspn(at, "0123456789");
    return count == 0 ? NULL : at + count;
}

static const char *skip_number(const char *at)
{
    at += *at == '-';
    if (*at == '0' && at[1] >= '0' && at[1] <= '9')
        return NULL;
    at = skip_digits(at);
    if (at != NULL && *at == '.')
        at = skip_digits(at + 1);
    if (at != NULL && (*at == 'e' || *at == 'E'))
        at = skip_digits(at + 1 + (at[1] == '+' || at[1] == '-'));
    return at;
}

static const char *skip_word(const char *at, const char *word)
{
    return strncmp(at, word, strlen(word)) == 0 ? at + strlen(word) : NULL;
}

static const char *skip_member(const char *at, bool keyed, unsigned depth)
{
    if (keyed)
        at = skip_char(skip_text(skip_blanks(at)), ':');
    return skip_value(at, depth);
}

static const char *skip_members(const char *at, char close, unsigned depth)
{
    at = skip_blanks(at + 1);
    if (depth == 0)
        return NULL;
    if (*at == close)
        return at + 1;
    for (const char *next = at; next != NULL; next = skip_char(at, ','))
        at = skip_blanks(skip_member(next, close == '}', depth - 1));
    return at != NULL && *at == close ? at + 1 : NULL;
}

static const char *skip_value(const char *at, unsigned depth)
{
    at = skip_blanks(at);
    if (at == NULL)
        return NULL;
    switch (*at) {
    case '{':
        return skip_members(at, '}', depth);
    case '[':
        return skip_members(at, ']', depth);
    case '"':
        return skip_text(at);
    case 't':
        return skip_word(at, "true");
    case 'f':
        return skip_word(at, "false");
    case 'n':
        return skip_word(at, "null");
    default:
        return skip_number(at);
    }
}

bool json_is_object(const char *text)
{
    const char *at = skip_blanks(text);
    if (*at != '{')
        return false;
    at = skip_blanks(skip_value(at, JSON_DEPTH_MAX));
    return at != NULL && *at == '\0';
}

/* The first or next member at `at`: its key's quote, or NULL. */
static const char *skip_to_member(const char *at)
{
    return at != NULL && *at == '"' ? at : NULL;
}

static const char *skip_past_member(const char *at)
{
    return skip_to_member(skip_char(skip_member(at, true, JSON_DEPTH_MAX), ','));
}

/* Keys are compared as they stand: ours need no escapes. */
const char *json_find(const char *object, const char *key)
{
    size_t length = strlen(key);
    const char *at = skip_to_member(skip_char(object, '{'));
    for (; at != NULL; at = skip_past_member(at)) {
        const char *end = skip_text(at);
        if ((size_t)(end - at) == length + 2 && memcmp(at + 1, key, length) == 0)
            return skip_char(end, ':');
    }
    return NULL;
}

const char *json_member(struct arena *arena, const char *object, unsigned index, char **key)
{
    const char *at = skip_to_member(skip_char(object, '{'));
    while (at != NULL && index-- > 0)
        at = skip_past_member(at);
    if (at == NULL)
        return NULL;
    const char *end = skip_text(at);
    *key = arena_copy(arena, at + 1, (size_t)(end - at) - 2);
    return skip_char(end, ':');
}

const char *json_item(const char *array, unsigned index)
{
    const char *at = *array == '[' ? skip_blanks(array + 1) : NULL;
    if (at == NULL || *at == ']')
        return NULL;
    while (at != NULL && index-- > 0)
        at = skip_char(skip_member(at, false, JSON_DEPTH_MAX), ',');
    return at;
}

/* As UTF-8: six bits in each byte but the first. */
static char *put_wide(char *to, unsigned long code)
{
    static const unsigned char firsts[] = {0, 0xC0, 0xE0, 0xF0};
    unsigned more = (code >= 0x80) + (code >= 0x800) + (code >= 0x10000);
    *to++ = (char)(firsts[more] | code >> 6 * more);
    while (more-- > 0)
        *to++ = (char)(0x80 | (code >> 6 * more & 0x3F));
    return to;
}

static unsigned long read_hex(const char *digits)
{
    char four[5] = {digits[0], digits[1], digits[2], digits[3], '\0'};
    return strtoul(four, NULL, 16);
}

/* `at` is after the backslash; returns the place after the escape. */
static const char *unescape(const char *at, char **to)
{
    static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *name = strchr(names, *at);
    if (*at != 'u') {
        *(*to)++ = name == NULL ? *at : meanings[name - names];
        return at + 1;
    }
    unsigned long code = read_hex(at + 1);
    at += 5;
    if (code >= 0xD800 && code < 0xDC00 && at[0] == '\\' && at[1] == 'u') {
        code = 0x10000 + ((code - 0xD800) << 10) + ((read_hex(at + 2) - 0xDC00) & 0x3FF);
        at += 6;
    }
    *to = put_wide(*to, code);
    return at;
}

char *json_find_text(struct arena *arena, const char *object, const char *key)
{
    const char *at = json_find(object, key);
    if (at == NULL || *at != '"')
        return NULL;
    char *text = arena_take(arena, (size_t)(skip_text(at) - at)), *to = text;
    for (at++; *at != '"';) {
        if (*at == '\\')
            at = unescape(at + 1, &to);
        else
            *to++ = *at++;
    }
    return text;
}

char *json_item_copy(struct arena *arena, const char *array, unsigned index)
{
    const char *at = json_item(array, index);
    return at == NULL ? NULL : arena_copy(arena, at, (size_t)(skip_value(at, JSON_DEPTH_MAX) - at));
}

char *json_find_copy(struct arena *arena, const char *object, const char *key)
{
    const char *at = json_find(object, key);
    return at == NULL ? NULL : arena_copy(arena, at, (size_t)(skip_value(at, JSON_DEPTH_MAX) - at));
}

bool json_find_number(const char *object, const char *key, double *number)
{
    const char *at = json_find(object, key);
    if (at == NULL || (*at != '-' && (*at < '0' || *at > '9')))
        return false;
    *number = strtod(at, NULL);
    return true;
}
