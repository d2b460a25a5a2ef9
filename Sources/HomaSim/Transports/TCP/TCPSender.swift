// SPDX-License-Identifier: Apache-2.0

/// The sending end of a connection.
struct TCPSender: BitwiseCopyable {
    enum Phase: UInt8 {
        /// Nothing is known to be lost.
        case open
        /// Segments are lost, and acknowledgements still come (RFC 6675).
        case recovery
        /// The retransmission timer has expired: everything that was under way counts as lost.
        case loss
    }

    let source: UInt16
    let destination: UInt16
    var phase = Phase.open
    /// In the host's list of connections that may send.
    var isListed = false
    var nextListed = TCPTransport.none

    // MARK: The stream

    /// First byte that is not acknowledged.
    var acknowledged: UInt64 = 0
    /// First byte that was never sent.
    var next: UInt64 = 0
    /// What the application has written ends here.
    var end: UInt64 = 0
    var messages = StreamMessages.List()

    // MARK: Congestion

    var window: CongestionWindow
    var roundTrip: RoundTripEstimate
    /// The one segment whose round trip is being measured: where it ends, and when it was sent. 0: none.
    var timedEnd: UInt64 = 0
    var timedSince: UInt64 = 0
    var lastSent: UInt64 = 0
    /// The window was what held the sender back, in the present round.
    var isWindowLimited = false
    /// Most bytes under way in the present round, which ends with `roundEnd`.
    var mostUnderWay = 0
    var roundEnd: UInt64 = 0

    // MARK: Losses

    /// What the receiver has beyond `acknowledged`, in order.
    var sacked = RangePool.none
    var sackedBytes = 0
    var sackedRanges = 0
    /// Acknowledgements in a row that reported new ranges and moved nothing else.
    var duplicates: UInt8 = 0
    /// The next segment is the first unacknowledged one, whatever the window says.
    var mustRepeat = false
    /// Recovery has used its one retransmission at the end of the window (RFC 6675, rule 4).
    var hasRescued = false
    /// Unacknowledged bytes before this one that the receiver does not have are lost.
    var lostBefore: UInt64 = 0
    /// Bytes before this one have been retransmitted, where they were missing.
    var repeatedBefore: UInt64 = 0
    /// Retransmissions that may be in the network, in the order of sending, and those of them that were lost again.
    var repeats = RangePool.Queue()
    var lostAgain = RangePool.Queue()
    /// Segments sent so far.
    var order: UInt32 = 0
    /// Recovery is over when everything before this byte is acknowledged.
    var recoveryPoint: UInt64 = 0
    /// Bytes believed to be in the network.
    var underWay = 0

    // MARK: Timers

    /// When the retransmission timer expires, or the probe is sent; `UInt64.max`: not running.
    var deadline = UInt64.max
    /// The earliest entry in the host's timers.
    var nextLook = UInt64.max
    /// The deadline is that of a probe.
    var isProbeNext = false
    /// A probe has been sent that ended with this byte; 0: none.
    var probeEnd: UInt64 = 0
    /// The probe repeated a segment.
    var probeRepeats = false
    var timeoutsInRow: UInt32 = 0

    init(source: UInt16, destination: UInt16, window: CongestionWindow, roundTrip: RoundTripEstimate) {
        self.source = source
        self.destination = destination
        self.window = window
        self.roundTrip = roundTrip
    }

    /// Bytes sent and not acknowledged.
    var outstanding: Int { Int(next - acknowledged) }
}

/// The receiving end of a connection.
struct TCPReceiver: BitwiseCopyable {
    /// The first byte that has not come.
    var next: UInt64 = 0
    /// What has come beyond it, the latest first.
    var early = RangePool.none
    /// Segments that no acknowledgement has been sent for.
    var unacknowledged = 0
    /// Greatest `TCPSegment.order` that has come.
    var latestOrder: UInt32 = 0
    /// When the delayed acknowledgement is due; `UInt64.max`: none is.
    var deadline = UInt64.max
    var nextLook = UInt64.max
    /// The last data packet was marked.
    var isMarked = false
}

/// What the connections of a host have in common.
struct TCPHost: BitwiseCopyable {
    /// Connections that may send, whose turn is next first.
    var firstListed = TCPTransport.none
    var lastListed = TCPTransport.none
    /// Packets in the queue to the network card.
    var firstQueued = Packet.none
    var lastQueued = Packet.none
    /// Wire bytes of data among them.
    var queuedBytes = 0
}
