// SPDX-License-Identifier: Apache-2.0
// An event source on Dispatch's threads, by its C functions. The Swift overlay finds the C object behind a source by a
// dynamic cast at every signal; after a pause of one frame, caches cold, that is some 7 microseconds of each wake-up.
// Pointers are untyped because the overlay gives Dispatch's own types other names.
#pragma once
#include <dispatch/dispatch.h>

/// An active source whose `run` is called after each `vpipe_source_signal`, once for several and never twice at a time;
/// `cancelled` is called after the last run. NULL where Dispatch has no queue for it. Released by `vpipe_source_release`.
///
/// It needs no queue of its own, sources being serial already (dispatch_source_create(3)); without one a wake-up is some
/// microseconds shorter. Its threads are those of private serial queues: they come as needed, so that a stage which
/// blocks in a read or a write keeps no other waiting. Their quality of service is the default: a higher one asks for a
/// nice value that only root may have, and says so in the system's log, once a thread, where it is refused.
static inline void *vpipe_source_create(void *context, void (*run)(void *context), void (*cancelled)(void *context)) {
    const uintptr_t overcommit = 2; // DISPATCH_QUEUE_OVERCOMMIT, which no public header names
    dispatch_queue_t queue = dispatch_get_global_queue(DISPATCH_QUEUE_PRIORITY_DEFAULT, overcommit);
    if (!queue) return 0;
    dispatch_source_t source = dispatch_source_create(DISPATCH_SOURCE_TYPE_DATA_OR, 0, 0, queue);
    dispatch_set_context(source, context);
    dispatch_source_set_event_handler_f(source, run);
    dispatch_source_set_cancel_handler_f(source, cancelled);
    dispatch_activate(source);
    return source;
}

static inline void vpipe_source_signal(void *source) { dispatch_source_merge_data((dispatch_source_t)source, 1); }
static inline void vpipe_source_cancel(void *source) { dispatch_source_cancel((dispatch_source_t)source); }
static inline void vpipe_source_release(void *source) { dispatch_release((dispatch_source_t)source); }
