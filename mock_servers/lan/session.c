/*     far command --- ready? ---> near command --- ends ---> far command is stopped, exit code
 *          |                          |   ^
 *          ends with a failure        |   '--- the link is cut and mended meanwhile
 *          -> near is stopped, 1      signals to us are passed on to near
 *
 * Where we are in a terminal's foreground the near command shares our process group, as with any
 * program that starts another: the terminal's keys reach it without us, and we let them pass. Else
 * it has a group of its own, and whatever we are sent goes there; for a signal that is sent to a
 * whole group (as timeout does) would reach it twice. */
#include "mock_servers/lan/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "base/os.h"
#include "mock_servers/lan/command.h"

enum { WHY_BYTES = 256 };

static const uint64_t READY_LOOK_EVERY_NS = 5 * OS_NS_PER_MS;

struct session {
    const struct session_config *config;
    struct link *link;
    const struct namespaces *namespaces;
    struct command near, far;
    bool foreground, edge_failed;
    uint64_t started_ns; /* of the near command */
    int edge;            /* the next one: cut edge / 2 begins at even ones, ends at odd ones */
};

static void waited_signals(sigset_t *set)
{
    static const int numbers[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(set, numbers[i]);
}

void session_prepare(void)
{
    sigset_t set;

    /* Whoever started us may have had SIGCHLD ignored: no child's exit code would be kept then. */
    signal(SIGCHLD, SIG_DFL);
    waited_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* The next signal but SIGCHLD that is to be passed on; 0: none, the time has come or a child has
 * ended. */
static int signal_await(const struct session *session, uint64_t timeout_ns)
{
    sigset_t set;
    siginfo_t info;
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / OS_NS_PER_S),
                               .tv_nsec = (long)(timeout_ns % OS_NS_PER_S)};

    waited_signals(&set);
    int number = sigtimedwait(&set, &info, &timeout);
    if (number < 0 || number == SIGCHLD)
        return 0;
    /* The terminal's own keys: everyone in the foreground has them already. */
    return session->foreground && info.si_code > 0 ? 0 : number;
}

/* ---- far ------------------------------------------------------------------------------------ */

static int far_start(struct session *session)
{
    char *argv[] = {"sh", "-c", (char *)session->config->far_command, NULL};

    if (session->config->far_command == NULL)
        return EXIT_DONE;
    int result = command_start(&session->far, session->namespaces, LAN_FAR, argv, true);
    if (result == 0)
        return EXIT_DONE;
    fprintf(stderr, "fanin-lan: cannot start sh for the far command: %s\n", strerror(-result));
    return EXIT_MACHINE_CANNOT;
}

/* A far command that ends well may have left servers running. */
static bool far_failed(struct session *session)
{
    return session->config->far_command != NULL && command_reap(&session->far) &&
           session->far.exit_code != 0;
}

static int far_failure_say(const struct session *session, const char *when)
{
    int code = session->far.exit_code;

    if (code > EXIT_COMMAND_SIGNAL)
        fprintf(stderr, "fanin-lan: the far command was killed by signal %d (%s) %s\n",
                code - EXIT_COMMAND_SIGNAL, strsignal(code - EXIT_COMMAND_SIGNAL), when);
    else
        fprintf(stderr, "fanin-lan: the far command ended with exit code %d %s\n", code, when);
    return EXIT_MEASURED_FAILURE;
}

/* EXIT_DONE: it is ready; 128 + a signal that ended the waiting. */
static int far_await(struct session *session)
{
    const struct session_config *config = session->config;
    uint64_t until_ns = os_now_ns() + config->ready_timeout_ns;

    while (config->ready_file != NULL && access(config->ready_file, F_OK) != 0) {
        int number = signal_await(session, READY_LOOK_EVERY_NS);
        if (number != 0)
            return EXIT_COMMAND_SIGNAL + number;
        if (far_failed(session))
            return far_failure_say(session, "before it was ready");
        if (os_now_ns() >= until_ns) {
            fprintf(stderr,
                    "fanin-lan: --ready-file: %s has not appeared within %g s; should the far "
                    "command take longer, --ready-timeout would be right\n",
                    config->ready_file, (double)config->ready_timeout_ns / OS_NS_PER_S);
            return EXIT_MEASURED_FAILURE;
        }
    }
    return EXIT_DONE;
}

/* ---- near ----------------------------------------------------------------------------------- */

static int near_start(struct session *session)
{
    char *const *argv = session->config->near_command;
    int result =
        command_start(&session->near, session->namespaces, LAN_NEAR, argv, !session->foreground);

    if (result == 0)
        return EXIT_DONE;
    fprintf(stderr, "fanin-lan: cannot start %s: %s\n", argv[0], strerror(-result));
    return result == -ENOENT ? EXIT_COMMAND_NOT_FOUND : EXIT_COMMAND_CANNOT_RUN;
}

/* When the link is to be cut or mended next. */
static uint64_t edge_ns(const struct session *session)
{
    const struct cut_list *list = &session->config->cuts;

    if (session->edge >= 2 * list->count)
        return UINT64_MAX;
    const struct cut *cut = &list->cuts[session->edge / 2];
    return session->started_ns + (session->edge % 2 == 0 ? cut->from_ns : cut->until_ns);
}

static void edges_pass(struct session *session)
{
    while (os_now_ns() >= edge_ns(session)) {
        bool down = session->edge % 2 == 0;
        int result = link_set_down(session->link, down);
        session->edge_failed = session->edge_failed || result < 0;
        if (result < 0)
            fprintf(stderr, "fanin-lan: --cut: the link cannot be %s: %s\n",
                    down ? "cut" : "mended", strerror(-result));
        else if (!session->config->quiet)
            fprintf(stderr, "fanin-lan: the link is %s\n", down ? "cut" : "up again");
        session->edge++;
    }
}

static int near_await(struct session *session)
{
    bool failed = false;

    while (!command_reap(&session->near)) {
        uint64_t now_ns = os_now_ns(), next_ns = edge_ns(session);
        uint64_t wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
        int number = signal_await(session, wait_ns > OS_NS_PER_S ? OS_NS_PER_S : wait_ns);
        if (number != 0)
            command_signal(&session->near, number);
        edges_pass(session);
        if (!failed && far_failed(session) && !command_reap(&session->near)) {
            failed = true;
            far_failure_say(session, "before the near command did, which is stopped now");
            command_stop(&session->near, session->config->grace_ns);
        }
    }
    if (failed || (session->edge_failed && session->near.exit_code == EXIT_DONE))
        return EXIT_MEASURED_FAILURE;
    return session->near.exit_code;
}

/* Without a near command the link stays until we are told to end, or the far command has failed. */
static int signal_hold(struct session *session)
{
    if (!session->config->quiet)
        fprintf(stderr, "fanin-lan: the link is there; fanin-lan --join %d -- COMMAND uses it\n",
                (int)getpid());
    session->foreground = false; /* the terminal's keys are meant for us */
    for (;;) {
        if (signal_await(session, OS_NS_PER_S) != 0)
            return EXIT_DONE;
        if (far_failed(session))
            return far_failure_say(session, "while the link was held");
    }
}

static int near_run(struct session *session)
{
    if (session->config->near_command == NULL)
        return signal_hold(session);
    int code = near_start(session);
    return code == EXIT_DONE ? near_await(session) : code;
}

static void environment_set(void)
{
    for (int side = 0; side < LAN_SIDES; side++)
        setenv(lan_addresses[side].variable, lan_addresses[side].text, 1);
}

void session_run(struct session_outcome *outcome, const struct session_config *config,
                 struct link *link, struct namespaces *namespaces)
{
    struct session session = {.config = config, .link = link, .namespaces = namespaces};

    session.foreground = tcgetpgrp(STDIN_FILENO) == getpgrp();
    environment_set();
    int code = far_start(&session);
    if (code == EXIT_DONE)
        code = far_await(&session);
    session.started_ns = os_now_ns();
    if (code == EXIT_DONE)
        code = near_run(&session);
    double wall_ms = (double)(os_now_ns() - session.started_ns) / OS_NS_PER_MS;
    command_stop(&session.far, config->grace_ns);
    double orphans_cpu_s = namespaces_end(namespaces);
    *outcome = (struct session_outcome){.exit_code = code,
                                        .wall_ms = wall_ms,
                                        .near_cpu_s = session.near.cpu_s,
                                        .far_cpu_s = session.far.cpu_s + orphans_cpu_s};
}

int session_join(const struct session_config *config, int pid)
{
    struct namespaces namespaces;
    struct session session = {.config = config, .namespaces = &namespaces};
    char why[WHY_BYTES];

    if (namespaces_join(&namespaces, pid, why, sizeof why) < 0) {
        fprintf(stderr, "fanin-lan: --join %d: %s\n", pid, why);
        return EXIT_MACHINE_CANNOT;
    }
    session.foreground = tcgetpgrp(STDIN_FILENO) == getpgrp();
    environment_set();
    int code = near_run(&session);
    namespaces_close(&namespaces);
    return code;
}
