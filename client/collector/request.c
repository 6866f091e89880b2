#include "client/collector/request.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "client/collector/wire.h"
#include "client/os/os.h"

static uint64_t lengths_sum(const struct protocol_go *go)
{
    uint64_t sum = 0;
    if (go->size_min == go->size_max)
        return go->frames * go->size_min;
    for (uint64_t seq = 0; seq < go->frames; seq++)
        sum += protocol_frame_length(go->seed, seq, go->size_min, go->size_max);
    return sum;
}

static int go_fill(struct request *request, const struct protocol_go *go)
{
    int bytes = protocol_write_go(go, request->text, PROTOCOL_LINE_BYTES_MAX);
    if (bytes < 0)
        return -1;
    request->bytes = (size_t)bytes;
    request->frames_expected = go->frames;
    request->bytes_expected = lengths_sum(go);
    return 0;
}

static void foreign_fill(struct request *request, const struct collector_options *options)
{
    const struct text_value *text = &options->request.text;
    assert(text->bytes <= TEXT_BYTES_MAX);
    memcpy(request->text, text->data, text->bytes);
    request->bytes = text->bytes;
    request->frames_expected = options->frames > 0 ? options->frames : UINT64_MAX;
    request->bytes_expected = UINT64_MAX;
}

int request_book_fill(struct request_book *book, const struct collector_options *options,
                      uint32_t servers, char *why, size_t why_bytes)
{
    assert(servers > 0);
    memset(book, 0, sizeof *book);
    book->run = os_identity();
    for (uint32_t i = 0; i < REQUEST_SEEDS; i++) {
        const struct protocol_go go = {
            .run = book->run,
            .frames = options->frames,
            .size_min = (uint32_t)options->size.min,
            .size_max = (uint32_t)options->size.max,
            .rate = options->rate / servers,
            .seed = options->seed + i,
            .source = options->source == SOURCE_LIVE ? PROTOCOL_LIVE : PROTOCOL_TAPE,
            .marker = collector_options_marker(options),
        };
        if (options->request.given)
            foreign_fill(&book->requests[i], options);
        else if (go_fill(&book->requests[i], &go) != 0) {
            snprintf(why, why_bytes, "the request does not fit a line of %d bytes",
                     PROTOCOL_LINE_BYTES_MAX);
            return -1;
        }
    }
    if (!options->login.given)
        return 0;
    int bytes = protocol_write_login(options->login.user, options->login.password, book->login,
                                     sizeof book->login);
    if (bytes < 0) {
        snprintf(why, why_bytes, "--login does not fit a line of %d bytes",
                 PROTOCOL_LINE_BYTES_MAX);
        return -1;
    }
    book->login_bytes = (size_t)bytes;
    return 0;
}

const struct request *request_of(const struct request_book *book, uint32_t index)
{
    return &book->requests[index % REQUEST_SEEDS];
}

int request_log_in(const struct request_book *book, cp_handle handle, uint64_t timeout_ns)
{
    char answer[PROTOCOL_LINE_BYTES_MAX];
    if (book->login_bytes == 0)
        return 0;
    int result = wire_send(handle, book->login, book->login_bytes, timeout_ns);
    if (result == 0)
        result = wire_read_line(handle, answer, sizeof answer, timeout_ns);
    if (result == 0 && strcmp(answer, "OK") != 0)
        result = CP_EACCES;
    return result;
}
