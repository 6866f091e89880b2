/* Texts from outside: reading, refusing, splitting into lines. */
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

char *text_file(const char *path, size_t bytes_max, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL, *longer;
    size_t length = 0, got;
    if (file == NULL)
        return NULL;
    for (size_t room = 8192;; room *= 2) {
        longer = realloc(text, room);
        if (longer == NULL)
            break;
        text = longer;
        got = fread(text + length, 1, room - 1 - length, file);
        length += got;
        if (got == 0 || length > bytes_max)
            break;
    }
    int error = ferror(file) ? errno : 0; /* fread's: it is a directory, for one */
    fclose(file);
    if (longer == NULL)
        error = ENOMEM;
    else if (error == 0 && length > bytes_max)
        error = EFBIG;
    if (error == 0) {
        text[length] = '\0';
        *bytes = length;
        return text;
    }
    free(text);
    errno = error;
    return NULL;
}

const char *text_start(const char *text)
{
    const size_t bytes = sizeof byte_order_mark - 1;
    return strncmp(text, byte_order_mark, bytes) == 0 ? text + bytes : text;
}

/* ---- what is refused ------------------------------------------------------------------------- */

static bool begins(const char *at, const char *end, const char *sign)
{
    const size_t bytes = strlen(sign);
    return (size_t)(end - at) >= bytes && memcmp(at, sign, bytes) == 0;
}

/* The character at `at` if some take it for the end of a line, and others do not show it. */
static const char *hidden_name(const char *at, const char *end)
{
    static const struct {
        const char *sign, *name;
    } signs[] = {
        {"\xc2\x85", "the next-line character U+0085"},
        {"\xe2\x80\xa8", "the line separator U+2028"},
        {"\xe2\x80\xa9", "the paragraph separator U+2029"},
        {byte_order_mark, "a byte-order mark U+FEFF behind its start"},
    };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (begins(at, end, signs[i].sign))
            return signs[i].name;
    return NULL;
}

static bool is_refused(const char *at, const char *end, char *why, size_t why_bytes)
{
    const unsigned char byte = (unsigned char)*at;
    const char *name = byte < 0x80 ? NULL : hidden_name(at, end);
    if (byte == '\0')
        why_write(why, why_bytes, "holds a NUL byte; save it as plain text in UTF-8");
    else if ((byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f)
        why_write(why, why_bytes, "holds the control character 0x%02x%s; remove it", byte,
                  byte == '\f' ? " (form feed)" : "");
    else if (name != NULL)
        why_write(why, why_bytes, "holds %s; end lines with LF or CR LF", name);
    else
        return false;
    return true;
}

bool text_check(const char *text, size_t bytes, unsigned *line, char *why, size_t why_bytes)
{
    const char *end = text + bytes;
    *line = 1;
    if (begins(text, end, "\xff\xfe") || begins(text, end, "\xfe\xff")) {
        why_write(why, why_bytes, "is in UTF-16; save it as plain text in UTF-8");
        return false;
    }
    for (const char *at = begins(text, end, byte_order_mark) ? text_start(text) : text; at < end;
         at++) {
        if (is_refused(at, end, why, why_bytes))
            return false;
        *line += *at == '\n' || (*at == '\r' && at[1] != '\n');
    }
    return true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

size_t text_line(const char *text, const char **next)
{
    const size_t bytes = strcspn(text, "\r\n");
    *next = text + bytes;
    *next += **next == '\r' && (*next)[1] == '\n' ? 2 : **next != '\0';
    return bytes;
}

const char *text_trim(const char *text, size_t *bytes)
{
    while (*bytes > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        --*bytes;
    }
    while (*bytes > 0 && (text[*bytes - 1] == ' ' || text[*bytes - 1] == '\t'))
        --*bytes;
    return text;
}
