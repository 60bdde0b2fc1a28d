#ifndef CURLEW_MALLOC_COUNT_H
#define CURLEW_MALLOC_COUNT_H

#include <stdint.h>

/// How many times memory has been asked for since the program started, by any thread: `malloc`, `calloc`, `realloc` of a new
/// place, `posix_memalign` and `aligned_alloc`.
uint64_t curlew_malloc_count(void);

/// How many bytes are allocated now, as the allocator counts them.
uint64_t curlew_malloc_bytes(void);

#endif
