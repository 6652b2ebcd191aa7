// SPDX-License-Identifier: Apache-2.0
// Takes the place of the C library's allocation functions in the test executable and counts the calls.
#include "CMallocCounter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define VPIPE_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(VPIPE_SANITIZED)

static atomic_long count;
static atomic_long large;

// glibc's own names for what is replaced below.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static inline void counted(size_t size) {
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    if (size >= VPIPE_LARGE) atomic_fetch_add_explicit(&large, 1, memory_order_relaxed);
}

void *malloc(size_t size) { counted(size); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { counted(n * size); return __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { counted(size); return __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { counted(size); return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { counted(size); return __libc_memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
    counted(size);
    void *block = __libc_memalign(alignment, size);
    if (!block) return ENOMEM;
    *out = block;
    return 0;
}

int vpipe_malloc_counter_works(void) { return 1; }
long vpipe_malloc_count(void) { return atomic_load_explicit(&count, memory_order_relaxed); }
long vpipe_malloc_large_count(void) { return atomic_load_explicit(&large, memory_order_relaxed); }

#else

int vpipe_malloc_counter_works(void) { return 0; }
long vpipe_malloc_count(void) { return 0; }
long vpipe_malloc_large_count(void) { return 0; }

#endif
