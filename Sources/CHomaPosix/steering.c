// SPDX-License-Identifier: Apache-2.0

#include "CHomaPosix.h"

#include <errno.h>
#include <linux/filter.h>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

int homa_steer(int fd, uint32_t offset, uint32_t count) {
    // The program sees a datagram's UDP payload. One that is too short ends it with 0: the first socket.
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset},
        {BPF_ALU | BPF_RSH | BPF_K, 0, 0, 1},
        {BPF_ALU | BPF_MOD | BPF_K, 0, 0, count},
        {BPF_RET | BPF_A, 0, 0, 0},
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) < 0 ? -errno : 0;
}
