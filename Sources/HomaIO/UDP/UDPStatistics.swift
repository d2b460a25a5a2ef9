// SPDX-License-Identifier: Apache-2.0

/// What a driver has done since it was made. Counters only grow.
public struct UDPStatistics: Equatable, Sendable {
    /// Packets handed to the kernel; a train counts each of its packets, and a bundle is one.
    public var sentPackets: UInt64 = 0
    /// Their UDP payload bytes.
    public var sentBytes: UInt64 = 0
    /// Packets of the protocol that went to the kernel in bundles.
    public var bundledPackets: UInt64 = 0
    /// System calls made to send.
    public var sendCalls: UInt64 = 0
    /// Trains of two packets and more that the kernel took whole.
    public var sentTrains: UInt64 = 0
    /// Trains the kernel refused and that went out packet by packet.
    public var gsoFallbacks: UInt64 = 0
    /// Flushes that stopped because the send buffer was full.
    public var sendBufferFull: UInt64 = 0
    /// Packets or trains that the kernel had no room for: a device's queue, its table of neighbours or memory was full.
    public var deviceQueueFull: UInt64 = 0
    /// Earlier errors of other packets that the kernel reported in place of a call's own result.
    public var pendingErrors: UInt64 = 0
    /// Packets dropped: longer than the path allows.
    public var droppedTooBig: UInt64 = 0
    /// Packets dropped: forbidden by a filter or by permissions.
    public var droppedForbidden: UInt64 = 0
    /// Packets dropped: no route, or the network or host is unreachable.
    public var droppedUnreachable: UInt64 = 0
    /// Packets dropped: the kernel had no room for them for a millisecond.
    public var droppedNoRoom: UInt64 = 0
    /// Packets dropped for any other reason.
    public var droppedOther: UInt64 = 0

    /// Times that a busiest peer got a socket of its own.
    public var connections: UInt64 = 0
    /// Times that such a socket was given up, since packets did not leave by it.
    public var connectionsLost: UInt64 = 0
    /// Own addresses found to have gone: what left from there leaves from another.
    public var sourcesLost: UInt64 = 0

    /// Packets received; a joined train counts each of its packets.
    public var receivedPackets: UInt64 = 0
    /// Their UDP payload bytes.
    public var receivedBytes: UInt64 = 0
    /// Filled slots: single datagrams and joined trains.
    public var receivedDatagrams: UInt64 = 0
    /// Receive calls that brought something.
    public var receiveBatches: UInt64 = 0
    /// Datagrams longer than a slot, skipped.
    public var truncated: UInt64 = 0
    /// Datagrams the kernel dropped because the receive buffer was full. Known when the next one arrives.
    public var receiveOverflows: UInt64 = 0
    /// Receive calls that failed for good.
    public var receiveFailures: UInt64 = 0

    /// Packet rings and raw sockets: received frames with headers that are cut short or contradict each other.
    public var malformedFrames: UInt64 = 0
    /// Packet rings: received frames with a wrong checksum.
    public var badChecksums: UInt64 = 0
    /// Packet rings and raw sockets: received frames that are not for this node, or that nobody can answer.
    public var foreignFrames: UInt64 = 0
    /// Raw sockets: packets to ports that no node of this host has, answered with "port unreachable".
    public var refusedPackets: UInt64 = 0
    /// Packet rings: packets that the kernel had to send instead.
    public var sentThroughSocket: UInt64 = 0

    /// Error reports handed out.
    public var errorReports: UInt64 = 0
    /// Error reports that could not be understood.
    public var malformedErrorReports: UInt64 = 0

    public init() {}

    /// Adds the counters of another driver.
    mutating func add(_ other: UDPStatistics) {
        for counter in Self.counters { self[keyPath: counter] += other[keyPath: counter] }
    }

    private static var counters: [WritableKeyPath<UDPStatistics, UInt64>] {
        [
            \.sentPackets, \.sentBytes, \.bundledPackets, \.sendCalls, \.sentTrains, \.gsoFallbacks, \.sendBufferFull,
            \.deviceQueueFull, \.pendingErrors, \.droppedTooBig, \.droppedForbidden, \.droppedUnreachable,
            \.droppedNoRoom, \.droppedOther, \.connections, \.connectionsLost, \.sourcesLost, \.receivedPackets,
            \.receivedBytes, \.receivedDatagrams, \.receiveBatches, \.truncated, \.receiveOverflows, \.receiveFailures,
            \.malformedFrames, \.badChecksums, \.foreignFrames,
            \.refusedPackets, \.sentThroughSocket, \.errorReports, \.malformedErrorReports,
        ]
    }

    /// Packets dropped before they left, for all reasons.
    public var droppedPackets: UInt64 {
        droppedTooBig + droppedForbidden + droppedUnreachable + droppedNoRoom + droppedOther
    }
}
