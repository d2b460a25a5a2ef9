// SPDX-License-Identifier: Apache-2.0

// The system calls that Swift's Glibc module cannot express: batched datagrams with control
// messages, the socket error queue, epoll, and a few flags hidden behind _GNU_SOURCE.
//
// Every function returns a value >= 0, or -errno. Nothing here keeps state, allocates, or decides:
// policy lives in HomaPosix and HomaIO.

#ifndef CHOMAPOSIX_H
#define CHOMAPOSIX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

// An address as HomaBase's PeerAddress holds it: numbers, not network byte order; IPv4 is mapped.
struct homa_address {
    uint64_t high;
    uint64_t low;
    uint32_t scope;
    uint16_t port;
};

// One of this host's own addresses, at which a packet came in or from which one leaves; all zero: any.
struct homa_source {
    uint64_t high;
    uint64_t low;
    uint32_t interface;  // 0: whichever the route says
};

#include "CHomaPacket.h"

// Writes the sockaddr of `address` for a socket of `family`; the sockaddr's length, or
// -EAFNOSUPPORT when an IPv4 socket cannot name it.
int homa_store_address(const struct homa_address *address, int family, struct sockaddr_storage *result);

// Reads an IPv4 or IPv6 sockaddr of `length` bytes; 0, or -EAFNOSUPPORT.
int homa_load_address(const void *sockaddr, size_t length, struct homa_address *result);

// Most messages of one homa_send or homa_receive call; a longer array is cut here.
#define HOMA_BATCH_LIMIT 64

// What messages are sent by.
struct homa_sender {
    int fd;
    int family;
    uint8_t is_connected;          // it is told neither where to nor where from
    uint8_t is_singly;             // sendmmsg is not to be had
    uint8_t usual_traffic_class;   // what the socket itself is set to
};

// Whether the system lets this process use sendmmsg and recvmmsg: 0, or -ENOSYS, -EPERM and the like.
int homa_may_send_many(int fd);
int homa_may_receive_many(int fd);

// One message for homa_send: a datagram, or with segment_size a train that the kernel cuts up.
struct homa_outgoing {
    struct homa_address to;
    const struct iovec *pieces;
    const struct homa_source *source;  // NULL: what the system chooses
    uint32_t piece_count;
    uint16_t segment_size;  // 0: one datagram
    uint8_t traffic_class;  // IPv4 TOS or IPv6 traffic class
};

// Sends without blocking; the number of messages the kernel took.
int homa_send(const struct homa_sender *sender, const struct homa_outgoing *messages, unsigned count);

// One slot for homa_receive. The caller sets base and capacity; the rest is the answer.
struct homa_incoming {
    void *base;
    uint32_t capacity;
    uint32_t byte_count;
    uint32_t segment_size;      // byte_count unless the kernel joined several datagrams
    uint32_t overflow_count;    // datagrams this socket ever lost for lack of room, modulo 2^32
    struct homa_address from;
    struct homa_source to;      // of this host, if the socket reports it
    uint8_t has_overflow_count;
    uint8_t traffic_class;
    uint8_t is_truncated;
};

// Receives without blocking; the number of slots filled. `is_singly`: recvmmsg is not to be had.
int homa_receive(int fd, struct homa_incoming *slots, unsigned count, int is_singly);

// Receives one datagram or train without blocking into `count` pieces; the slot's own memory is used only as
// far as a piece names it. 1, or an error.
int homa_receive_scattered(int fd, const struct iovec *pieces, unsigned count, struct homa_incoming *slot);

// What the present thread was marked with, NULL at first.
void homa_mark_thread(void *owner);
void *homa_thread_mark(void);

// Divides what arrives at a port among the `count` sockets that share it (SO_REUSEPORT), in the order in which they
// were bound: by the 32-bit number at byte `offset` of each datagram, halved, modulo `count`. Once for any of them.
int homa_steer(int fd, uint32_t offset, uint32_t count);

#define HOMA_ERROR_PAYLOAD_LIMIT 64

// One entry of a socket's error queue. Fields are the kernel's sock_extended_err.
struct homa_socket_error {
    struct homa_address peer;
    struct homa_address reporter;  // who sent the ICMP message; all zero: nobody did, or not known
    uint32_t code;
    uint32_t info;
    uint8_t origin;
    uint8_t type;
    uint8_t icmp_code;
    uint8_t is_malformed;
    uint8_t payload_count;
    uint8_t payload[HOMA_ERROR_PAYLOAD_LIMIT];
};

// Takes one entry off the error queue; 0, or -EAGAIN when it is empty.
int homa_receive_error(int fd, struct homa_socket_error *result);

// Events reported by homa_poll_wait.
#define HOMA_POLL_READABLE 1
#define HOMA_POLL_WRITABLE 2
#define HOMA_POLL_ERROR 4
#define HOMA_POLL_WOKEN 8
// Asked for only: of several sets that wait for one descriptor, one wakes.
#define HOMA_POLL_EXCLUSIVE 16

// An eventfd, nonblocking and close-on-exec.
int homa_event_create(void);

// An epoll descriptor over a socket and an eventfd.
int homa_poll_create(int socket_fd, int event_fd);

// Watches another socket as well, until it is closed.
int homa_poll_add(int poll_fd, int socket_fd);

// Does not watch it any more.
int homa_poll_remove(int poll_fd, int socket_fd);

// Starts or stops reporting HOMA_POLL_WRITABLE.
int homa_poll_set_writable(int poll_fd, int socket_fd, int wants_writable);

// Waits at most timeout nanoseconds (< 0: without end); a set of HOMA_POLL_ events, 0 on timeout
// or interruption.
int homa_poll_wait(int poll_fd, int64_t timeout);

// An epoll descriptor over nothing yet.
int homa_poll_open(void);

// Waits for `interest`, a set of HOMA_POLL_ events, of a descriptor that is in the set already or not.
int homa_poll_watch(int poll_fd, int fd, int interest, int is_known);

// A descriptor of a set made by homa_poll_open, and its HOMA_POLL_ events.
struct homa_ready {
    int32_t descriptor;
    int32_t events;
};

// As homa_poll_wait for such a set; the number of entries filled, 64 at most.
int homa_poll_wait_all(int poll_fd, int64_t timeout, struct homa_ready *ready, unsigned count);

// Maps zeroed private memory whose pages, and their accounting, come with the first touch.
int homa_map_private(size_t length, void **result);

// Maps `length` bytes of `fd`, shared.
int homa_map_shared(int fd, size_t length, void **result);

// Gives the memory of whole pages back to the system; they read as zeros from then on.
int homa_discard(void *base, size_t length, int is_shared);

// A memory file of `length` bytes that nobody can resize any more.
int homa_memory_file(const char *name, size_t length);

// 1 when `fd` can never become shorter, so that reading a mapping of it cannot fault.
int homa_is_sealed(int fd);

// A name that one process of a network namespace has while the descriptor is open; -EADDRINUSE when another has it.
int homa_claim(const char *name);

// 1 when somebody has the name.
int homa_is_claimed(const char *name);

// Answers a packet of an IP protocol with an ICMP error: nobody has its port. For IPv4 `packet` begins with the IP
// header, for IPv6 behind it; at most 256 bytes of it are quoted. Opens a socket for the moment: not for hot paths.
int homa_send_port_unreachable(const struct homa_address *sender, const void *packet, size_t count, int protocol);

// Lets nothing through to a raw TCP socket but Homa packets: flags 6, urgent pointer 0xB97D. An IPv4 socket sees the IP
// header as well.
int homa_filter_hijacked(int fd, int is_ipv4);

// Lets the calling thread run on one core only.
int homa_pin_thread(unsigned core);

#endif
