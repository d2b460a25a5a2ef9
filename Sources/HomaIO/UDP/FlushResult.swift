// SPDX-License-Identifier: Apache-2.0

/// What became of the queue.
public struct FlushResult: Equatable, Sendable {
    /// What to do about packets that are still queued.
    public enum Remainder: Equatable, Sendable {
        /// Nothing is queued any more.
        case none
        /// The socket's send buffer is full: flush again when it is writable.
        case waitUntilWritable
        /// The device's queue is full or memory is short: flush again a little later.
        case retryLater
        /// The kernel has no room for packets to a few peers: flush again a little later. Packets to others may be
        /// appended meanwhile.
        case retryRefused
        /// The send buffer that peers share of which nothing is heard is full: flush again when it is writable. Packets
        /// to others may be appended meanwhile.
        case waitUnheard

        /// More can leave at present.
        var letsOthersPass: Bool { self == .none || self == .retryRefused || self == .waitUnheard }
        /// A socket that becomes writable is worth another flush.
        var endsWithRoom: Bool { self == .waitUntilWritable || self == .waitUnheard }
    }

    /// Packets handed to the kernel; a bundle of them is one.
    public var sentPackets = 0
    /// Packets dropped for an error of their own; the protocol's retransmission deals with them.
    public var droppedPackets = 0
    /// Why packets are left, if any.
    public var remainder = Remainder.none

    public init(sentPackets: Int = 0, droppedPackets: Int = 0, remainder: Remainder = .none) {
        self.sentPackets = sentPackets
        self.droppedPackets = droppedPackets
        self.remainder = remainder
    }
}
