// SPDX-License-Identifier: Apache-2.0

/// What kinds of links there are. Figures are gathered per kind.
enum Tier: UInt8, CaseIterable {
    case hostUplink
    case hostDownlink
    case leafUplink
    case spineDownlink

    var name: String {
        switch self {
        case .hostUplink: "host_uplink"
        case .hostDownlink: "host_downlink"
        case .leafUplink: "leaf_uplink"
        case .spineDownlink: "spine_downlink"
        }
    }
}

/// Where a link ends.
enum NodeKind: UInt8 {
    case host
    case leaf
    case spine
}

/// One direction of a link, with the output port that feeds it.
///
/// A port has at most one event pending: the arrival of the first packet on its link. What the port itself has to
/// decide, which packet follows when one has been sent, is caught up on whenever the port is looked at, in the order
/// in which it would have happened; nothing can tell the difference, because the arrival of the packet sent
/// before is never earlier than the decision.
struct Port: BitwiseCopyable {
    // MARK: The link

    /// When the packet being sent has been sent; in the past when none is.
    var busyUntil: UInt64 = 0
    /// Packets on the link, first to arrive first.
    var flightHead = Packet.none
    var flightTail = Packet.none
    var picosecondsPerKiB: UInt64
    /// From a packet's last bit on the link until the next node deals with it.
    var delay: UInt64
    var isSending = false
    var hasEvent = false
    var tier: Tier
    var endsAt: NodeKind
    /// The host, leaf or spine that it leads to.
    var end: UInt32

    // MARK: The queues

    /// One bit for each priority with packets waiting.
    var waiting: UInt8 = 0
    /// Of the packet being sent.
    var sendingPriority: UInt8 = 0
    var sendingCharge: UInt32 = 0
    /// The switch it belongs to; -1 for a host's network card.
    var owner: Int32
    var pool: Int32
    /// Waiting or being sent.
    var queuedBytes = 0

    // MARK: Measured

    var maximumBytes = 0
    /// Bytes × picoseconds.
    var area = 0.0
    var lastChange: UInt64 = 0
    var busyTime: UInt64 = 0
    var drops: UInt64 = 0

    @inline(__always)
    func picoseconds(_ bytes: UInt32) -> UInt64 { (UInt64(bytes) &* picosecondsPerKiB &+ 1023) >> 10 }

    /// Picoseconds for 1024 bytes: exact for every rate that divides 8192 Tb/s, else rounded up.
    static func picosecondsPerKiB(bitsPerSecond: UInt64) -> UInt64 {
        (8_192_000_000_000_000 + bitsPerSecond - 1) / bitsPerSecond
    }
}

/// The packets of one priority that wait at a port.
struct PriorityQueue: BitwiseCopyable {
    var head = Packet.none
    var tail = Packet.none
    /// Waiting or being sent.
    var bytes = 0
    var maximumBytes = 0
    /// Bytes × picoseconds.
    var area = 0.0
    var lastChange: UInt64 = 0
    var packets: UInt64 = 0
    var wireBytes: UInt64 = 0
}

/// Memory that some ports of a switch share.
struct BufferPoolState: BitwiseCopyable {
    var used = 0
    var capacity = Int.max
}

/// A switch's own settings and sums.
struct SwitchState {
    var kind: NodeKind
    var number: Int
    var isLimited = false
    /// Infinite without dynamic thresholds.
    var alpha = Double.infinity
    var cell = 1
    var reserve = 0
    var ecnThreshold = Int.max
    var selectiveThreshold = Int.max
    /// Its ports: towards hosts or leaves, and towards spines.
    var downlinks: Range<Int> = 0..<0
    var uplinks: Range<Int> = 0..<0
    var downlinkBytes = 0
    var uplinkBytes = 0
    var maximumDownlinkBytes = 0
    var maximumUplinkBytes = 0
    var maximumBytes = 0
}

/// Why a switch drops a packet.
enum NetworkDrop: UInt8, CaseIterable {
    case bufferFull
    case threshold
    case selective

    var name: String {
        switch self {
        case .bufferFull: "buffer_full"
        case .threshold: "dynamic_threshold"
        case .selective: "selective"
        }
    }
}
