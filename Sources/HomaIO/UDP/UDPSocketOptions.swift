// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// How a node's UDP socket is set up.
public struct UDPSocketOptions: Sendable {
    /// Which addresses a socket bound to no particular address serves.
    public enum Family: Sendable {
        /// IPv6 and IPv4 with one socket; IPv4 alone where the system has no IPv6. The default.
        case automatic
        /// IPv4 only.
        case ipv4
    }

    /// Where the socket receives.
    public enum Binding: Equatable, Sendable {
        /// Every address of the host. Port 0 takes a free one.
        case wildcard(port: UInt16, family: Family)
        /// One address. Its port 0 takes a free one.
        case address(PeerAddress)

        /// Every address of the host, both families where possible.
        public static func port(_ port: UInt16) -> Binding { .wildcard(port: port, family: .automatic) }
    }

    /// When to use an offload of the kernel.
    public enum Offload: Sendable {
        /// Use it if the kernel has it, and stop when it turns out not to work. The default.
        case automatic
        /// Never. Costs a factor of about 25 in throughput; for measurements and broken devices.
        case off
    }

    /// Default: every address, a free port.
    public var binding: Binding = .port(0)
    /// Bytes asked for in the kernel's receive buffer; default 8 MB, which absorbs about 5 ms of a
    /// 10 Gb/s link. The kernel may grant less (`net.core.rmem_max`): see ``UDPDriver/receiveBufferBytes``.
    public var receiveBufferBytes = 8 << 20
    /// Bytes asked for in the kernel's send buffer; default 8 MB. See ``UDPDriver/sendBufferBytes``.
    public var sendBufferBytes = 8 << 20
    /// Segmentation of trains by the kernel or the device (UDP_SEGMENT).
    public var gso: Offload = .automatic
    /// Joining of received trains by the kernel (UDP_GRO).
    public var gro: Offload = .automatic
    /// Many messages with one call to send or to receive (sendmmsg, recvmmsg).
    public var batching: Offload = .automatic
    /// Longest train in bytes, 1 … 65 000; default 65 000. Shorter ones let urgent packets overtake
    /// sooner and cost throughput (16 KB: about a quarter of it).
    public var maximumTrainBytes = 65_000
    /// Packets that can be queued before a flush, 1 … 65 536; default 512. Each takes about 250 bytes.
    public var sendQueueCapacity = 512
    /// Datagrams (or joined trains) taken by one receive call, 1 … 64; default 8.
    public var receiveSlots = 8
    /// Bytes of each receive slot; default 65 536, which holds every datagram and train. Longer
    /// arrivals are truncated, counted, and skipped.
    public var receiveSlotBytes = 65_536
    /// Reports each datagram's traffic class, for diagnosis; default false, since it costs a little.
    public var reportsTrafficClass = false

    /// Gives the peer that most datagrams come from a connected socket of its own, which makes round trips with
    /// it shorter; default true.
    public var connectsToBusiestPeer = true

    /// With IP protocol 146: takes packets that come as hijacked TCP headers, too; default false.
    public var takesHijackedTCP = false

    /// Sockets that share the port, one for each shard of a node; default 1. Datagrams go to the one whose number is
    /// the shard of their RPC, in the order in which the sockets were bound.
    public var sharers = 1
    /// Opens one more of the sockets that share a port, rather than the first, which nobody else may have.
    public var joinsSharers = false

    /// The traffic class (IPv4 TOS, IPv6 traffic class) of packets of each priority, 0 … 7; by default the priority is
    /// its top three bits, the class selectors CS0 … CS7. Its lower two bits, which are the network's (ECN), are 0.
    public var trafficClasses: [UInt8] = (0..<8).map { $0 << 5 }
    /// The priority that control packets and the shortest messages have, of which a packet costs least; default 7.
    public var usualPriority: UInt8 = 7

    public init() {}

    /// What the socket itself is set to.
    var usualTrafficClass: UInt8 { trafficClasses[Int(usualPriority)] }
}
