#include "client/buffers/roster.h"

#include <assert.h>
#include <stdlib.h>

int roster_open(struct roster *roster, uint32_t streams_max)
{
    *roster = (struct roster){.max = streams_max};
    roster->streams = calloc(streams_max, sizeof(struct stream *));
    if (roster->streams == NULL)
        return -1;
    pthread_mutex_init(&roster->lock, NULL);
    return 0;
}

struct stream *roster_add(struct roster *roster, size_t state_bytes, void *owner,
                          uint64_t frames_expected, uint64_t bytes_expected)
{
    assert(state_bytes >= sizeof(struct stream));
    assert((frames_expected > 0) == (bytes_expected > 0));
    struct stream *stream = NULL;

    pthread_mutex_lock(&roster->lock);
    if (roster->count < roster->max)
        stream = calloc(1, state_bytes);
    if (stream != NULL) {
        stream->owner = owner;
        stream->id = roster->count;
        stream->frames_expected = frames_expected;
        stream->bytes_expected = bytes_expected;
        roster->streams[roster->count++] = stream;
    }
    pthread_mutex_unlock(&roster->lock);
    return stream;
}

void roster_close(struct roster *roster)
{
    for (uint32_t i = 0; i < roster->count; i++)
        free(roster->streams[i]);
    free(roster->streams);
    pthread_mutex_destroy(&roster->lock);
}
