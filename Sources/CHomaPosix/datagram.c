// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CHomaPosix.h"

#include <endian.h>
#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif

// UDP_SEGMENT (2 bytes), a traffic class (int) and a source.
#define SEND_CONTROL_BYTES \
    (CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo)))
// UDP_GRO, SO_RXQ_OVFL, a traffic class and a target of either family.
#define RECEIVE_CONTROL_BYTES \
    (4 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo)))

static size_t put_control(char *at, int level, int type, const void *value, size_t length) {
    struct cmsghdr *header = (struct cmsghdr *)at;
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(header), value, length);
    return CMSG_SPACE(length);
}

static int is_ipv4(uint64_t high, uint64_t low) { return high == 0 && low >> 32 == 0xFFFF; }

static int has_source(const struct homa_sender *sender, const struct homa_outgoing *message) {
    return !sender->is_connected && message->source != NULL && (message->source->high | message->source->low) != 0;
}

static size_t put_source(char *control, const struct homa_source *source) {
    if (is_ipv4(source->high, source->low)) {
        struct in_pktinfo info = {
            .ipi_ifindex = (int)source->interface, .ipi_spec_dst.s_addr = htobe32((uint32_t)source->low)};
        return put_control(control, SOL_IP, IP_PKTINFO, &info, sizeof info);
    }
    uint64_t halves[2] = {htobe64(source->high), htobe64(source->low)};
    struct in6_pktinfo info = {.ipi6_ifindex = source->interface};
    memcpy(&info.ipi6_addr, halves, sizeof halves);
    return put_control(control, SOL_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

static size_t put_controls(char *control, const struct homa_sender *sender, const struct homa_outgoing *message) {
    size_t used = 0;
    if (has_source(sender, message)) used += put_source(control, message->source);
    if (message->segment_size != 0)
        used += put_control(control + used, SOL_UDP, UDP_SEGMENT, &message->segment_size, sizeof(uint16_t));
    // The socket itself carries the usual value: a control message costs time in every short send.
    if (message->traffic_class != sender->usual_traffic_class) {
        // A mapped address leaves as IPv4, where only the IPv4 option counts, whatever the socket is.
        int is_mapped = is_ipv4(message->to.high, message->to.low);
        int traffic_class = message->traffic_class;
        used += put_control(control + used, is_mapped ? SOL_IP : SOL_IPV6, is_mapped ? IP_TOS : IPV6_TCLASS,
                            &traffic_class, sizeof traffic_class);
    }
    return used;
}

// The longest datagram that is worth copying together for the shorter way into the kernel.
#define LONE_DATAGRAM_LIMIT 512

static int send_lone_from(const struct homa_sender *sender, const struct homa_outgoing *message, void *bytes,
                          size_t length, struct sockaddr_storage *name, int name_length) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    struct iovec piece = {bytes, length};
    struct msghdr header = {
        .msg_name = name, .msg_namelen = (socklen_t)name_length, .msg_iov = &piece, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = put_source(control, message->source),
    };
    return sendmsg(sender->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 1;
}

// A short datagram that leaves alone, as most requests and responses do: one copy of ours is cheaper than
// having the kernel read a message header, its pieces and its control part. -E2BIG when it does not qualify.
static int send_lone(const struct homa_sender *sender, const struct homa_outgoing *message) {
    char bytes[LONE_DATAGRAM_LIMIT];
    if (message->segment_size != 0 || message->traffic_class != sender->usual_traffic_class) return -E2BIG;
    size_t length = 0;
    for (uint32_t i = 0; i < message->piece_count; i++) {
        const struct iovec *piece = &message->pieces[i];
        if (piece->iov_len > sizeof bytes - length) return -E2BIG;
        memcpy(bytes + length, piece->iov_base, piece->iov_len);
        length += piece->iov_len;
    }
    struct sockaddr_storage name;
    int name_length = sender->is_connected ? 0 : homa_store_address(&message->to, sender->family, &name);
    if (name_length < 0) return name_length;
    if (has_source(sender, message)) return send_lone_from(sender, message, bytes, length, &name, name_length);
    ssize_t sent = sendto(sender->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                          sender->is_connected ? NULL : (struct sockaddr *)&name, (socklen_t)name_length);
    return sent < 0 ? -errno : 1;
}

static int send_headers(const struct homa_sender *sender, struct mmsghdr *headers, unsigned count) {
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    if (!sender->is_singly) return sendmmsg(sender->fd, headers, count, flags);
    unsigned done = 0;
    while (done < count && sendmsg(sender->fd, &headers[done].msg_hdr, flags) >= 0) done++;
    return done > 0 ? (int)done : -1;
}

int homa_may_send_many(int fd) { return sendmmsg(fd, NULL, 0, MSG_DONTWAIT) < 0 ? -errno : 0; }
int homa_may_receive_many(int fd) { return recvmmsg(fd, NULL, 0, MSG_DONTWAIT, NULL) < 0 ? -errno : 0; }

int homa_send(const struct homa_sender *sender, const struct homa_outgoing *messages, unsigned count) {
    if (count == 1) {
        int result = send_lone(sender, messages);
        if (result != -E2BIG) return result;
    }
    struct mmsghdr headers[HOMA_BATCH_LIMIT];
    struct sockaddr_storage names[HOMA_BATCH_LIMIT];
    _Alignas(struct cmsghdr) char controls[HOMA_BATCH_LIMIT][SEND_CONTROL_BYTES];
    if (count > HOMA_BATCH_LIMIT) count = HOMA_BATCH_LIMIT;
    unsigned ready = 0;
    for (; ready < count; ready++) {
        const struct homa_outgoing *message = &messages[ready];
        int name_length = sender->is_connected ? 0 : homa_store_address(&message->to, sender->family, &names[ready]);
        if (name_length < 0) break;
        struct msghdr *header = &headers[ready].msg_hdr;
        header->msg_name = sender->is_connected ? NULL : &names[ready];
        header->msg_namelen = (socklen_t)name_length;
        header->msg_iov = (struct iovec *)message->pieces;
        header->msg_iovlen = message->piece_count;
        header->msg_controllen = put_controls(controls[ready], sender, message);
        header->msg_control = header->msg_controllen == 0 ? NULL : controls[ready];
        header->msg_flags = 0;
    }
    if (ready == 0) return count == 0 ? 0 : -EAFNOSUPPORT;
    int sent = send_headers(sender, headers, ready);
    return sent < 0 ? -errno : sent;
}

static void read_controls(struct msghdr *header, struct homa_incoming *slot) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            if (size > 0 && (uint32_t)size < slot->byte_count) slot->segment_size = (uint32_t)size;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&slot->overflow_count, CMSG_DATA(c), sizeof slot->overflow_count);
            slot->has_overflow_count = 1;
        } else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS) {
            slot->traffic_class = *(const uint8_t *)CMSG_DATA(c);
        } else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int traffic_class;
            memcpy(&traffic_class, CMSG_DATA(c), sizeof traffic_class);
            slot->traffic_class = (uint8_t)traffic_class;
        } else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            slot->to.high = 0;
            slot->to.low = 0xFFFF00000000 | be32toh(info.ipi_spec_dst.s_addr);
            slot->to.interface = (uint32_t)info.ipi_ifindex;
        } else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            uint64_t halves[2];
            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(halves, &info.ipi6_addr, sizeof halves);
            slot->to.high = be64toh(halves[0]);
            slot->to.low = be64toh(halves[1]);
            slot->to.interface = info.ipi6_ifindex;
        }
    }
}

static void read_answer(struct msghdr *header, const struct sockaddr_storage *name, unsigned length,
                        struct homa_incoming *slot) {
    slot->byte_count = length;
    slot->segment_size = length;
    slot->has_overflow_count = 0;
    slot->traffic_class = 0;
    slot->to = (struct homa_source){0};
    slot->is_truncated = (header->msg_flags & MSG_TRUNC) != 0;
    if (homa_load_address(name, header->msg_namelen, &slot->from) < 0) memset(&slot->from, 0, sizeof slot->from);
    read_controls(header, slot);
}

int homa_receive_scattered(int fd, const struct iovec *pieces, unsigned count, struct homa_incoming *slot) {
    struct sockaddr_storage name;
    _Alignas(struct cmsghdr) char controls[RECEIVE_CONTROL_BYTES];
    struct msghdr header = {
        .msg_name = &name, .msg_namelen = sizeof name,
        .msg_iov = (struct iovec *)pieces, .msg_iovlen = count,
        .msg_control = controls, .msg_controllen = sizeof controls,
    };
    ssize_t length = recvmsg(fd, &header, MSG_DONTWAIT);
    if (length < 0) return -errno;
    read_answer(&header, &name, (unsigned)length, slot);
    return 1;
}

static int receive_headers(int fd, struct mmsghdr *headers, unsigned count, int is_singly) {
    if (count != 1 && !is_singly) return recvmmsg(fd, headers, count, MSG_DONTWAIT, NULL);
    for (unsigned i = 0; i < count; i++) {
        ssize_t length = recvmsg(fd, &headers[i].msg_hdr, MSG_DONTWAIT);
        // What an earlier packet met stands in the error queue besides.
        if (length < 0) return i > 0 ? (int)i : -1;
        headers[i].msg_len = (unsigned)length;
    }
    return (int)count;
}

int homa_receive(int fd, struct homa_incoming *slots, unsigned count, int is_singly) {
    struct mmsghdr headers[HOMA_BATCH_LIMIT];
    struct iovec pieces[HOMA_BATCH_LIMIT];
    struct sockaddr_storage names[HOMA_BATCH_LIMIT];
    _Alignas(struct cmsghdr) char controls[HOMA_BATCH_LIMIT][RECEIVE_CONTROL_BYTES];
    if (count > HOMA_BATCH_LIMIT) count = HOMA_BATCH_LIMIT;
    for (unsigned i = 0; i < count; i++) {
        pieces[i] = (struct iovec){slots[i].base, slots[i].capacity};
        headers[i].msg_hdr = (struct msghdr){
            .msg_name = &names[i], .msg_namelen = sizeof names[i],
            .msg_iov = &pieces[i], .msg_iovlen = 1,
            .msg_control = controls[i], .msg_controllen = sizeof controls[i],
        };
    }
    int received = receive_headers(fd, headers, count, is_singly);
    if (received < 0) return -errno;
    for (int i = 0; i < received; i++) read_answer(&headers[i].msg_hdr, &names[i], headers[i].msg_len, &slots[i]);
    return received;
}
