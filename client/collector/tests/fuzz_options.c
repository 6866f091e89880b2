/* The client's command line, a word a line: taken, or refused; never half of it. */
#include "base/tests/fuzz.h"

#include "client/collector/options.h"

enum { WORDS_MAX = 32 };

int fuzz_input(const uint8_t *data, size_t bytes)
{
    static const struct program_text program = {"fanin-client", "a test", ""};
    struct collector_options options;
    char *text = fuzz_text(data, bytes),
         *words[WORDS_MAX + 1] = {(char *)(uintptr_t) "fanin-client"};
    int count = 1;
    for (char *next = text, *word; count < WORDS_MAX && (word = strsep(&next, "\n")) != NULL;)
        words[count++] = word;
    if (collector_options_read(&program, count, words, &options) == OPTIONS_OK) {
        assert(options.servers != NULL && options.workers > 0 && options.concurrency > 0);
        assert(options.size_min <= options.size_max);
        assert(options.end_marker.bytes > 0);
    }
    free(text);
    return 0;
}
