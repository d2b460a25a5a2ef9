// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CHomaPosix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef PACKET_COPY_THRESH
#define PACKET_COPY_THRESH 7
#endif

// Blocks are what the kernel allocates at a time.
#define RING_BLOCK_BYTES 65536

static int set_integer(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

// Past the system's limit when the process may.
static void set_buffer(int fd, int forced, int option, uint32_t byte_count) {
    int value = byte_count > INT32_MAX ? INT32_MAX : (int)byte_count;
    if (set_integer(fd, SOL_SOCKET, forced, value) < 0) set_integer(fd, SOL_SOCKET, option, value);
}

// Without a protocol a packet socket receives nothing until it is bound.
static int open_silent(void) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

static int attach(int fd, struct sock_filter *program, unsigned short length) {
    struct sock_fprog filter = {length, program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno : 0;
}

int homa_reject_everything(int fd) {
    struct sock_filter program[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    return attach(fd, program, 1);
}

// Offsets from the network header, whatever the link's header is.
#define NET(offset) ((uint32_t)(SKF_NET_OFF + (offset)))
#define ACCEPT 0x40000

// Unfragmented UDP for this host and port.
static int attach_ipv4(int fd, uint16_t port) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 8),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NET(9)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, NET(6)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3FFF, 4, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, NET(0)),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, NET(2)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, ACCEPT),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return attach(fd, program, sizeof program / sizeof *program);
}

static int attach_ipv6(int fd, uint16_t port) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NET(6)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, NET(42)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, ACCEPT),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return attach(fd, program, sizeof program / sizeof *program);
}

static int make_ring(int option, uint32_t frame_bytes, uint32_t frame_count, struct homa_ring *ring) {
    uint32_t block = frame_bytes > RING_BLOCK_BYTES ? frame_bytes : RING_BLOCK_BYTES;
    struct tpacket_req request = {
        .tp_block_size = block, .tp_block_nr = frame_count / (block / frame_bytes),
        .tp_frame_size = frame_bytes, .tp_frame_nr = frame_count,
    };
    if (setsockopt(ring->fd, SOL_PACKET, option, &request, sizeof request) < 0) return -errno;
    void *base = mmap(NULL, (size_t)frame_bytes * frame_count, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (base == MAP_FAILED) return -errno;
    ring->base = base;
    ring->frame_bytes = frame_bytes;
    ring->frame_count = frame_count;
    return 0;
}

static int finish_receive(struct homa_ring *ring, int family, uint16_t port, uint32_t frame_bytes,
                          uint32_t frame_count, uint32_t receive_buffer) {
    int result = set_integer(ring->fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
    if (result == 0) result = set_integer(ring->fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    if (result == 0) result = set_integer(ring->fd, SOL_PACKET, PACKET_COPY_THRESH, 1);
    if (result == 0) result = family == AF_INET ? attach_ipv4(ring->fd, port) : attach_ipv6(ring->fd, port);
    set_buffer(ring->fd, SO_RCVBUFFORCE, SO_RCVBUF, receive_buffer);
    if (result == 0) result = make_ring(PACKET_RX_RING, frame_bytes, frame_count, ring);
    if (result < 0) return result;
    struct sockaddr_ll name = {
        .sll_family = AF_PACKET, .sll_protocol = htons(family == AF_INET ? ETH_P_IP : ETH_P_IPV6),
    };
    return bind(ring->fd, (struct sockaddr *)&name, sizeof name) < 0 ? -errno : 0;
}

int homa_ring_open_receive(int family, uint16_t port, uint32_t frame_bytes, uint32_t frame_count,
                           uint32_t receive_buffer, struct homa_ring *result) {
    memset(result, 0, sizeof *result);
    result->fd = open_silent();
    if (result->fd < 0) return result->fd;
    int code = finish_receive(result, family, port, frame_bytes, frame_count, receive_buffer);
    if (code < 0) homa_ring_close(result);
    return code;
}

// The ring's frames wait for the device, not for a queue whose owner could be told to hold them back.
static int prepare_send(int fd) {
    int result = set_integer(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    if (result == 0) result = set_integer(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
    return result;
}

int homa_ring_open_send(uint32_t frame_bytes, uint32_t frame_count, struct homa_ring *result) {
    memset(result, 0, sizeof *result);
    result->fd = open_silent();
    if (result->fd < 0) return result->fd;
    int code = set_integer(result->fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
    if (code == 0) code = prepare_send(result->fd);
    // A frame that the kernel refuses is skipped instead of stopping all that follow.
    if (code == 0) code = set_integer(result->fd, SOL_PACKET, PACKET_LOSS, 1);
    // Each frame is copied into the kernel's own memory, which counts as the socket's.
    set_buffer(result->fd, SO_SNDBUFFORCE, SO_SNDBUF, 2 * frame_bytes * frame_count);
    if (code == 0) code = make_ring(PACKET_TX_RING, frame_bytes, frame_count, result);
    if (code < 0) homa_ring_close(result);
    return code;
}

void homa_ring_close(struct homa_ring *ring) {
    if (ring->base != NULL) munmap(ring->base, (size_t)ring->frame_bytes * ring->frame_count);
    if (ring->fd >= 0) close(ring->fd);
    ring->base = NULL;
    ring->fd = -1;
}

int homa_packet_open_send(uint32_t send_buffer) {
    int fd = open_silent();
    if (fd < 0) return fd;
    int result = prepare_send(fd);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, send_buffer);
    if (result == 0) return fd;
    close(fd);
    return result;
}

int64_t homa_ring_take_losses(int fd) {
    struct tpacket_stats statistics;
    socklen_t length = sizeof statistics;
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) < 0) return -errno;
    return statistics.tp_drops;
}

static struct sockaddr_ll link_name(uint32_t interface, uint16_t protocol) {
    return (struct sockaddr_ll){
        .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)interface,
    };
}

int homa_ring_kick(int fd, uint32_t interface, uint16_t protocol) {
    struct sockaddr_ll name = link_name(interface, protocol);
    ssize_t sent = sendto(fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&name, sizeof name);
    return sent < 0 ? -errno : 0;
}

int homa_packet_send(int fd, uint32_t interface, uint16_t protocol, const void *prefix, size_t prefix_bytes,
                     const struct iovec *pieces, unsigned piece_count) {
    struct iovec all[1 + 2 * HOMA_BATCH_LIMIT];
    if (piece_count > 2 * HOMA_BATCH_LIMIT) return -EMSGSIZE;
    struct sockaddr_ll name = link_name(interface, protocol);
    all[0] = (struct iovec){(void *)prefix, prefix_bytes};
    memcpy(all + 1, pieces, piece_count * sizeof *pieces);
    struct msghdr message = {
        .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = all, .msg_iovlen = 1 + piece_count,
    };
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int homa_packet_receive(int fd, void *buffer, size_t capacity, struct homa_frame *result) {
    struct virtio_net_hdr offload;
    struct iovec pieces[2] = {{&offload, sizeof offload}, {buffer, capacity}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    ssize_t length;
    do length = recvmsg(fd, &message, MSG_DONTWAIT); while (length < 0 && errno == EINTR);
    if (length < 0) return -errno;
    if (message.msg_flags & MSG_TRUNC) return -EMSGSIZE;
    size_t skipped = sizeof offload + result->link_bytes;
    if ((size_t)length < skipped) return -EINVAL;
    result->network = (const uint8_t *)buffer + result->link_bytes;
    result->captured = (uint32_t)((size_t)length - skipped);
    homa_read_offload(&offload, result);
    return 0;
}
