/* Makes the n-th allocation of the code under test fail. The Makefile links every test_*_memory
 * with --wrap for the allocator's names: calls from our objects are counted, those of libraries are
 * not. */
#ifndef FANIN_TESTS_FAILING_MEMORY_H
#define FANIN_TESTS_FAILING_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_int allocations_left; /* before the one that fails; negative: none fails */
extern atomic_bool allocation_failed;

#endif
