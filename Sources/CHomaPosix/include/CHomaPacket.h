// SPDX-License-Identifier: Apache-2.0

// Packet sockets with rings shared with the kernel, and the questions to its routing tables that go with them.
//
// Every function returns a value >= 0, or -errno.

#ifndef CHOMAPACKET_H
#define CHOMAPACKET_H

#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct homa_address;

// A ring of frames of one size in memory shared with the kernel, and the packet socket it belongs to.
struct homa_ring {
    void *base;
    uint32_t frame_bytes;
    uint32_t frame_count;
    int fd;
};

// Bytes at the start of each frame of a send ring that the kernel reads; the packet follows, first its
// virtio_net_hdr.
#define HOMA_SEND_FRAME_HEADER 32
_Static_assert(TPACKET_ALIGN(sizeof(struct tpacket2_hdr)) == HOMA_SEND_FRAME_HEADER, "linux/if_packet.h");

// A train of UDP datagrams; older headers of the kernel do not know it (VIRTIO_NET_HDR_GSO_UDP_L4).
#define HOMA_OFFLOAD_TRAIN 5

// Bytes of a virtio_net_hdr without the count of buffers.
#define HOMA_OFFLOAD_HEADER 10
_Static_assert(sizeof(struct virtio_net_hdr) == HOMA_OFFLOAD_HEADER, "linux/virtio_net.h");

// A socket that receives the UDP datagrams of `family` for `port` on all interfaces into a ring. Packets that do
// not fit into a frame wait in the socket besides, at most receive_buffer bytes of them.
int homa_ring_open_receive(int family, uint16_t port, uint32_t frame_bytes, uint32_t frame_count,
                           uint32_t receive_buffer, struct homa_ring *result);

// A socket that sends frames from a ring, past the queueing discipline. It receives nothing.
int homa_ring_open_send(uint32_t frame_bytes, uint32_t frame_count, struct homa_ring *result);

void homa_ring_close(struct homa_ring *ring);

// A packet socket without a ring that sends past the queueing discipline, and receives nothing.
int homa_packet_open_send(uint32_t send_buffer);

// Packets that found the ring full since the last call; the kernel forgets them.
int64_t homa_ring_take_losses(int fd);

// Sends all frames that say so, out of one interface. Negative also when only the first could not be sent.
int homa_ring_kick(int fd, uint32_t interface, uint16_t protocol);

// Sends one packet or train: `prefix` is a virtio_net_hdr and the headers up to and with UDP's.
int homa_packet_send(int fd, uint32_t interface, uint16_t protocol, const void *prefix, size_t prefix_bytes,
                     const struct iovec *pieces, unsigned piece_count);

// A received frame. Bytes are counted from the network header, `captured` of them are in memory.
struct homa_frame {
    const uint8_t *network;
    uint32_t captured;
    uint32_t link_bytes;      // before the network header
    uint32_t interface;
    uint32_t status;          // TP_STATUS_ bits
    uint16_t segment_size;    // 0: one datagram
    uint8_t packet_type;      // PACKET_HOST is for us
    uint8_t is_segmented;     // a train of UDP datagrams
    uint8_t is_cut;           // the frame does not hold all of it
};

static inline uint32_t homa_frame_status(const void *frame) {
    return __atomic_load_n(&((const struct tpacket2_hdr *)frame)->tp_status, __ATOMIC_ACQUIRE);
}

// Hands a frame to the kernel: a received one back, one to send over.
static inline void homa_frame_set_status(void *frame, uint32_t status) {
    __atomic_store_n(&((struct tpacket2_hdr *)frame)->tp_status, status, __ATOMIC_RELEASE);
}

static inline void homa_read_offload(const void *at, struct homa_frame *result) {
    struct virtio_net_hdr offload;
    __builtin_memcpy(&offload, at, sizeof offload);
    result->is_segmented = offload.gso_type == HOMA_OFFLOAD_TRAIN;
    result->segment_size = result->is_segmented ? offload.gso_size : 0;
}

static inline void homa_frame_read(const void *frame, struct homa_frame *result) {
    // The other core wrote all of it: fetch its lines together, not one after the other.
    for (int offset = 64; offset <= 320; offset += 64) __builtin_prefetch((const char *)frame + offset);
    const struct tpacket2_hdr *header = (const struct tpacket2_hdr *)frame;
    const struct sockaddr_ll *from = (const struct sockaddr_ll *)((const char *)frame + HOMA_SEND_FRAME_HEADER);
    uint32_t link_bytes = (uint32_t)(header->tp_net - header->tp_mac);
    result->network = (const uint8_t *)frame + header->tp_net;
    result->captured = header->tp_snaplen > link_bytes ? header->tp_snaplen - link_bytes : 0;
    result->link_bytes = link_bytes;
    result->interface = (uint32_t)from->sll_ifindex;
    result->packet_type = from->sll_pkttype;
    result->status = header->tp_status;
    result->is_cut = header->tp_len > header->tp_snaplen;
    homa_read_offload((const char *)frame + header->tp_mac - HOMA_OFFLOAD_HEADER, result);
}

// Sets the length of a frame to be sent, with its virtio_net_hdr.
static inline void homa_frame_set_length(void *frame, uint32_t byte_count) {
    struct tpacket2_hdr *header = (struct tpacket2_hdr *)frame;
    header->tp_len = byte_count;
    header->tp_snaplen = byte_count;
}

// Takes the packet that did not fit into the frame described by `result` off the socket, and makes `result`
// describe the whole of it; -EMSGSIZE when it does not fit into the buffer either.
int homa_packet_receive(int fd, void *buffer, size_t capacity, struct homa_frame *result);

// A filter that lets nothing through, for a socket that only keeps a port.
int homa_reject_everything(int fd);

// How packets to an address leave this host.
struct homa_route {
    struct homa_address next_hop;
    struct homa_address source;
    uint32_t interface;
    uint32_t mtu;                       // of the route if it says one, else of the interface
    uint8_t is_ethernet;                // plain unicast over a device with Ethernet headers
    uint8_t has_neighbor;               // the addresses below are known
    uint8_t is_confirmed;               // and have lately been seen to work
    uint8_t neighbor_hardware[6];
    uint8_t own_hardware[6];
};

// A netlink socket for homa_find_route.
int homa_routes_open(void);

// Asks the kernel for the way from `source` (all zero: any) to `target`; 0, or -ENETUNREACH and the like.
int homa_find_route(int fd, const struct homa_address *target, const struct homa_address *source,
                    struct homa_route *result);

// The longest IP packet that the route to `target` and its interface take, whatever reports have come of the path.
int homa_find_mtu(int fd, const struct homa_address *target, uint32_t *mtu);

// All unicast addresses of this host; their number, at most `capacity`.
int homa_local_addresses(struct homa_address *result, unsigned capacity);

#endif
