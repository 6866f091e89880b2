/* What a server says instead of frames, in any pieces: understood as if it had come whole. */
#include "base/tests/fuzz.h"

#include "client/collector/request.h"

struct heard {
    enum refusal_state state;
    char text[PROTOCOL_LINE_BYTES_MAX];
    const char *name;
};

static struct heard listen_to(const uint8_t *data, size_t bytes, size_t piece)
{
    struct refusal *refusal = NULL;
    struct heard heard = {.state = REFUSAL_PART};
    for (size_t at = 0, part; at < bytes && heard.state == REFUSAL_PART; at += part) {
        part = piece == 0 || piece > bytes - at ? bytes - at : piece;
        heard.state = refusal_feed(&refusal, data + at, part);
    }
    if (refusal != NULL) {
        heard.name = refusal_name(refusal);
        assert(strlen(refusal->text) < sizeof heard.text && heard.name != NULL);
        strcpy(heard.text, refusal->text);
    }
    free(refusal);
    return heard;
}

int fuzz_input(const uint8_t *data, size_t bytes)
{
    const size_t piece = fuzz_byte(&data, &bytes);
    struct heard whole = listen_to(data, bytes, 0), pieces = listen_to(data, bytes, piece);
    assert(whole.state == pieces.state && whole.name == pieces.name);
    assert(strcmp(whole.text, pieces.text) == 0);
    const char *verdict = login_verdict((const char *)data, bytes);
    assert(verdict == NULL || strncmp(verdict, "login-", 6) == 0);
    return 0;
}
