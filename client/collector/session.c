#include "client/collector/session.h"

#include "base/os.h"

enum {
    DESCRIPTORS_SPARE = 64
}; /* standard streams, the engine's own, the fleet's STATS, a library's */

int session_open(struct session *session, const struct collector_program *program, int argc,
                 char **argv)
{
    char why[ROW_LINE_BYTES];
    session->program = program;
    session->report = (struct report){.program = program->name};
    int parsed = collector_options_read(program, argc, argv, &session->options);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    if (servers_read(&session->servers, &session->options, why, sizeof why) != 0 ||
        request_book_fill(&session->book, &session->options, session->servers.count, why,
                          sizeof why) != 0)
        return session_wrong(session, why);
    int result = report_open(&session->report, program->name, &session->options);
    if (result != EXIT_DONE) {
        session_drop(session);
        return result;
    }
    row_init(&session->row, &session->options);
    session->row.servers = session->servers.count;
    session->row.idle_servers =
        session->servers.count - request_asked(&session->book, session->servers.count);
    const struct request *first = request_of(&session->book, 0);
    session->row.request = (struct row_bytes){first->text, first->bytes};
    net_address_text(&session->servers.addresses[0], session->row.target);
    return SESSION_OPEN;
}

bool session_reserve(struct session *session)
{
    char why[ROW_LINE_BYTES];
    uint64_t limit = 0, wanted = session->servers.count + (uint64_t)DESCRIPTORS_SPARE;
    if (os_descriptors_reserve(wanted, &limit) == 0)
        return true;
    snprintf(why, sizeof why,
             "%u servers need %llu descriptors, the hard limit is %llu: raise it (ulimit -Hn %llu "
             "as root, or nofile in /etc/security/limits.conf) or ask for fewer --servers",
             session->servers.count, (unsigned long long)wanted, (unsigned long long)limit,
             (unsigned long long)wanted);
    row_skip(&session->row, why);
    return false;
}

void session_drop(struct session *session)
{
    report_drop(&session->report);
    servers_free(&session->servers);
}

int session_wrong(struct session *session, const char *why)
{
    fprintf(stderr, "%s: %s\n", session->program->name, why);
    session_drop(session);
    return EXIT_WRONG_USE;
}

int session_close(struct session *session)
{
    int code = report_close(&session->report, &session->row);
    servers_free(&session->servers);
    return code;
}
