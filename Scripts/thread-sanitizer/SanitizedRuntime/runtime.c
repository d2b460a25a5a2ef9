// SPDX-License-Identifier: Apache-2.0
//
// Tells the thread sanitizer what it cannot see of Swift's libraries, which are built without it: two ways in which one
// thread waits for another. Without this, what each of them does would be taken for races. The functions here have the
// libraries' names, and come first because a program's own symbols do; they call the libraries'.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void __tsan_acquire(void *);
void __tsan_release(void *);

#define SWIFT __attribute__((swiftcall))
#define SWIFT_ASYNC __attribute__((swiftasynccall))
#define SELF __attribute__((swift_context))
#define CONTEXT __attribute__((swift_async_context))
// The functions here must not order anything but what the libraries order.
#define UNSEEN __attribute__((disable_sanitizer_instrumentation))

// The library's own. A Swift that has none by this name is one that this file was not written for.
#define ORIGINAL(type, name)                                       \
    static _Atomic(type) kept;                                     \
    type original = atomic_load(&kept);                            \
    if (original == NULL) {                                        \
        original = (type)(uintptr_t)dlsym(RTLD_NEXT, name);        \
        if (original == NULL) missing(name);                       \
        atomic_store(&kept, original);                             \
    }

static _Noreturn void missing(const char *name) {
    fprintf(stderr, "thread sanitizer: Swift's libraries have no %s\n", name);
    abort();
}

// Mutexes. The quick ways of Synchronization.Mutex are compiled into its users, where the sanitizer sees them; those of a
// mutex that somebody waits for are not.

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef SWIFT void (*lock_function)(uint32_t thread, SELF void *mutex);
typedef SWIFT _Bool (*try_lock_function)(SELF void *mutex);
typedef SWIFT void (*unlock_function)(SELF void *mutex);

SWIFT void lock_slow(uint32_t thread, SELF void *mutex) __asm__(LOCK);
SWIFT _Bool try_lock_slow(SELF void *mutex) __asm__(TRY_LOCK);
SWIFT void unlock_slow(SELF void *mutex) __asm__(UNLOCK);

UNSEEN SWIFT void lock_slow(uint32_t thread, SELF void *mutex) {
    ORIGINAL(lock_function, LOCK)
    original(thread, mutex);
    __tsan_acquire(mutex);
}

UNSEEN SWIFT _Bool try_lock_slow(SELF void *mutex) {
    ORIGINAL(try_lock_function, TRY_LOCK)
    _Bool is_locked = original(mutex);
    if (is_locked) __tsan_acquire(mutex);
    return is_locked;
}

UNSEEN SWIFT void unlock_slow(SELF void *mutex) {
    ORIGINAL(unlock_function, UNLOCK)
    __tsan_release(mutex);
    original(mutex);
}

// Continuations. The runtime tells the sanitizer that a continuation is resumed, and that a task runs again; but not that
// a task goes on without a pause, because it was resumed before it waited. So every task that waits for a continuation
// goes on by way of `went_on`, which tells it.

// As every context of Swift's begins.
struct context {
    struct context *parent;
    SWIFT_ASYNC void (*resume)(CONTEXT struct context *);
};
typedef SWIFT_ASYNC void (*resume_function)(CONTEXT struct context *);
typedef SWIFT void *(*init_function)(struct context *, size_t flags);

SWIFT void *swift_task_getCurrent(void);
SWIFT void *swift_continuation_init(struct context *context, size_t flags);

// Where tasks go on, by context, each near the place that its hash says.
enum { SLOTS = 1 << 16, NEAR = 64 };
static struct {
    _Atomic(struct context *) context;
    resume_function resume;
} waiting[SLOTS];

static UNSEEN unsigned first_slot(struct context *context) {
    return (unsigned)(((uintptr_t)context >> 4) * 0x9E3779B97F4A7C15u >> 48);
}

static UNSEEN SWIFT_ASYNC void went_on(CONTEXT struct context *context) {
    __tsan_acquire(swift_task_getCurrent());
    for (unsigned index = 0, slot = first_slot(context); index < NEAR; index++, slot = (slot + 1) % SLOTS) {
        if (atomic_load(&waiting[slot].context) != context) continue;
        resume_function resume = waiting[slot].resume;
        atomic_store(&waiting[slot].context, NULL);
        __attribute__((musttail)) return resume(context);
    }
    abort();
}

UNSEEN SWIFT void *swift_continuation_init(struct context *context, size_t flags) {
    ORIGINAL(init_function, "swift_continuation_init")
    for (unsigned index = 0, slot = first_slot(context); index < NEAR; index++, slot = (slot + 1) % SLOTS) {
        struct context *nobody = NULL;
        if (!atomic_compare_exchange_strong(&waiting[slot].context, &nobody, context)) continue;
        waiting[slot].resume = context->resume;
        context->resume = went_on;
        return original(context, flags);
    }
    fprintf(stderr, "thread sanitizer: more tasks wait than there is room for\n");
    abort();
}
