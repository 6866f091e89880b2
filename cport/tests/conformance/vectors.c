/* The test vectors of the concurrency algorithm. */
#include "cport/tests/conformance/vectors.h"

/* clang-format off */
#define D_SERVES(number) POST(number), HAS(D, number), GET(D)

const struct vector vectors[VECTORS] = {
    {"58", "the newest waiter is woken (S9)", 4, 4,
     {GET(A), GET(B), GET(C), GET(D), D_SERVES(1), D_SERVES(2), D_SERVES(3), D_SERVES(4),
      D_SERVES(5), D_SERVES(6), D_SERVES(7), D_SERVES(8),
      HAS(A, WAITING), HAS(B, WAITING), HAS(C, WAITING)}},
    {"61", "under the limit a queued packet is had at once", 1, 2,
     {POST(1), GET(A), HAS(A, 1), POST(2), POLL(B), HAS(B, TIMED_OUT)}},
    {"S1", "a busy port hands nothing over", 1, 2,
     {GET(A), GET(B), POST(1), POST(2), HAS(B, 1), QUEUED(1), GET(B), HAS(B, 2),
      HAS(A, WAITING)}},
    {"S2", "back from blocking, a worker overshoots", 1, 2,
     {GET(A), GET(B), POST(1), POST(2), BLOCK(B), HAS(A, 2), RUNNING(1), RESUME(B), RUNNING(2),
      POST(3), QUEUED(1), GET(A), HAS(A, WAITING), QUEUED(1), GET(B), HAS(B, 3)}},
    {"S3", "blocking frees the place", 1, 2,
     {GET(A), GET(B), POST(1), HAS(B, 1), BLOCK(B), RUNNING(0), POST(2), HAS(A, 2)}},
    {"S3b", "a wait ends a blocking section", 1, 2,
     {GET(A), POST(1), HAS(A, 1), BLOCK(A), RUNNING(0), GET(A), RUNNING(0), POST(2), HAS(A, 2),
      RUNNING(1), POST(3), QUEUED(1), GET(B), HAS(B, WAITING), GET(A), HAS(A, 3)}},
    {"S4", "two places, the newest first", 2, 3,
     {GET(A), GET(B), GET(C), POST(1), POST(2), POST(3), HAS(C, 1), HAS(B, 2), QUEUED(1), GET(B),
      HAS(B, 3), HAS(A, WAITING)}},
    {"S5", "a first look takes a place", 1, 2,
     {GET(A), POST(1), POST(2), HAS(A, 1), POLL(B), HAS(B, TIMED_OUT), RUNNING(2), GET(A),
      HAS(A, WAITING), QUEUED(1), BLOCK(B), HAS(A, 2)}},
    {"S6", "a worker that ends gives its place", 1, 2,
     {GET(A), GET(B), POST(1), POST(2), HAS(B, 1), LEAVE(B), HAS(A, 2)}},
    {"S6b", "a worker that hops gives its place", 1, 2,
     {GET(A), GET(B), POST(1), POST(2), HAS(B, 1), HOP(B), HAS(A, 2)}},
    {"S7", "a time-out ignores the limit", 1, 2,
     {GET(A), POLL(B), HAS(B, TIMED_OUT), RUNNING(1), POST(1), HAS(A, WAITING), BLOCK(B),
      HAS(A, 1)}},
    {"S8", "a batch is one place", 1, 2,
     {POST(1), POST(2), POST(3), POST(4), POST(5), BATCH(A, 8), GET(A), HAS(A, 1), HAS_COUNT(A, 5),
      RUNNING(1), POST(6), GET(B), HAS(B, WAITING)}},
};
/* clang-format on */
