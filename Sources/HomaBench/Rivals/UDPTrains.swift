// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase

/// Trains of datagrams over bare UDP sockets: what is left of a stream of messages when the protocol is taken away.
///
/// The sender lets the kernel cut (`UDP_SEGMENT`), the receiver lets it join (`UDP_GRO`). Both go round in 2 MB of
/// memory, as much as four requests of 500 KB need. The receiver tells now and then how many bytes have come, and
/// never more than a window is on its way, so that nothing is dropped. Bytes are neither made up nor looked at.
enum UDPTrains {
    /// linux/udp.h.
    static let segmentOption: Int32 = 103
    static let joinOption: Int32 = 104
    static let protocolLevel = Int32(IPPROTO_UDP)
    /// Bytes that each side sends from or receives into.
    static let memoryBytes = 32 * slot
    /// Bytes on the way at most; less costs throughput, and twice as much fits into the receiver's socket.
    static let window = 1_000_000
    /// The receiver answers whenever so many bytes more have come.
    static let answerInterval = 120_000
    /// Room for a train.
    static let slot = 65_536
    /// Longest train in bytes; an IP packet holds 65 535 with its headers.
    static let longestTrain = 65_000
    /// Most datagrams of a train (`UDP_MAX_SEGMENTS`).
    static let mostSegments = 64
    /// Longest datagram, that of a path of 9000 bytes.
    static let longestDatagram = 8972
    /// Size asked for of the socket buffers; as much as a node asks for.
    static let socketBuffer: Int32 = 8 << 20

    /// Bytes of the datagrams of a train on a path, and how many there are.
    static func shape(mtu: Int, isIPv4: Bool) -> (datagram: Int, count: Int) {
        let datagram = min(longestDatagram, mtu - (isIPv4 ? 28 : 48))
        return (datagram, min(mostSegments, longestTrain / datagram))
    }
}
