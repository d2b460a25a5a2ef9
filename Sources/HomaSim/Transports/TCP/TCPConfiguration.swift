// SPDX-License-Identifier: Apache-2.0

/// How a TCP sender decides how much may be under way.
public enum TCPCongestionControl: String, Equatable, Sendable, CaseIterable {
    /// RFC 5681 and RFC 6582: half the window after a loss, one segment more per round trip.
    case newReno = "newreno"
    /// RFC 9438: what Linux uses by default.
    case cubic
    /// RFC 8257: as NewReno, but reduced by the fraction of segments that switches have marked.
    case dctcp
}

/// TCP hosts. Defaults are those of Linux where the standards leave a choice, and the source of each is named.
///
/// Connections exist before the run begins and stay; each of them carries the messages of one direction between two
/// hosts, one after the other, as one stream of bytes.
public struct TCPConfiguration: Equatable, Sendable {
    public var congestionControl: TCPCongestionControl
    /// Connections from each host to each other host (with RPCs: so many for requests and as many for responses, as
    /// both directions of one connection are independent streams). A message takes the one with the
    /// fewest bytes outstanding. 1 … 256.
    public var connectionsPerPair: Int
    /// Window before anything is known, in segments. 10: RFC 6928. 1 … 1000.
    public var initialWindowSegments: Int
    /// The retransmission timer is never shorter (RFC 6298, 2.4, asks for a second; Linux has `TCP_RTO_MIN`, 200 ms).
    /// Datacenter papers use 10 ms to 200 µs. 1 µs … 60 s.
    public var minimumRTO: Duration
    /// The retransmission timer is never longer, however often it has doubled (Linux: `TCP_RTO_MAX`, 120 s).
    public var maximumRTO: Duration
    /// A receiver may keep a lone segment unacknowledged for so long. Nil: a fifth of the minimum RTO, at most the
    /// 40 ms of Linux (`TCP_DELACK_MIN`), which is that fifth at its default. Must be below the minimum RTO.
    public var delayedAck: Duration?
    /// Segments that one acknowledgement is about at most: 2 (RFC 5681, 4.2), or 1 for none delayed. 1 … 64.
    public var segmentsPerAck: Int
    /// A segment with which a message becomes complete is acknowledged at once, as Linux does when the
    /// application has read all of a pushed segment and owes no answer (`tcp_cleanup_rbuf`).
    public var acknowledgesMessageEnds: Bool
    /// Bytes that a receiver allows beyond what it has in order; applications read at once. Default: the third value
    /// of Linux's `tcp_rmem`, 6 MiB. 2 segments … 1 GiB.
    public var receiveWindowBytes: Int
    /// A window that was not used for an RTO is halved for each RTO, down to the initial one (RFC 2861; Linux:
    /// `tcp_slow_start_after_idle`, on). Off: it is kept.
    public var restartsAfterIdle: Bool
    /// CUBIC leaves slow start when acknowledgements come as a train half as long as the shortest round trip, or round
    /// trips become longer (Ha and Rhee, *Taming the Elephants*, 2011, with the constants of Linux, where it is on).
    public var hyStart: Bool
    /// When nothing is acknowledged for two smoothed round trips and so long, the last segment is sent again, once, to
    /// provoke an answer (RFC 8985, section 7). Linux: two ticks of its clock, 2 ms at 1000 Hz. Nil: never.
    public var tailLossProbe: Duration?
    /// Weight of the latest window in DCTCP's mean fraction of marked bytes. 1/16: RFC 8257, 4.2. Above 0, at most 1.
    public var dctcpGain: Double
    /// Data bytes (of frames, as on the wire) that wait in a host's queue to the network card, beyond which connections
    /// keep theirs back. Connections fill it in turn, so this is a fair queue with a card's ring behind it, as
    /// `fq` and byte queue limits make; acknowledgements wait behind no more than this. 0: the card asks a
    /// connection when it falls idle. At most 16 MiB.
    public var hostQueueBytes: Int
    /// Segments that a connection sends before it is another's turn; 1 is the fairest, segmentation offload makes
    /// it up to 44. 1 … 64.
    public var segmentsPerTurn: Int
    /// Packets of a connection keep their path though the topology sprays: TCP takes reordering for loss. Off: they
    /// are sprayed, and it does.
    public var keepsPaths: Bool

    public init(congestionControl: TCPCongestionControl = .cubic) {
        self.congestionControl = congestionControl
        connectionsPerPair = 1
        initialWindowSegments = 10
        minimumRTO = .milliseconds(200)
        maximumRTO = .seconds(120)
        delayedAck = nil
        segmentsPerAck = 2
        acknowledgesMessageEnds = true
        receiveWindowBytes = 6 << 20
        restartsAfterIdle = true
        hyStart = true
        tailLossProbe = .milliseconds(2)
        dctcpGain = 1.0 / 16
        hostQueueBytes = 2 * 1538
        segmentsPerTurn = 1
        keepsPaths = true
    }

    /// ``delayedAck``, or what nil stands for.
    public var effectiveDelayedAck: Duration { delayedAck ?? min(.milliseconds(40), minimumRTO / 5) }
}

extension FrameFormat {
    /// 1460 bytes of data behind IPv4 and TCP headers of 20 bytes each in an Ethernet frame, 1538 bytes on the wire. No
    /// time stamps.
    public static var tcp: Self { Self(payloadBytes: 1460, dataOverheadBytes: 78) }
}
