/* An X server of its own for each screen, with a painter on it while somebody watches. */
#ifndef FANIN_DESKTOP_H
#define FANIN_DESKTOP_H

#include "mock_servers/screens/child.h"
#include "mock_servers/screens/options.h"

enum { DESKTOP_ARGUMENTS_MAX = 40, DESKTOP_NUMBER_BYTES = 16 };

struct desktop {
    struct child server, painter;       /* painter: not started while nobody watches */
    char display[DESKTOP_NUMBER_BYTES]; /* ":7" */
    bool is_read;                       /* another reads the server's log */
};

/* A command line, which holds its texts. */
struct arguments {
    char *argv[DESKTOP_ARGUMENTS_MAX];
    unsigned count;
    char texts[1024];
    size_t used;
};

/* arguments_add: as printf. One argument. */
void arguments_add(struct arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* desktops_start: config->count of them, all at once; waits until each can be used. `server` writes
 * the X server's command line, without -displayfd; NULL: Xvfb's. 0, or -1 with `why` and nothing
 * left behind; -1 also when interrupted. */
typedef void server_command(struct arguments *arguments, const struct screens_config *config,
                            unsigned number);
int desktops_start(const struct screens_config *config, server_command *server, char *why,
                   size_t why_bytes);
void desktops_stop(void); /* also if none were started */

struct desktop *desktop_of(unsigned number);

/* desktop_watched: a viewer has come: the painter starts; what it paints comes later. 0, or -1 with
 * `why`. desktop_unwatched: the last one has left. An X server on which nobody paints costs no CPU
 * time, so many of them can wait beside one that is measured. */
int desktop_watched(struct desktop *desktop, char *why, size_t why_bytes);
void desktop_unwatched(struct desktop *desktop);

/* desktop_ended: with `why`: its X server or a painter that was started is no longer there. */
bool desktop_ended(struct desktop *desktop, char *why, size_t why_bytes);

#endif
