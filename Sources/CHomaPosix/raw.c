// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CHomaPosix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t abstract_name(const char *name, struct sockaddr_un *result) {
    memset(result, 0, sizeof *result);
    result->sun_family = AF_UNIX;
    // The first byte stays zero: no file.
    size_t length = strnlen(name, sizeof result->sun_path - 1);
    memcpy(result->sun_path + 1, name, length);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

int homa_claim(const char *name) {
    struct sockaddr_un address;
    socklen_t length = abstract_name(name, &address);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (bind(fd, (struct sockaddr *)&address, length) == 0) return fd;
    int code = errno;
    close(fd);
    return -code;
}

int homa_is_claimed(const char *name) {
    struct sockaddr_un address;
    socklen_t length = abstract_name(name, &address);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int result = connect(fd, (struct sockaddr *)&address, length) == 0;
    close(fd);
    return result;
}

static uint16_t internet_checksum(const uint8_t *bytes, size_t count) {
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

// The address from which this host answers `peer`.
static int own_address(const struct sockaddr_in6 *peer, struct in6_addr *result) {
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    struct sockaddr_in6 target = *peer, own;
    socklen_t length = sizeof own;
    target.sin6_port = htons(9);
    int code = connect(fd, (struct sockaddr *)&target, sizeof target) < 0
            || getsockname(fd, (struct sockaddr *)&own, &length) < 0 ? -errno : 0;
    close(fd);
    if (code == 0) *result = own.sin6_addr;
    return code;
}

// IPv4: the quoted bytes begin with the packet's own IP header.
static size_t build_ipv4(uint8_t *message, const void *packet, size_t count) {
    message[0] = ICMP_DEST_UNREACH;
    message[1] = ICMP_PORT_UNREACH;
    memcpy(message + 8, packet, count);
    uint16_t sum = internet_checksum(message, 8 + count);
    message[2] = (uint8_t)(sum >> 8);
    message[3] = (uint8_t)sum;
    return 8 + count;
}

// IPv6: a raw socket does not deliver the IP header, so it is written anew. The kernel adds the checksum.
static int build_ipv6(uint8_t *message, const struct sockaddr_in6 *from, const void *packet, size_t count,
                      uint8_t protocol) {
    struct in6_addr own = {0};
    int code = own_address(from, &own);
    if (code < 0) return code;
    message[0] = ICMP6_DST_UNREACH;
    message[1] = ICMP6_DST_UNREACH_NOPORT;
    uint8_t *header = message + 8;
    header[0] = 0x60;
    header[4] = (uint8_t)(count >> 8);
    header[5] = (uint8_t)count;
    header[6] = protocol;
    header[7] = 64;
    memcpy(header + 8, &from->sin6_addr, 16);
    memcpy(header + 24, &own, 16);
    memcpy(header + 40, packet, count);
    return (int)(48 + count);
}

int homa_send_port_unreachable(const struct homa_address *sender, const void *packet, size_t count, int protocol) {
    int is_ipv4 = sender->high == 0 && sender->low >> 32 == 0xFFFF;
    int family = is_ipv4 ? AF_INET : AF_INET6;
    uint8_t message[8 + 40 + 256] = {0};
    struct homa_address host = *sender;
    host.port = 0;
    struct sockaddr_storage name;
    int name_length = homa_store_address(&host, family, &name);
    if (name_length < 0) return name_length;
    if (count > 256) count = 256;
    int length = is_ipv4 ? (int)build_ipv4(message, packet, count)
                         : build_ipv6(message, (struct sockaddr_in6 *)&name, packet, count, (uint8_t)protocol);
    if (length < 0) return length;
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, is_ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    if (fd < 0) return -errno;
    ssize_t sent = sendto(fd, message, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&name,
                          (socklen_t)name_length);
    int code = sent < 0 ? -errno : 0;
    close(fd);
    return code;
}

int homa_filter_hijacked(int fd, int is_ipv4) {
    // X is where the TCP header begins. Anything too short ends the program with 0: dropped.
    struct sock_filter ipv4_start = {BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0};
    struct sock_filter ipv6_start = {BPF_LDX | BPF_W | BPF_IMM, 0, 0, 0};
    struct sock_filter code[] = {
        is_ipv4 ? ipv4_start : ipv6_start,
        {BPF_LD | BPF_B | BPF_IND, 0, 0, 13},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 6},
        {BPF_LD | BPF_H | BPF_IND, 0, 0, 18},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0xB97D},
        {BPF_RET | BPF_K, 0, 0, 0xFFFFFFFF},
        {BPF_RET | BPF_K, 0, 0, 0},
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}
