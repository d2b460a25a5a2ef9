// SPDX-License-Identifier: Apache-2.0

/// Counters of all TCP hosts together.
public struct TCPHostStatistics: Equatable, Sendable {
    /// Connections that carried messages, one direction each.
    public var connections: UInt64 = 0
    /// Data segments, retransmitted ones included.
    public var segmentsSent: UInt64 = 0
    public var segmentsRetransmitted: UInt64 = 0
    public var bytesRetransmitted: UInt64 = 0
    /// Losses found by acknowledgements, and their repair begun.
    public var fastRecoveries: UInt64 = 0
    /// Expiries of the retransmission timer.
    public var timeouts: UInt64 = 0
    /// Segments sent for want of acknowledgements (RFC 8985, 7).
    public var tailLossProbes: UInt64 = 0
    public var acksSent: UInt64 = 0
    /// Data segments that arrived though they had arrived before.
    public var duplicatesReceived: UInt64 = 0
    /// Data segments that arrived with a congestion mark.
    public var marksReceived: UInt64 = 0
    /// Windows reduced because of marks.
    public var reductionsByMarks: UInt64 = 0
    /// Windows reduced because a connection was idle.
    public var restartsAfterIdle: UInt64 = 0
    /// Mean over all acknowledgements that moved a window, in segments.
    public var meanWindowSegments = 0.0
    /// The retransmission timer's least value in force.
    public var minimumRTO: Duration = .zero

    public init() {}
}
