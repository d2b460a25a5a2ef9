// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CFaults.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// The error for sends to each port. Engines send from threads of their own.
static _Atomic int errors[65536];
static _Atomic int ports;

void homa_fail_sends_to(uint16_t port, int error) {
    int before = atomic_exchange(&errors[port], error);
    atomic_fetch_add(&ports, (error != 0) - (before != 0));
}

// The error planted for this address, or 0.
static int planted(const void *name) {
    if (name == NULL || atomic_load_explicit(&ports, memory_order_relaxed) == 0) return 0;
    const struct sockaddr *address = name;
    uint16_t port = address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)name)->sin6_port
                                                   : ((const struct sockaddr_in *)name)->sin_port;
    return atomic_load(&errors[ntohs(port)]);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    // As the kernel does: what comes before the failing one is sent, and the error is told when it is the first.
    for (unsigned index = 0; index < count; index++) {
        int error = planted(messages[index].msg_hdr.msg_name);
        if (error == 0) continue;
        if (index > 0) {
            count = index;
            break;
        }
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

ssize_t sendto(int fd, const void *bytes, size_t count, int flags, const struct sockaddr *name, socklen_t length) {
    int error = planted(name);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return syscall(SYS_sendto, fd, bytes, count, flags, name, length);
}
