/* The conformance suite: each behaviour of a completion port that the portable API exposes, by
 * its number in the project's list of Windows' behaviours (1 to 61; S1 to S9 are the vectors of
 * its concurrency algorithm), on every engine that runs here. The table in cport/README.md
 * says what each engine does; this program fails where that and what it saw differ.
 *
 *   test_conformance [--engine NAME] [--table FILE] [--matrix]      prints TAP, or the table itself
 *
 * Plain C without a test library, so that it also runs where there is none. */
#include "cport/tests/conformance/connect.h"
#include "cport/tests/conformance/port.h"
#include "cport/tests/conformance/receive.h"
#include "cport/tests/conformance/send.h"
#include "cport/tests/conformance/threads.h"

struct behaviour {
    const char *number, *name;
    const char *(*run)(struct stage *stage);
    unsigned limit;  /* of the port; 0: as many as processors */
    unsigned actors; /* threads that the vector commands */
};

static const struct behaviour behaviours[] = {
    {"1", "post and get", post_and_get, 2, 0},
    {"2", "packets leave in order", packets_in_order, 2, 0},
    {"3", "an empty port times out and touches nothing", empty_times_out, 2, 0},
    {"4", "time-outs are accurate", timeout_accuracy, 2, 0},
    {"6", "a batch never waits to fill", batch_never_waits_to_fill, 2, 0},
    {"7", "failed I/O is a packet with its code", failed_io_is_a_packet, 2, 0},
    {"9", "closing wakes every waiter", close_wakes_waiters, 2, 0},
    {"10", "a closed port refuses", use_after_close, 2, 0},
    {"11", "closing drops queued packets", close_drops_queued_packets, 2, 0},
    {"12", "closing ends pending I/O without packets", close_ends_pending_io, 2, 0},
    {"13", "a socket is associated once", associate_twice, 2, 0},
    {"14", "only a socket can be associated", associate_no_socket, 2, 0},
    {"17", "closing an idle socket posts nothing", idle_close_posts_nothing, 2, 0},
    {"22", "ready data is a packet too", ready_data_is_a_packet_too, 2, 0},
    {"23", "a pending operation is one packet", pending_is_one_packet, 2, 0},
    {"24", "a refused operation is none", refused_is_no_packet, 2, 0},
    {"26", "another thread may have the packet first", another_thread_may_be_first, 2, 0},
    {"27", "a short read completes", short_read, 2, 0},
    {"28", "receives complete in order", receives_complete_in_order, 2, 0},
    {"29", "the peer's end is a receive of 0", graceful_end, 2, 0},
    {"30", "a reset ends a receive", reset_while_receiving, 2, 0},
    {"31", "after a reset a receive is refused", receive_after_reset, 2, 0},
    {"32", "closing aborts each receive once", close_while_receiving, 2, 0},
    {"33", "a zero-byte receive waits and takes nothing", zero_byte_receive, 2, 0},
    {"35", "an unconnected socket cannot receive", receive_unconnected, 2, 0},
    {"36", "the issuing thread may end", issuing_thread_ends, 2, 0},
    {"37", "a send is whole", send_is_whole, 2, 0},
    {"39", "after a reset a send is refused", send_after_reset, 2, 0},
    {"40", "a reset ends a send", reset_while_sending, 2, 0},
    {"41", "a half-done send can be cancelled", cancel_half_done_send, 2, 0},
    {"42", "sends go out in order", sends_in_order, 2, 0},
    {"44", "a connect completes", connect_succeeds, 2, 0},
    {"45", "a refused connect completes", connect_refused, 2, 0},
    {"46", "a connect's time limit", connect_times_out, 2, 0},
    {"47", "a new socket per attempt", new_socket_per_attempt, 2, 0},
    {"48", "a connect can be cancelled", cancel_connect, 2, 0},
    {"49", "a connected socket is usable at once", connected_is_usable, 2, 0},
    {"50", "closing a listener ends its accepts", accept_listener_closed, 2, 0},
    {"52", "only a listener accepts", accept_misuse, 2, 0},
    {"53", "a pending operation can be cancelled", cancel_pending, 2, 0},
    {"54", "nothing pending, nothing cancelled", cancel_finds_nothing, 2, 0},
    {"55", "everything of a socket can be cancelled", cancel_everything, 2, 0},
    {"57", "a cancelled receive loses no data", cancel_loses_no_data, 2, 0},
    {"58", "the newest waiter is woken (S9)", s9_one_thread_handles_a_slow_stream, 4, 4},
    {"59", "never more than the limit run", never_more_than_the_limit, 1, 0},
    {"60", "a limit of 0 is the processors", a_limit_of_0_is_the_processors, 0, 0},
    {"61", "under the limit a queued packet is had at once", under_the_limit_nothing_blocks, 1, 2},
    {"S1", "a busy port hands nothing over", s1_a_busy_port_hands_nothing_over, 1, 2},
    {"S2", "back from blocking, a worker overshoots", s2_a_worker_back_from_blocking_overshoots, 1,
     2},
    {"S3", "blocking frees the place", s3_blocking_frees_the_place, 1, 2},
    {"S4", "two places, the newest first", s4_the_newest_waiter_first, 2, 3},
    {"S5", "a first look takes a place", s5_a_first_look_takes_a_place, 1, 2},
    {"S6", "a worker that ends gives its place", s6_a_worker_that_ends_gives_its_place, 1, 2},
    {"S6b", "a worker that hops gives its place", s6_a_worker_that_hops_gives_its_place, 1, 2},
    {"S7", "a time-out ignores the limit", s7_a_timeout_counts_as_running, 1, 2},
    {"S8", "a batch is one place", s8_a_batch_is_one_place, 1, 2},
};

enum { BEHAVIOURS = sizeof behaviours / sizeof behaviours[0], SAW_BYTES = 256 };

/* "holds", "skip: why", or "differs: what". */
static void observe(const char *engine, const struct behaviour *behaviour, char *saw)
{
    struct stage stage = {.engine = engine};
    const char *problem = stage_open(&stage, behaviour->limit);
    if (!problem && behaviour->actors > 0 && !actors_start(stage.port, behaviour->actors))
        problem = "no threads";
    if (!problem)
        problem = behaviour->run(&stage);
    if (behaviour->actors > 0)
        actors_end(stage.port);
    stage_close(&stage);
    if (!problem)
        snprintf(saw, SAW_BYTES, "holds");
    else if (strncmp(problem, "skip: ", 6) == 0)
        snprintf(saw, SAW_BYTES, "%s", problem);
    else
        snprintf(saw, SAW_BYTES, "differs: %.200s", problem);
}

/* ---- the table ----------------------------------------------------------------------------- */

/* The cell of a Markdown table's line, trimmed, into `text`; false: the line has no such cell. */
static bool cell(const char *line, unsigned column, char *text, size_t text_bytes)
{
    const char *start = line;
    for (unsigned skip = 0; skip <= column; skip++) {
        start = strchr(start, '|');
        if (!start++)
            return false;
    }
    const char *end = strchr(start, '|');
    if (!end)
        return false;
    while (start < end && *start == ' ')
        start++;
    while (end > start && end[-1] == ' ')
        end--;
    snprintf(text, text_bytes, "%.*s", (int)(end - start), start);
    return true;
}

/* The column of a table's head that names the engine; 0: none. */
static unsigned column_of(const char *line, const char *engine)
{
    char head[64];
    for (unsigned column = 2; cell(line, column, head, sizeof head); column++)
        if (strcmp(head, engine) == 0)
            return column;
    return 0;
}

/* What the table promises of a behaviour: "holds" or "differs: ..."; "" if it says nothing. */
static void promised(const char *table, const char *engine, const char *number, char *text,
                     size_t text_bytes)
{
    char line[1024], head[64];
    unsigned column = 0;
    FILE *file = fopen(table, "r");
    text[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        if (!cell(line, 0, head, sizeof head))
            continue;
        if (strcmp(head, "no.") == 0)
            column = column_of(line, engine);
        else if (column > 0 && strcmp(head, number) == 0)
            cell(line, column, text, text_bytes);
    }
    if (file)
        fclose(file);
}

/* ---- running ------------------------------------------------------------------------------- */

static unsigned test_number;

/* The format that the suites with a test library print, too. */
static bool report(const char *engine, const struct behaviour *behaviour, const char *saw,
                   const char *promise)
{
    test_number++;
    bool skipped = strncmp(saw, "skip", 4) == 0;
    bool same = strncmp(saw, promise, strncmp(promise, "differs", 7) == 0 ? 7 : strlen(saw)) == 0;
    if (skipped)
        printf("skip: %s\nnot ok %u # SKIP %s_%s\n", saw + 6, test_number, engine,
               behaviour->number);
    else if (same)
        printf("ok %u - %s [%s]: %s\n", test_number, behaviour->name, engine, saw);
    else
        printf("not ok %u - %s [%s]: %s; the table says \"%s\"\n", test_number, behaviour->name,
               engine, saw, promise);
    fflush(stdout);
    return skipped || same;
}

static unsigned run_engine(const char *engine, const char *table)
{
    unsigned failures = 0;
    for (unsigned index = 0; index < BEHAVIOURS; index++) {
        char saw[SAW_BYTES], promise[SAW_BYTES];
        observe(engine, &behaviours[index], saw);
        promised(table, engine, behaviours[index].number, promise, sizeof promise);
        failures += !report(engine, &behaviours[index], saw, promise);
    }
    return failures;
}

static void print_matrix(void)
{
    printf("| no. | behaviour |");
    for (unsigned index = 0; cp_engine_list(index, NULL); index++)
        printf(" %s |", cp_engine_list(index, NULL));
    printf("\n");
    for (unsigned index = 0; index < BEHAVIOURS; index++) {
        printf("| %s | %s |", behaviours[index].number, behaviours[index].name);
        for (unsigned engine = 0; cp_engine_list(engine, NULL); engine++) {
            char saw[SAW_BYTES];
            observe(cp_engine_list(engine, NULL), &behaviours[index], saw);
            printf(" %s |", saw);
        }
        printf("\n");
        fflush(stdout);
    }
}

/* Whether the engine runs on this machine; if not, why not. */
static bool runs_here(const char *engine, char *why, size_t why_bytes)
{
    struct cport *port = NULL;
    int code = cp_open(&(struct cp_config){.engine = engine}, &port, why, why_bytes);
    cp_free(port);
    return code == 0;
}

int main(int argc, char **argv)
{
    const char *only = NULL, *table = "cport/README.md";
    unsigned failures = 0, planned = 0;
    char why[256];
    for (int index = 1; index < argc; index++) {
        if (strcmp(argv[index], "--matrix") == 0) {
            print_matrix();
            return 0;
        }
        if (strcmp(argv[index], "--engine") == 0 && index + 1 < argc)
            only = argv[++index];
        else if (strcmp(argv[index], "--table") == 0 && index + 1 < argc)
            table = argv[++index];
    }
    const char *engine;
    for (unsigned index = 0; (engine = cp_engine_list(index, NULL)); index++)
        if (!only || strcmp(only, engine) == 0)
            planned += runs_here(engine, why, sizeof why) ? BEHAVIOURS : 1;
    printf("1..%u\n", planned);
    for (unsigned index = 0; (engine = cp_engine_list(index, NULL)); index++) {
        if (only && strcmp(only, engine) != 0)
            continue;
        if (runs_here(engine, why, sizeof why))
            failures += run_engine(engine, table);
        else
            printf("skip: %s\nnot ok %u # SKIP %s\n", why, ++test_number, engine);
    }
    return failures > 0;
}
