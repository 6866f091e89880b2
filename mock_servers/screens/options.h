/* What fanin-screens can be told. */
#ifndef FANIN_SCREENS_OPTIONS_H
#define FANIN_SCREENS_OPTIONS_H

#include "base/net.h"
#include "base/rfb/secret.h"
#include "mock_servers/faults.h"
#include "mock_servers/screens/source.h"

enum { SCREENS_COUNT_MAX = 10000, PICTURE_SIDE_MAX = 16384 };

/* As used once screens_options_read has returned. */
struct screens_config {
    uint64_t count;
    const char *device_name;
    const struct source_kind *source; /* of that name; NULL: `device` */
    const struct device_kind *device; /* programs of others; NULL: `source` */
    const char *display;              /* that a source captures; NULL: its own choice */
    const char *paint;                /* only paint on this display; NULL: no */
    const struct scene_kind *scene;
    double scene_rate; /* frames a second; 0: the picture stands still */
    struct picture_size {
        unsigned width, height;
    } size;
    uint64_t seed;
    uint64_t pictures; /* scenes: different pictures; screens beyond share them */
    bool view_only;
    const char *listen, *connect; /* as given */
    uint64_t port;
    struct net_address address; /* --listen: of screen 0; --connect: of the viewer */

    const char *password_file, *tls_certificate, *tls_key; /* NULL: none */
    char password[SECRET_PASSWORD_MAX + 1];                /* "": none */
    bool allow_anyone;

    struct fault_list faults;
    const char *ready_file;
    bool dry_run, quiet;
};

/* screens_options_read: reads argv, answers --help and --version, checks options against each
 * other. OPTIONS_OK, OPTIONS_DONE, or OPTIONS_WRONG after one line on stderr. */
int screens_options_read(int argc, char **argv, struct screens_config *config);

#endif
