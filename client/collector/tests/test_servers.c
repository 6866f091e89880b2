/* The list of servers: no entry vanishes, whatever the bytes between entries are. Their names: all
 * addresses are tried, and the row says which. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client/collector/servers.h"
#include "client/collector/tests/command_line.h"
#include "client/collector/tests/program.h"

static struct collector_options options;
static struct servers servers;

/* What is wrong with the options; "" if nothing is. */
static const char *read_servers(const char *first, const char *second, const char *third)
{
    static char why[1024];
    servers_free(&servers);
    read_options(&options, first, second, third);
    why[0] = '\0';
    int result = servers_read(&servers, &options, why, sizeof why);
    assert_int_equal(result, why[0] == '\0' ? 0 : -1);
    return why;
}

static int servers_end(void **state)
{
    servers_free(&servers);
    return devices_close(state);
}

/* All servers, "127.0.0.1:1 [::1]:2 name:3". */
static const char *all_servers(void)
{
    static char text[4096 + 65536 * 16];
    char server[SERVER_TEXT_BYTES];
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < servers.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                                 servers_text(&servers, i, server));
    return text;
}

/* ---- lists ----------------------------------------------------------------------------------- */

TEST(servers_are_ports_in_a_row_or_spread_over_addresses_or_a_list, NULL, servers_end)
{
    static const struct {
        const char *options[3];
        unsigned count;
        const char *begin, *end;
    } cases[] = {
        {{"--servers=3", "--port=30000"}, 3, "127.0.0.1:30000 ", " 127.0.0.1:30002"},
        {{"--servers= 3 ", "--port=30000"}, 3, "127.0.0.1:30000 ", " 127.0.0.1:30002"},
        {{"--servers=100", "--port=65535", "--ports-per-address=1"},
         100,
         "127.0.0.1:65535 ",
         " 127.0.0.100:65535"},
        {{"--servers=127.0.0.9:1,[::1]:65535,name:7"}, 3, "127.0.0.9:1 ", " [::1]:65535 name:7"},
        {{"--servers=127.0.0.9:1, 127.0.0.9:2 ,"}, 2, "127.0.0.9:1 ", " 127.0.0.9:2"},
        {{"--servers=127.0.0.9:1\n127.0.0.9:2\r\n"}, 2, "127.0.0.9:1 ", " 127.0.0.9:2"},
        {{"--servers=127.0.0.9:7000+3"}, 3, "127.0.0.9:7000 ", " 127.0.0.9:7002"},
        {{"--servers=127.0.0.9:1+1"}, 1, "127.0.0.9:1", "127.0.0.9:1"},
        {{"--servers=127.0.0.9:1+65535"}, 65535, "127.0.0.9:1 ", ""},
        {{"--servers=[::1]:65000+536, name:7+2"}, 538, "[::1]:65000 ", " name:7 name:8"},
        {{"--servers=name:7,127.0.0.9:1+2,127.0.0.8:1"}, 4, "name:7 127.0.0.9:1 ", " 127.0.0.8:1"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const *words = cases[i].options;
        assert_string_equal(read_servers(words[0], words[1], words[2]), "");
        const char *all = all_servers();
        assert_int_equal(servers.count, cases[i].count);
        assert_memory_equal(all, cases[i].begin, strlen(cases[i].begin));
        assert_string_equal(all + strlen(all) - strlen(cases[i].end), cases[i].end);
    }
}

/* Reads servers from a file with these bytes; `path` is an option's value, with its '@'. */
static const char *read_bytes(const char *bytes, size_t count, char path[32])
{
    strcpy(path, "@/tmp/fanin-list-XXXXXX");
    int file = mkstemp(path + 1);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, count), (ssize_t)count);
    close(file);
    const char *why = read_servers("--servers", path, NULL);
    unlink(path + 1);
    return why;
}

#define ONE   "127.0.0.1:1"
#define TWO   "127.0.0.2:2"
#define THREE "[::1]:3"
#define ALL   ONE " " TWO " " THREE

/* All servers, or one error with the line: in no file an entry vanishes. */
TEST(no_entry_of_a_file_vanishes, NULL, servers_end)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *servers; /* NULL: an error, which says: */
        unsigned line;
        const char *said;
    } cases[] = {
#define FILE_OF(text) text, sizeof(text) - 1
        {FILE_OF("# ours\n" ONE "\n\n  " TWO "  # the second\r\n" THREE), ALL, 0, NULL},
        {FILE_OF(ONE "\r" TWO "\r" THREE "\r"), ALL, 0, NULL},
        {FILE_OF("# ours\r" ONE "\r" TWO "\r" THREE), ALL, 0, NULL},
        {FILE_OF(ONE "\n" TWO "\r" THREE "\r\n"), ALL, 0, NULL},
        {FILE_OF("\xef\xbb\xbf" ONE "\n" TWO "\n" THREE "\n"), ALL, 0, NULL},
        {FILE_OF("\xef\xbb\xbf# ours\n" ONE "\n" TWO "\n" THREE "\n"), ALL, 0, NULL},
        {FILE_OF(ONE ", " TWO "\n" THREE "\n"), ALL, 0, NULL},
        {FILE_OF(ONE "," TWO ",\n" THREE ",\t# the last\n"), ALL, 0, NULL},
        {FILE_OF(ONE ",,127.0.0.2:2\n"), NULL, 1, "empty"},
        {FILE_OF(ONE "\n, " TWO "\n"), NULL, 2, "empty"},
        {FILE_OF(ONE "\n,\n"), NULL, 2, "empty"},
        {FILE_OF(ONE "\n# fine\n127.0.0.1\n"), NULL, 3, "'127.0.0.1' is not host:port"},
        {FILE_OF(ONE " " TWO "\n"), NULL, 1, "commas separate"},
        {FILE_OF(ONE ";" TWO "\n"), NULL, 1, "commas separate"},
        {FILE_OF("127.0.0.1:1+3, " TWO "+1 # two ranges\n"), ONE " 127.0.0.1:2 127.0.0.1:3 " TWO, 0,
         NULL},
        {FILE_OF(ONE "\n" TWO "+0\n"), NULL, 2, "'127.0.0.2:2+0' is not host:port"},
        {FILE_OF(ONE "\n" TWO "+65535\n"), NULL, 2, "'127.0.0.2:2+65535' is not host:port"},
        {FILE_OF(ONE "\n" TWO "+\n"), NULL, 2, "host:port+count"},
        {FILE_OF(ONE "\n" TWO "+-1\n"), NULL, 2, "host:port+count"},
        {FILE_OF(ONE "\n" TWO "+ 1\n"), NULL, 2, "host:port+count"},
        {FILE_OF(ONE "\n" TWO "+1+1\n"), NULL, 2, "host:port+count"},
        {FILE_OF(ONE "\n" TWO "+99999999999999999999\n"), NULL, 2, "host:port+count"},
        {FILE_OF(ONE "\na+3:5\n"), NULL, 2, "'a+3:5' is not host:port"},
        {FILE_OF(ONE "\n\n" TWO "\0\n" THREE), NULL, 3, "NUL"},
        {FILE_OF("# a comment\0" ONE "\n"), NULL, 1, "NUL"},
        {FILE_OF("# a page\f" ONE "\n"), NULL, 1, "form feed"},
        {FILE_OF(ONE "\r\n\f" TWO "\r\n"), NULL, 2, "form feed"},
        {FILE_OF("# one\v" TWO "\n"), NULL, 1, "0x0b"},
        {FILE_OF(ONE "\n\x1a" TWO "\n"), NULL, 2, "0x1a"},
        {FILE_OF("# one\xe2\x80\xa8" TWO "\n"), NULL, 1, "U+2028"},
        {FILE_OF("# one\xc2\x85" TWO "\n"), NULL, 1, "U+0085"},
        {FILE_OF("# one\n\xef\xbb\xbf# two\n"), NULL, 2, "U+FEFF"},
        {FILE_OF("\xff\xfe"
                 "1\0:\0"),
         NULL, 1, "UTF-16"},
        {FILE_OF("\xfe\xff\0"
                 "1\0:"),
         NULL, 1, "UTF-16"},
        {FILE_OF("1\0:\0"), NULL, 1, "NUL"},
#undef FILE_OF
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[32], where[48];
        const char *why = read_bytes(cases[i].bytes, cases[i].count, path);
        snprintf(where, sizeof where, "%s:%u: ", path + 1, cases[i].line);
        if (cases[i].servers == NULL &&
            (strncmp(why, where, strlen(where)) != 0 || strstr(why, cases[i].said) == NULL))
            fail_msg("%s: %s", cases[i].bytes, why);
        if (cases[i].servers != NULL) {
            assert_string_equal(why, "");
            assert_string_equal(all_servers(), cases[i].servers);
        }
    }
}

TEST(lines_may_be_of_any_length_and_a_file_without_servers_is_an_error, NULL, servers_end)
{
    enum { SERVERS = 2000, COMMENT_BYTES = 5000 };
    static char list[SERVERS * 16 + 2 * COMMENT_BYTES];
    size_t used = 0;
    char path[32];
    memset(list, '#', COMMENT_BYTES);
    used = COMMENT_BYTES;
    used += (size_t)sprintf(list + used, "\n");
    for (unsigned i = 0; i < SERVERS; i++)
        used += (size_t)sprintf(list + used, "127.0.0.1:%u,", i + 1);
    memset(list + used, ' ', COMMENT_BYTES - 100);
    used += COMMENT_BYTES - 100;
    used += (size_t)sprintf(list + used, "127.0.0.1:65535");
    assert_string_equal(read_bytes(list, used, path), "");
    assert_int_equal(servers.count, SERVERS + 1);
    const struct net_address last = servers_address(&servers, SERVERS);
    assert_int_equal(net_address_port(&last), 65535);
    assert_non_null(strstr(read_bytes("# nobody\n", 9, path), "names no server"));
}

/* ---- names ----------------------------------------------------------------------------------- */

static struct net_address address_of(const char *host)
{
    struct net_address address;
    assert_true(net_numeric(host, 0, &address));
    return address;
}

/* RFC 8305, section 4: the resolver's first family begins, then they take turns. */
TEST(families_take_turns)
{
    static const struct {
        const char *resolved, *tried; /* a letter an address; capitals: IPv6 */
    } cases[] = {
        {"A", "A"},     {"ab", "ab"},     {"ABc", "AcB"},     {"ABcd", "AcBd"},   {"ABCd", "AdBC"},
        {"abC", "aCb"}, {"aBCd", "aBdC"}, {"abcDE", "aDbEc"}, {"ABCDe", "AeBCD"}, {"abAB", "aAbB"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_address addresses[8];
        char tried[9] = "", host[32];
        const unsigned count = (unsigned)strlen(cases[i].resolved);
        for (unsigned k = 0; k < count; k++) {
            const char letter = cases[i].resolved[k];
            snprintf(host, sizeof host, letter < 'a' ? "fd00::%x" : "10.0.0.%d", letter);
            addresses[k] = address_of(host);
        }
        net_interleave(addresses, count);
        for (unsigned k = 0; k < count; k++)
            tried[k] = (char)net_address_host(&addresses[k]);
        assert_string_equal(tried, cases[i].tried);
    }
}

/* Each connect tries every address once, beginning with the one that was used last. */
TEST(each_connect_tries_every_address_once, NULL, servers_end)
{
    assert_string_equal(read_servers("--servers=three:7", NULL, NULL), "");
    servers.names[0].addresses = calloc(3, sizeof(struct net_address));
    servers.names[0].count = 3;
    for (unsigned i = 0; i < 3; i++)
        servers.names[0].addresses[i] = net_ipv4(0x0a000001 + i, 0);
    servers_retry(&servers, 0);
    assert_true(servers_next(&servers, 0));
    assert_string_equal(all_servers(), "10.0.0.2:7 (three)");
    servers_retry(&servers, 0); /* the second one answered, and was lost */
    assert_true(servers_next(&servers, 0));
    assert_true(servers_next(&servers, 0));
    assert_string_equal(all_servers(), "10.0.0.1:7 (three)");
    assert_false(servers_next(&servers, 0));
}

TEST(many_servers_of_a_few_names_are_resolved, NULL, servers_end)
{
    enum { SERVERS = 3000 };
    static char list[SERVERS * 20];
    char path[32], why[256];
    size_t used = 0;
    for (unsigned i = 0; i < SERVERS; i++)
        used +=
            (size_t)sprintf(list + used, i % 3 == 0 ? "127.0.0.1:%u\n" : "localhost:%u\n", i + 1);
    assert_string_equal(read_bytes(list, used, path), "");
    assert_int_equal(servers_resolve(&servers, &options, why, sizeof why), 0);
    for (unsigned i = 0; i < SERVERS; i++) {
        const struct net_address address = servers_address(&servers, i);
        assert_int_equal(net_address_port(&address), i + 1);
    }
}

/* ---- names in a program ---------------------------------------------------------------------- */

static char hosts[32];

static void write_hosts(const char *text)
{
    strcpy(hosts, "/tmp/fanin-hosts-XXXXXX");
    int file = mkstemp(hosts);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    fchmod(file, 0644);
    close(file);
    program_hosts = hosts;
}

static int hosts_end(void **state)
{
    unlink(hosts);
    return servers_end(state);
}

static void need_ipv6(void)
{
    const struct net_address any = address_of("::1");
    intptr_t handle;
    if (net_bind(&any, &handle) != 0) {
        printf("skip: no ::1 here\n");
        skip();
    }
    net_close(handle);
}

static void run_by_names(const char *name, const char *mode)
{
    char list[256];
    devices_open(3, 0, DEVICE_GOOD);
    write_hosts("::1 both\n127.0.0.1 both\n127.0.0.1 four\n");
    snprintf(list, sizeof list, "--servers=both:%u,four:%u,127.0.0.1:%u,nobody:7", devices.ports[0],
             devices.ports[1], devices.ports[2]);
    program_run(name, (const char *[]){list, mode, "--frames=2", "--json=-", NULL});
    assert_results(1,
                   "target=127.0.0.1:%u (both), connected=3, addresses.ipv4=3, "
                   "connect_errors.unresolved=1, connections_failed=0, audit=pass",
                   devices.ports[0]);
    char failed[64];
    snprintf(failed, sizeof failed, "[::1]:%u (both) refused", devices.ports[0]);
    assert_non_null(strstr(results_text("addresses_failed"), failed));
    assert_non_null(strstr(results_text("addresses_failed"), "nobody:7 unresolved: "));
    assert_non_null(strstr(results_text("reason"), ", all at names without an address"));
}

/* ::1 comes first, and nobody listens there. */
TEST(every_address_of_a_name_is_tried_and_the_row_has_the_one, NULL, hosts_end)
{
    static const char *const runs[][2] = {{"fanin-client", "--connect=async"},
                                          {"fanin-client", "--connect=sync"},
                                          {"fanin-raw", "--verify=none"},
                                          {"fanin-peer-blocking", "--quiet"}};
    need_ipv6();
    for (unsigned i = 0; i < sizeof runs / sizeof *runs; i++) {
        run_by_names(runs[i][0], runs[i][1]);
        hosts_end(NULL);
    }
}

/* ::1 comes first, and its queue is full: the connect takes its time limit. */
TEST(an_address_that_does_not_answer_is_left_for_the_next, NULL, hosts_end)
{
    enum { FILLERS = 4, LIMIT_MS = 300 };
    int sockets[FILLERS + 1];
    char list[64], limit[48], failed[64];
    need_ipv6();
    devices_open(1, 0, DEVICE_GOOD);
    struct net_address silent = address_of("::1");
    silent = net_address_at(&silent, 0, devices.ports[0]);
    for (unsigned i = 0; i <= FILLERS; i++)
        sockets[i] = socket(AF_INET6, SOCK_STREAM | (i > 0 ? SOCK_NONBLOCK : 0), 0);
    if (bind(sockets[0], net_sockaddr(&silent), silent.bytes) != 0 || listen(sockets[0], 0) != 0) {
        printf("skip: the port is taken on ::1\n");
        skip();
    }
    for (unsigned i = 1; i <= FILLERS; i++)
        connect(sockets[i], net_sockaddr(&silent), silent.bytes);
    write_hosts("::1 both\n127.0.0.1 both\n");
    snprintf(list, sizeof list, "--servers=both:%u", devices.ports[0]);
    snprintf(limit, sizeof limit, "--connect-timeout=%u", LIMIT_MS);
    snprintf(failed, sizeof failed, "[::1]:%u (both) timeout", devices.ports[0]);
    program_run("fanin-client", (const char *[]){list, limit, "--frames=2", "--json=-", NULL});
    for (unsigned i = 0; i <= FILLERS; i++)
        close(sockets[i]);
    assert_results(0, "connected=1, addresses.ipv4=1, addresses_failed=%s, audit=pass", failed);
    assert_true(results_number("connect_ms") >= LIMIT_MS);
}

/* More failures than the row has room for are counted. */
TEST(failures_without_room_in_the_row_are_counted, NULL, devices_close)
{
    devices_open(0, 40, DEVICE_REFUSES);
    program_run("fanin-client", (const char *[]){"--frames=2", "--json=-", NULL});
    assert_results(1, "connect_errors.refused=40, addresses_failed=127.0.0.1:*");
    const char *text = results_text("addresses_failed"), *more = strstr(text, "; and ");
    unsigned named = 1;
    assert_non_null(more);
    for (const char *at = text; (at = strstr(at, "; 127")) != NULL; at++)
        named++;
    assert_int_equal(strtoul(more + strlen("; and "), NULL, 10) + named, 40);
}

/* A resolver that does not answer, as hosts that nobody writes, is told of. */
TEST(slow_names_are_told_of, NULL, hosts_end)
{
    struct running running;
    char text[256] = "";
    int status;
    strcpy(hosts, "/tmp/fanin-hosts-XXXXXX");
    close(mkstemp(hosts));
    unlink(hosts);
    assert_int_equal(mkfifo(hosts, 0644), 0);
    program_hosts = hosts;
    program_start(&running, "fanin-client",
                  (const char *[]){"--servers=slow:7", "--frames=2", NULL});
    while (strstr(text, "resolving") == NULL && waitpid(running.child, &status, WNOHANG) == 0) {
        os_sleep_ns((uint64_t)50 * OS_NS_PER_MS);
        ssize_t bytes = pread(fileno(running.errors), text, sizeof text - 1, 0);
        text[bytes > 0 ? bytes : 0] = '\0';
    }
    if (strstr(text, "resolving") == NULL) {
        printf("skip: no mount namespace with hosts of its own here\n");
        skip();
    }
    assert_non_null(strstr(text, "resolving  0/1 names"));
    kill(running.child, SIGKILL);
    waitpid(running.child, &status, 0);
    fclose(running.output);
    fclose(running.errors);
}
