/* fanin-lan's commands: exit codes, signals, faults, and that nothing is ever left behind. */
#include "mock_servers/lan/tests/lan_under_test.h"

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static struct lan_run run;

static void need(void)
{
    lan_need(NULL, "auto");
}

/* Runs fanin-lan, and checks its exit code and its standard error. */
#define ASSERT_ENDS(code, says, ...) assert_ends(code, says, LAN_WORDS(__VA_ARGS__))

static void assert_says(const char *what)
{
    if (strstr(run.error, what) == NULL)
        fail_msg("does not say \"%s\": %s", what, run.error);
}

static void assert_ends(int exit_code, const char *says, const char *const words[])
{
    lan_run_as(&run, NULL, words);
    if (run.exit_code != exit_code)
        fail_msg("exit code %d, not %d: %s", run.exit_code, exit_code, run.error);
    assert_says(says);
}

/* ---- what the commands see ------------------------------------------------------------------- */

TEST(test_commands_find_the_addresses_and_the_interface)
{
    need();
    ASSERT_ENDS(0, "", "--far",
                "echo far $FANIN_NEAR $FANIN_FAR; grep -c lan0 /proc/net/dev; sleep 9", "--", "sh",
                "-c", "echo near $FANIN_NEAR $FANIN_FAR; grep -c lan0 /proc/net/dev; sleep .2");
    assert_string_equal(run.out, "near 198.18.0.1 198.19.0.1\n1\n");
    assert_string_equal(run.error, "far 198.18.0.1 198.19.0.1\n1\n");
}

TEST(test_programs_keep_their_user_and_group)
{
    char expected[64];
    need();
    snprintf(expected, sizeof expected, "%u %u\n", geteuid(), getegid());
    LAN_RUN(&run, "--", "sh", "-c", "echo $(id -u) $(id -g)");
    assert_string_equal(run.out, expected);
}

TEST(test_input_is_the_near_commands)
{
    need();
    LAN_RUN(&run, "--far", "cat; echo at its end; sleep 9", "--", "sh", "-c",
            "sleep .2; echo hello | cat");
    assert_string_equal(run.out, "hello\n");
    assert_string_equal(run.error, "at its end\n");
}

/* ---- exit codes ----------------------------------------------------------------------------- */

/* lan_finish returns only when nobody holds fanin-lan's output any more: nothing is left. */
TEST(test_commands_end_well_and_badly)
{
    static const struct {
        int code;
        const char *says; /* on standard error */
        const char *words[8];
    } cases[] = {
        /* The exit code is the near command's. */
        {7, "", {"--", "sh", "-c", "exit 7"}},
        {LAN_SIGNALLED + SIGKILL, "", {"--", "sh", "-c", "kill -KILL $$"}},
        {9, "", {"--far", "exit 0", "--", "sh", "-c", "sleep .3; exit 9"}},
        /* A near command that cannot start. */
        {127,
         "fanin-lan: cannot start /nonexistent/command: No such file or directory\n",
         {"--far", "sleep 9", "--", "/nonexistent/command"}},
        {126, "cannot start /proc: Permission denied", {"--", "/proc"}},
        /* A far command that fails. */
        {1, "the far command ended with exit code 4", {"--far", "exit 4", "--", "sleep", "30"}},
        {1, "killed by signal 9", {"--far", "kill -KILL $$", "--", "sleep", "30"}},
        {1, "exit code 127", {"--far", "no-such-command", "--", "sleep", "30"}},
        /* A far command that is never ready. */
        {1,
         "--ready-timeout",
         {"--ready-file=/nonexistent/file", "--ready-timeout=100ms", "--far", "sleep 9", "--",
          "true"}},
        {1,
         "exit code 3 before it was ready",
         {"--ready-file=/nonexistent/file", "--far", "exit 3", "--", "true"}},
        /* Commands that leave others running, ignore SIGTERM, or take their time to end. */
        {3,
         "",
         {"--far", "sleep 9999 & setsid sleep 9999 & sleep 9999", "--", "sh", "-c",
          "sleep 9999 & setsid sleep 9999 & exit 3"}},
        {0, "", {"--far", "trap '' TERM; sleep 9999", "--", "sh", "-c", "sleep .2"}},
        {0,
         "ended well",
         {"--far",
          "sh -c 'trap \"sleep .3; echo ended well >&2; exit\" TERM; sleep 9999 & wait'; true",
          "--", "sleep", ".3"}},
    };
    need();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_ends(cases[i].code, cases[i].says, cases[i].words);
}

TEST(test_wrong_use)
{
    ASSERT_ENDS(2, "fanin-lan: --rate takes a rate from 8kbit", "--rate=fast", "--", "true");
    ASSERT_ENDS(0, "", "--help");
    assert_non_null(strstr(run.out, "Examples:"));
}

/* ---- readiness ------------------------------------------------------------------------------ */

TEST(test_the_near_command_waits_for_the_ready_file)
{
    char path[] = "/tmp/fanin-lan-ready-XXXXXX", far[128];
    need();
    close(mkstemp(path));
    unlink(path);
    snprintf(far, sizeof far, "sleep .3; echo ready > %s; sleep 9", path);
    LAN_RUN(&run, "--ready-file", path, "--far", far, "--", "cat", path);
    unlink(path);
    assert_int_equal(run.exit_code, 0);
    assert_string_equal(run.out, "ready\n");
}

/* ---- signals and what is left --------------------------------------------------------------- */

TEST(test_signals_reach_the_near_command)
{
    need();
    lan_start(&run, NULL,
              LAN_WORDS("--far", "sleep 9999", "--", "sh", "-c",
                        "trap 'exit 5' TERM; echo up; sleep 9999 & wait"));
    lan_await_output(&run, 0, "up");
    kill(run.pid, SIGTERM);
    lan_finish(&run);
    assert_int_equal(run.exit_code, 5);
}

/* As timeout(1) does it: a signal to each of the group must not come twice. */
static void own_group(void)
{
    setpgid(0, 0);
}

TEST(test_a_signal_to_the_group_comes_once)
{
    need();
    lan_start(&run, own_group,
              LAN_WORDS("--", "sh", "-c",
                        "trap 'n=$((n+1))' TERM; echo up; for i in 1 2 3 4 5; do sleep .1; done; "
                        "exit $n"));
    lan_await_output(&run, 0, "up");
    kill(-run.pid, SIGTERM);
    lan_finish(&run);
    assert_int_equal(run.exit_code, 1);
}

TEST(test_nothing_is_left_after_a_kill)
{
    static const char *const links[] = {"kernel", "tun", "packet"};
    need();
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        lan_start(&run, NULL,
                  LAN_WORDS("--link", links[i], "--rtt=0", "--far",
                            "trap '' TERM; sleep 9999 & setsid sleep 9999 & sleep 9999", "--", "sh",
                            "-c", "trap '' TERM HUP; setsid sleep 9999 & echo up; sleep 9999"));
        struct pollfd polled = {.fd = run.outputs[0], .events = POLLIN}; /* "up", or its end */
        poll(&polled, 1, -1);
        kill(run.pid, SIGKILL);
        lan_finish(&run);
        assert_true(run.exit_code == LAN_SIGNALLED + SIGKILL || run.exit_code == 3);
    }
}

static int interfaces(void)
{
    struct if_nameindex *all = if_nameindex();
    int count = 0;
    assert_non_null(all);
    while (all[count].if_index != 0)
        count++;
    if_freenameindex(all);
    return count;
}

TEST(test_no_interface_is_ever_made_here)
{
    int before = interfaces();
    need();
    lan_start(&run, NULL, LAN_WORDS("--", "sh", "-c", "echo up; sleep .2"));
    lan_await_output(&run, 0, "up");
    assert_int_equal(interfaces(), before);
    lan_finish(&run);
    LAN_RUN(&run, "--link=kernel", "--rtt=0", "--", "no-such-command");
    assert_int_equal(interfaces(), before);
}

/* ---- holding and joining -------------------------------------------------------------------- */

TEST(test_another_joins_a_link_that_is_held)
{
    static struct lan_run joined;
    char pid[16];
    need();
    lan_start(&run, NULL, LAN_WORDS("--far", "sleep 9999"));
    lan_await_output(&run, 1, "the link is up");
    snprintf(pid, sizeof pid, "%d", run.pid);
    lan_run_as(&joined, NULL,
               LAN_WORDS("--join", pid, "--", "sh", "-c",
                         "echo $FANIN_NEAR; grep -c lan0 /proc/net/dev; exit 6"));
    assert_int_equal(joined.exit_code, 6);
    assert_string_equal(joined.out, "198.18.0.1\n1\n");
    kill(run.pid, SIGINT);
    lan_finish(&run);
    assert_int_equal(run.exit_code, 0);
}

TEST(test_only_a_link_can_be_joined)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    ASSERT_ENDS(3, "is not a fanin-lan", "--join", pid, "--", "true");
    ASSERT_ENDS(3, "no such process", "--join=2147483647", "--", "true");
}

/* ---- without privilege ---------------------------------------------------------------------- */

static void file_write(const char *path, const char *text)
{
    int file = open(path, O_WRONLY);
    if (file < 0 || write(file, text, strlen(text)) < 0)
        _exit(98);
    close(file);
}

/* In a user namespace of its own everyone may forbid further namespaces. */
static void forbid_networks(void)
{
    char users[64], groups[64];
    snprintf(users, sizeof users, "0 %u 1", geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", getegid());
    if (unshare(CLONE_NEWUSER) != 0)
        _exit(97);
    file_write("/proc/self/setgroups", "deny");
    file_write("/proc/self/uid_map", users);
    file_write("/proc/self/gid_map", groups);
    file_write("/proc/sys/user/max_net_namespaces", "0");
}

TEST(test_where_namespaces_are_forbidden)
{
    lan_run_as(&run, forbid_networks, LAN_WORDS("--", "true"));
    lan_skip_if(run.exit_code == 97 || run.exit_code == 98,
                "no user namespaces here, so nothing can be forbidden in one");
    assert_int_equal(run.exit_code, 3);
    assert_says("sysctl -w user.max_net_namespaces=10000");
}

static void hide_ip(void)
{
    static const char *const places[] = {"/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"};
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        _exit(97);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        mount("/dev/null", places[i], NULL, MS_BIND, NULL);
}

TEST(test_a_missing_ip_is_named)
{
    need();
    lan_run_as(&run, hide_ip, LAN_WORDS("--", "true"));
    lan_skip_if(run.exit_code == 97, "needs root, to hide the program ip");
    assert_int_equal(run.exit_code, 3);
    assert_says("needs the program ip (as root: apt install iproute2)");
}

static void become_nobody(void)
{
    if (setgroups(0, NULL) != 0 || setgid(LAN_NOBODY) != 0 || setuid(LAN_NOBODY) != 0)
        _exit(97);
}

/* Skips unless we are root, and can become somebody who can run the program. */
static void need_nobody(void)
{
    lan_skip_if(geteuid() != 0, "needs root, to become an ordinary user");
    lan_run_as(&run, become_nobody, LAN_WORDS("--version"));
    lan_skip_if(run.exit_code != 0, "an ordinary user cannot run fanin-lan");
    lan_need(become_nobody, "kernel");
}

TEST(test_an_ordinary_user_has_every_link)
{
    need_nobody();
    lan_run_as(&run, become_nobody,
               LAN_WORDS("--rtt=2ms", "--loss=1%", "--far", "sleep 9", "--", "id", "-u"));
    assert_int_equal(run.exit_code, 0);
    assert_string_equal(run.out, "65534\n");
}

TEST(test_an_ordinary_user_without_tun_is_told)
{
    need_nobody();
    lan_run_as(&run, become_nobody, LAN_WORDS("--link=tun", "--", "true"));
    lan_skip_if(run.exit_code == 0, "everyone may open /dev/net/tun here");
    assert_int_equal(run.exit_code, 3);
    assert_says("/dev/net/tun");
}

int main(int argc, char **argv)
{
    lan_find(argv[0]);
    return tests_run(NULL, NULL);
}
