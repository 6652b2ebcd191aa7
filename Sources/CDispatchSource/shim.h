// SPDX-License-Identifier: Apache-2.0
// A serial queue with one event source, by Dispatch's C functions. The Swift overlay finds the C object behind a source by
// a dynamic cast at every signal; after a pause of one frame, caches cold, that is some 7 microseconds of each wake-up.
// Pointers are untyped because the overlay gives Dispatch's own types other names.
#pragma once
#include <dispatch/dispatch.h>

/// A serial queue, released by `vpipe_dispatch_release`. Its quality of service is the default: a higher one asks for a nice
/// value that only root may have, and says so in the system's log, once a thread, where it is refused.
static inline void *vpipe_queue_create(const char *label) { return dispatch_queue_create(label, DISPATCH_QUEUE_SERIAL); }

/// Calls `body` on the queue and waits for it.
static inline void vpipe_queue_sync(void *queue, void *context, void (*body)(void *context)) {
    dispatch_sync_f((dispatch_queue_t)queue, context, body);
}

/// An active source whose `run` is called on the queue after each `vpipe_source_signal`, once for several; `cancelled` is
/// called there after the last run. Released by `vpipe_dispatch_release`.
static inline void *vpipe_source_create(
    void *queue, void *context, void (*run)(void *context), void (*cancelled)(void *context)) {
    dispatch_source_t source = dispatch_source_create(DISPATCH_SOURCE_TYPE_DATA_OR, 0, 0, (dispatch_queue_t)queue);
    dispatch_set_context(source, context);
    dispatch_source_set_event_handler_f(source, run);
    dispatch_source_set_cancel_handler_f(source, cancelled);
    dispatch_activate(source);
    return source;
}

static inline void vpipe_source_signal(void *source) { dispatch_source_merge_data((dispatch_source_t)source, 1); }
static inline void vpipe_source_cancel(void *source) { dispatch_source_cancel((dispatch_source_t)source); }
static inline void vpipe_dispatch_release(void *object) { dispatch_release((dispatch_object_t){(struct dispatch_object_s *)object}); }
