// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CHomaPosix.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

static int map(int fd, size_t length, int flags, void **result) {
    void *base = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (base == MAP_FAILED) return -errno;
    *result = base;
    return 0;
}

int homa_map_private(size_t length, void **result) {
    return map(-1, length, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, result);
}

int homa_map_shared(int fd, size_t length, void **result) {
    return map(fd, length, MAP_SHARED | MAP_NORESERVE, result);
}

int homa_discard(void *base, size_t length, int is_shared) {
    return madvise(base, length, is_shared ? MADV_REMOVE : MADV_DONTNEED) < 0 ? -errno : 0;
}

int homa_memory_file(const char *name, size_t length) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    if (ftruncate(fd, (off_t)length) == 0
        && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) return fd;
    int code = errno;
    close(fd);
    return -code;
}

int homa_is_sealed(int fd) {
    int seals = fcntl(fd, F_GET_SEALS);
    return seals < 0 ? -errno : (seals & F_SEAL_SHRINK) != 0;
}

int homa_pin_thread(unsigned core) {
    if (core >= CPU_SETSIZE) return -EINVAL;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    return sched_setaffinity(0, sizeof cores, &cores) < 0 ? -errno : 0;
}

static _Thread_local void *thread_mark;

void homa_mark_thread(void *owner) { thread_mark = owner; }
void *homa_thread_mark(void) { return thread_mark; }
