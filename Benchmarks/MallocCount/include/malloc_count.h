#ifndef CURLEW_MALLOC_COUNT_H
#define CURLEW_MALLOC_COUNT_H

#include <stdint.h>

/// The number of allocations since the program started, in all threads: `malloc`, `calloc`, `realloc`, `posix_memalign`
/// and `aligned_alloc`.
uint64_t curlew_malloc_count(void);

/// The number of bytes currently allocated, as counted by the allocator.
uint64_t curlew_malloc_bytes(void);

#endif
