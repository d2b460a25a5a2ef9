// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CHomaPosix.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SOCKET_TAG, EVENT_TAG };

int homa_event_create(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int control(int poll_fd, int operation, int fd, uint32_t events, uint64_t tag) {
    struct epoll_event event = {.events = events, .data.u64 = tag};
    return epoll_ctl(poll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

int homa_poll_create(int socket_fd, int event_fd) {
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (poll_fd < 0) return -errno;
    int result = control(poll_fd, EPOLL_CTL_ADD, socket_fd, EPOLLIN, SOCKET_TAG);
    if (result == 0) result = control(poll_fd, EPOLL_CTL_ADD, event_fd, EPOLLIN, EVENT_TAG);
    if (result == 0) return poll_fd;
    close(poll_fd);
    return result;
}

int homa_poll_add(int poll_fd, int socket_fd) {
    return control(poll_fd, EPOLL_CTL_ADD, socket_fd, EPOLLIN, SOCKET_TAG);
}

int homa_poll_remove(int poll_fd, int socket_fd) {
    return control(poll_fd, EPOLL_CTL_DEL, socket_fd, 0, 0);
}

int homa_poll_set_writable(int poll_fd, int socket_fd, int wants_writable) {
    uint32_t events = wants_writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
    return control(poll_fd, EPOLL_CTL_MOD, socket_fd, events, SOCKET_TAG);
}

static int wait_milliseconds(int poll_fd, struct epoll_event *events, int count, int64_t timeout) {
    // Rounded up: waking before the deadline would make the caller spin.
    int64_t milliseconds = timeout < 0 ? -1 : timeout / 1000000 + (timeout % 1000000 != 0);
    if (milliseconds > 86400000) milliseconds = 86400000;
    return epoll_wait(poll_fd, events, count, (int)milliseconds);
}

static int wait_events(int poll_fd, struct epoll_event *events, int count, int64_t timeout) {
#ifdef SYS_epoll_pwait2
    static atomic_bool is_missing;
    if (!atomic_load_explicit(&is_missing, memory_order_relaxed)) {
        // Called by number: the C library's wrapper is younger than the oldest supported systems.
        struct { int64_t seconds, nanoseconds; } limit = {timeout / 1000000000, timeout % 1000000000};
        long result = syscall(SYS_epoll_pwait2, poll_fd, events, count, timeout < 0 ? NULL : &limit, NULL, 0);
        if (result >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)result;
        atomic_store_explicit(&is_missing, 1, memory_order_relaxed);
    }
#endif
    return wait_milliseconds(poll_fd, events, count, timeout);
}

static int reported(uint32_t events) {
    int result = 0;
    if (events & EPOLLIN) result |= HOMA_POLL_READABLE;
    if (events & EPOLLOUT) result |= HOMA_POLL_WRITABLE;
    if (events & (EPOLLERR | EPOLLHUP)) result |= HOMA_POLL_ERROR;
    return result;
}

int homa_poll_wait(int poll_fd, int64_t timeout) {
    struct epoll_event events[3];
    int count = wait_events(poll_fd, events, 3, timeout);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    int result = 0;
    for (int i = 0; i < count; i++) {
        result |= events[i].data.u64 == EVENT_TAG ? HOMA_POLL_WOKEN : reported(events[i].events);
    }
    return result;
}

int homa_poll_open(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int homa_poll_watch(int poll_fd, int fd, int interest, int is_known) {
    uint32_t events = 0;
    if (interest & HOMA_POLL_READABLE) events |= EPOLLIN;
    if (interest & HOMA_POLL_WRITABLE) events |= EPOLLOUT;
    if (interest & HOMA_POLL_EXCLUSIVE) events |= EPOLLEXCLUSIVE;
    return control(poll_fd, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, events, (uint64_t)fd);
}

int homa_poll_wait_all(int poll_fd, int64_t timeout, struct homa_ready *ready, unsigned limit) {
    struct epoll_event events[64];
    int count = wait_events(poll_fd, events, limit < 64 ? (int)limit : 64, timeout);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        ready[i].descriptor = (int32_t)events[i].data.u64;
        ready[i].events = reported(events[i].events);
    }
    return count;
}
