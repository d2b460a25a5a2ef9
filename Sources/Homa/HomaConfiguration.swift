// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
public import HomaBuffers
public import HomaCore
public import Logging

/// Everything that can be chosen about a node. The defaults suit most uses.
public struct HomaConfiguration: Sendable {
    /// How long a node that has nothing to do keeps looking at the network before its thread sleeps.
    ///
    /// Waking up costs some 30–60 µs on a virtual machine; spinning costs a core.
    public struct Spin: Sendable, Equatable {
        let nanoseconds: UInt64

        /// Sleep at once: no CPU time is spent on waiting.
        public static let never = Spin(nanoseconds: 0)
        /// Never sleep: the lowest latency, for one core.
        public static let forever = Spin(nanoseconds: .max)
        /// Spin this long after the last work; negative counts as zero.
        public static func `for`(_ duration: Duration) -> Spin { Spin(nanoseconds: duration.wholeNanoseconds) }
    }

    /// What carries the node's packets. On the wire there is no difference.
    public enum Driver: Sendable, Equatable {
        /// A UDP socket, without any privilege. The default.
        case socket
        /// Rings of a packet socket, past the kernel's IP and UDP layers: shorter round trips, for `CAP_NET_RAW`.
        case packet
    }

    /// What Homa's packets are in.
    public enum Carriage: Sendable, Equatable {
        /// UDP datagrams, from and to the node's UDP port. The default.
        case udp
        /// IP packets of protocol 146, like those of the Linux kernel module; needs `CAP_NET_RAW`. There is no UDP
        /// port, and a host's nodes share the Homa ports.
        case ip146
    }

    /// How packets are marked for the network: the DSCP of each of the eight priorities.
    ///
    /// The network need not heed them. Some drop packets with marks that they keep for themselves, CS6 and CS7 above
    /// all: then give others, or none.
    public struct Marks: Sendable, Equatable {
        let values: [Int]

        /// Priority *p* as class selector CS*p*, DSCP 8 · *p*. The default.
        public static let classSelectors = Marks(values: (0..<8).map { 8 * $0 })
        /// No marks: DSCP 0 for all.
        public static let none = Marks(values: Array(repeating: 0, count: 8))
        /// The DSCP of each priority, 0 … 7: eight values of 0 … 63. Less urgent priorities come first.
        public static func dscp(_ values: [Int]) -> Marks { Marks(values: values) }
    }

    /// What the receive region is made of.
    public enum RegionBacking: Sendable, Equatable {
        /// Private memory. The default.
        case anonymous
        /// A memory file that other processes can map, with a name of at most 249 bytes.
        case memoryFile(name: String)
    }

    /// When the bytes of a message come to where the application reads them.
    public enum ReceiveMode: Sendable, Equatable {
        /// As its packets arrive, straight into the bpages that ``HomaMessage`` shows. The default.
        case bpages
        /// When it is complete: collected in the region first, then copied in one go into contiguous memory of its
        /// own. Slower for long messages; every message is contiguous, and messages that are kept do not use up the
        /// region, so there is no back-pressure.
        case copyAfterComplete
    }

    /// The node's UDP port; 0, the default, takes a free one.
    public var udpPort: UInt16 = 0
    /// The numeric IP address to bind, such as `10.0.0.1` or `::1`; nil, the default: all of the host,
    /// IPv6 and IPv4 with one socket.
    public var bindAddress: String?
    /// What the packets are in; default: UDP. Both sides must agree.
    public var carriage = Carriage.udp
    /// With the carriage `ip146`: take packets that come as TCP headers, too, as hosts of the kernel module send them
    /// with `hijack_tcp`; default false. They are answered in protocol 146, which such hosts take.
    public var takesHijackedTCP = false
    /// What carries the packets; default: a socket. `packet` is for UDP only.
    public var driver = Driver.socket
    /// How packets are marked for the network; default: class selectors.
    public var marks = Marks.classSelectors
    /// The protocol's knobs.
    public var endpoint = EndpointConfiguration()
    /// The receive region; by default 64 MB, of which only what is used takes memory. Its `shards` are the
    /// node's.
    public var pool = PoolConfiguration()
    /// How long to spin before sleeping; default 50 µs.
    public var spin = Spin.for(.microseconds(50))
    /// Longest IP packet to send, in bytes, 156 … 65 535; nil, the default: what the system says about
    /// the way to each peer.
    public var mtu: Int?
    /// Bytes of the kernel's receive buffer, at least 4096; default 8 MB. The kernel may grant less.
    public var receiveBufferBytes = 8 << 20
    /// Bytes of the kernel's send buffer, at least 4096; default 8 MB. The kernel may grant less.
    public var sendBufferBytes = 8 << 20
    /// Let the kernel cut trains of packets (GSO) where it can; off costs most of the throughput.
    public var usesSegmentationOffload = true
    /// Let the kernel join received packets (GRO) where it can; off costs most of the throughput.
    public var usesReceiveOffload = true
    /// Have the kernel put trains of a long message's packets straight into the receive region: one copy, not two.
    /// Off by default, since two are faster at an MTU of 1500: the kernel is slow to fill many small pieces, and the
    /// second copy finds its bytes in the cache. UDP sockets only.
    public var receivesInPlace = false
    /// Packets sent between two looks at what has arrived, 1 … 512; default 88, two trains at MTU 1500. More gives
    /// larger batches, fewer lets short messages overtake long ones sooner; half as many while short ones leave.
    public var packetsPerRound = 88
    /// Threads of the node, 1 … 64, each with a share of the RPCs; default 1. They pay where one core is not enough;
    /// each takes memory of its own for what it knows of other nodes. Other than 1 is possible with UDP sockets only.
    public var shards = 1
    /// The core for the node's thread, from 0, with the next ones for further shards; nil, the default: wherever the
    /// system puts them.
    public var core: Int?
    /// What the receive region is made of.
    public var regionBacking = RegionBacking.anonymous
    /// When the bytes of a message come to where the application reads them; default `bpages`.
    public var receiveMode = ReceiveMode.bpages
    /// Where the node tells what it does: its start and end and its sockets at `debug`, trouble at
    /// `warning`; nothing per packet or RPC.
    public var logger = Logger(label: "homa")
    /// Publish metrics once a second through swift-metrics; default false.
    public var publishesMetrics = false

    public init() {}
}
