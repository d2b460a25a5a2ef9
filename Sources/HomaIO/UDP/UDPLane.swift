// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase

/// What is known about one of a driver's sockets, which the driver owns.
struct UDPLane {
    let descriptor: Int32
    /// AF_INET or AF_INET6.
    let family: Int32
    /// Where the socket is connected to; nil for the one that serves every peer.
    let peer: PeerAddress?
    /// The kernel's count of datagrams this socket lost, as last heard.
    var lastOverflowCount: UInt32 = 0
    /// The last receive call found nothing.
    var isIdle = true

    init(_ socket: borrowing UDPSocket, peer: PeerAddress? = nil) {
        descriptor = socket.descriptor
        family = socket.family
        self.peer = peer
    }

    /// Sends without blocking; how many messages the kernel took, or the negative error code.
    func send(_ messages: UnsafePointer<homa_outgoing>, _ count: Int) -> Int32 {
        homa_send(descriptor, family, messages, UInt32(count), peer == nil ? 0 : 1)
    }
}
