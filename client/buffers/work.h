/* What an application would do with a record, as CPU time of the thread that processes it: real
 * collectors parse and store.
 *
 * The cost is a debt that grows with each record, and is paid when it is large enough for looks at
 * the clock. So a cost of 50 ns a record is one on average. What was paid too much is credit. */
#ifndef FANIN_WORK_H
#define FANIN_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum work_kind {
    WORK_NONE,
    WORK_TOUCH, /* reads the bytes, as part of the cost */
    WORK_SPIN,  /* does not */
};

struct work_config {
    enum work_kind kind;
    double byte_ns, record_ns;
    double read_ns;             /* of touch: what reading a byte takes by work_measure_read */
    uint64_t (*clock_ns)(void); /* NULL: os_work_ns; a test has its own */
};

/* One thread's; zeroed before its first use. */
struct work {
    double debt_ns; /* below 0: credit */
    double done_ns; /* CPU time that was spent on it */
    uint64_t sum;   /* of what was read, so that reading is not left out */
    bool given_up;  /* the process was interrupted: not all of it was done */
};

/* work_measure_read: fills in read_ns: the bytes lie in the processor's cache, as what was just
 * received or copied does. Takes some 50 us. */
void work_measure_read(struct work_config *config);

/* work_bytes: the cost of the bytes of a record, or of a piece of one, where they lie.
 * work_record: the cost of a record beside its bytes. work_settle: pays what is left of the debt,
 * for the end of a stream or of a thread. All spend CPU time of the calling thread; once
 * the process is interrupted (os_interrupted) none of them does, and what is owed is forgotten. */
void work_bytes(struct work *work, const struct work_config *config, const uint8_t *piece,
                size_t bytes);
void work_record(struct work *work, const struct work_config *config);
void work_settle(struct work *work, const struct work_config *config);

#endif
