/* Fibers instead of threads, and a scheduler that a test controls: one fiber runs at a time, is
 * left only where it pauses or sleeps, and what runs next is a choice. The choices of a run are its
 * schedule. All schedules are tried that depart at most so many times from the plain one (run on
 * until it sleeps, then the next in turn), or random ones. */
#ifndef FANIN_FIBERS_H
#define FANIN_FIBERS_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

enum { FIBERS_MAX = 6, CHOICES_MAX = 4096 };
#define FIBER_FOREVER UINT64_MAX

struct fiber {
    ucontext_t context;
    char *stack;
    /* While it sleeps: whether it may run, or when; NULL: it does not sleep. */
    bool (*ready)(unsigned index);
    uint64_t until_ns; /* FIBER_FOREVER: never */
    bool timed_out;
};

extern struct fibers {
    struct fiber list[FIBERS_MAX];
    unsigned count;
    struct fiber *now; /* NULL: the test itself */
    ucontext_t test;
    uint64_t clock_ns; /* goes on only as times run out */
    bool stopped;      /* set by the test: the run ends at the next pause */
} fibers;

extern struct schedule {
    uint8_t taken[CHOICES_MAX], options[CHOICES_MAX];
    unsigned made;
    unsigned given; /* the first `given` are as they were set; then the first option, or any */
    bool random;
    uint64_t rng;
} schedule;

/* fibers_run: `count` fibers run until none can any more. They never return: at its end one sleeps
 * for what never comes. False: the schedule has no end. */
bool fibers_run(unsigned count, void (*run)(void));

/* fiber_index: of the fiber that runs. fiber_pause: others may run first. */
unsigned fiber_index(void);
void fiber_pause(void);

/* fiber_sleep: until it is ready: true; or the time has run out, which may be at any moment: false.
 */
bool fiber_sleep(bool (*ready)(unsigned index), uint64_t timeout_ns);

/* schedule_advance: the next schedule with at most `most` departures; false: there is none. */
bool schedule_advance(unsigned most);

#endif
