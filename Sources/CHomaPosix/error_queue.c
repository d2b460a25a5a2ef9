// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CHomaPosix.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h>

// The entry's own sockaddr (who sent the ICMP message) follows it; a timestamp may come too.
#define ERROR_CONTROL_BYTES \
    (CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6)) + CMSG_SPACE(64))

static int is_error_entry(const struct cmsghdr *c) {
    if (c->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err))) return 0;
    return (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR)
        || (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR);
}

int homa_receive_error(int fd, struct homa_socket_error *result) {
    struct sockaddr_storage name;
    struct iovec piece = {result->payload, sizeof result->payload};
    _Alignas(struct cmsghdr) char control[ERROR_CONTROL_BYTES];
    struct msghdr header = {
        .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &piece, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof control,
    };
    memset(result, 0, sizeof *result);
    ssize_t length = recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (length < 0) return -errno;

    result->payload_count = (uint8_t)length;  // never more than the piece holds
    result->is_malformed = 1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c)) {
        if (!is_error_entry(c)) continue;
        struct sock_extended_err entry;
        memcpy(&entry, CMSG_DATA(c), sizeof entry);
        result->code = entry.ee_errno;
        result->info = entry.ee_info;
        result->origin = entry.ee_origin;
        result->type = entry.ee_type;
        result->icmp_code = entry.ee_code;
        const char *reporter = (const char *)CMSG_DATA(c) + sizeof entry;
        size_t rest = c->cmsg_len - CMSG_LEN(sizeof entry);
        if (homa_load_address(reporter, rest, &result->reporter) < 0)
            memset(&result->reporter, 0, sizeof result->reporter);
        result->is_malformed = homa_load_address(&name, header.msg_namelen, &result->peer) < 0;
    }
    return 0;
}
