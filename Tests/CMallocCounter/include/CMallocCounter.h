// SPDX-License-Identifier: Apache-2.0
#ifndef VPIPE_MALLOC_COUNTER_H
#define VPIPE_MALLOC_COUNTER_H

/// Whether allocations are counted here: not under a sanitizer, which brings an allocator of its own.
int vpipe_malloc_counter_works(void);
/// How many blocks were asked for since the process began, by any thread.
long vpipe_malloc_count(void);
/// The same, of blocks of VPIPE_LARGE bytes or more: a picture, not what an unoptimised build boxes.
#define VPIPE_LARGE 2048
long vpipe_malloc_large_count(void);

#endif
