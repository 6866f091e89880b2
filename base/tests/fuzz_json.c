/* JSON from outside: a text is one object or none; what is found in it is inside it; and every text
 * that we write can be read again. */
#include "base/tests/fuzz.h"

#include <stdio.h>

#include "base/json.h"
#include "base/json_read.h"

static void object_read(struct arena *arena, const char *text)
{
    char *key;
    double number;
    for (unsigned i = 0; json_member(arena, text, i, &key) != NULL; i++) {
        const char *found = json_find(text, key);
        char *copy = json_find_copy(arena, text, key);
        assert((found == NULL) == (copy == NULL));
        assert(found == NULL || (found > text && found + strlen(copy) < text + strlen(text)));
        json_find_text(arena, text, key);
        json_find_number(text, key, &number);
    }
}

/* As a member's value, and as bytes that need not be a text. */
static void text_write(struct arena *arena, const char *text)
{
    struct json json;
    char *line = NULL;
    size_t line_bytes = 0, valid = 0;
    FILE *out = open_memstream(&line, &line_bytes);
    assert(out != NULL);
    json_open(&json, out);
    json_text(&json, "text", text);
    json_bytes(&json, "bytes", text, strlen(text));
    assert(json_close(&json) == 0 && fclose(out) == 0);
    assert(json_is_object(line));
    while (text[valid] != '\0' && utf8_bytes(text + valid) > 0)
        valid += utf8_bytes(text + valid);
    const char *again = json_find_text(arena, line, "text");
    assert(again != NULL && (text[valid] != '\0' || strcmp(again, text) == 0));
    free(line);
}

int fuzz_input(const uint8_t *data, size_t bytes)
{
    struct arena arena = {0};
    char *text = fuzz_text(data, bytes);
    if (json_is_object(text))
        object_read(&arena, text);
    text_write(&arena, text);
    arena_free(&arena);
    free(text);
    return 0;
}
