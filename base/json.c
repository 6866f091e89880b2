/* One JSON object on one line. */
#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* By the table of RFC 3629. The ranges of the second byte leave out overlong forms, surrogates and
 * what lies beyond Unicode. */
size_t utf8_bytes(const char *at)
{
    const unsigned char *text = (const unsigned char *)at;
    static const struct {
        unsigned char first, last, low, high, bytes;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (text[0] < rows[i].first || text[0] > rows[i].last)
            continue;
        if (rows[i].bytes > 1 && (text[1] < rows[i].low || text[1] > rows[i].high))
            return 0;
        for (size_t k = 2; k < rows[i].bytes; k++)
            if (text[k] < 0x80 || text[k] > 0xbf)
                return 0;
        return rows[i].bytes;
    }
    return 0;
}

static void write_ascii(FILE *out, unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        fprintf(out, "\\%c", byte);
    else if (byte < 0x20 || byte >= 0x7f)
        fprintf(out, "\\u%04x", byte);
    else
        fputc(byte, out);
}

static void write_text(FILE *out, const char *text)
{
    fputc('"', out);
    while (*text) {
        size_t bytes = utf8_bytes(text);
        if (bytes > 1)
            fwrite(text, 1, bytes, out);
        else if (bytes == 1)
            write_ascii(out, (unsigned char)*text);
        else
            fputs("\\ufffd", out);
        text += bytes ? bytes : 1;
    }
    fputc('"', out);
}

static void write_key(struct json *json, const char *key)
{
    if (json->started)
        fputc(',', json->out);
    json->started = true;
    if (key == NULL) /* in an array */
        return;
    write_text(json->out, key);
    fputc(':', json->out);
}

void json_open(struct json *json, FILE *out)
{
    *json = (struct json){.out = out};
    fputc('{', out);
}

int json_close(struct json *json)
{
    fputs("}\n", json->out);
    errno = 0;
    if (fflush(json->out) == 0 && !ferror(json->out))
        return 0;
    return errno ? -errno : -EIO;
}

void json_text(struct json *json, const char *key, const char *text)
{
    if (!text) {
        json_null(json, key);
        return;
    }
    write_key(json, key);
    write_text(json->out, text);
}

void json_bytes(struct json *json, const char *key, const void *data, size_t bytes)
{
    assert(data || bytes == 0);
    const unsigned char *byte = data;
    write_key(json, key);
    fputc('"', json->out);
    for (size_t i = 0; i < bytes; i++)
        write_ascii(json->out, byte[i]);
    fputc('"', json->out);
}

void json_count(struct json *json, const char *key, uint64_t value)
{
    write_key(json, key);
    fprintf(json->out, "%" PRIu64, value);
}

void json_integer(struct json *json, const char *key, int64_t value)
{
    write_key(json, key);
    fprintf(json->out, "%" PRId64, value);
}

void json_number(struct json *json, const char *key, double value)
{
    if (!isfinite(value)) {
        json_null(json, key);
        return;
    }
    /* The shorter form where it reads back as the same number. */
    char text[32];
    snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof(text), "%.17g", value);
    write_key(json, key);
    fputs(text, json->out);
}

void json_flag(struct json *json, const char *key, bool value)
{
    write_key(json, key);
    fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
    write_key(json, key);
    fputs("null", json->out);
}

void json_object(struct json *json, const char *key, const char *object)
{
    if (!object) {
        json_null(json, key);
        return;
    }
    write_key(json, key);
    fputs(object, json->out);
}

static void open_with(struct json *json, const char *key, char bracket)
{
    write_key(json, key);
    fputc(bracket, json->out);
    json->started = false;
}

static void close_with(struct json *json, char bracket)
{
    fputc(bracket, json->out);
    json->started = true;
}

void json_object_open(struct json *json, const char *key)
{
    open_with(json, key, '{');
}

void json_object_close(struct json *json)
{
    close_with(json, '}');
}

void json_array_open(struct json *json, const char *key)
{
    open_with(json, key, '[');
}

void json_array_close(struct json *json)
{
    close_with(json, ']');
}
