// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// Every knob of one host's protocol state.
///
/// Four presets exist: ``default`` (ours), ``smallBuffers``, ``linux2026`` (the kernel implementation as it stands
/// in 2026) and ``sigcomm2018`` (the published simulations).
public struct EndpointConfiguration: Equatable, Sendable {
    // MARK: Packets

    /// Longest message in bytes, sent or taken. Above 1 000 000, which is all that a real carriage can say, only for an
    /// endpoint without a pool; then up to 2³¹ − 1.
    public var maximumMessageBytes = 1_000_000
    /// Most bytes of a Homa packet, header and payload, towards a peer whose path is not known better.
    /// 1472 is what fits a UDP datagram over IPv4 on Ethernet. Range 128 … 65 507.
    public var maximumPacketBytes = 1472
    /// Longest packet that is used even where the path would carry more, so that a long message
    /// cannot occupy the link for too long at a time. 8980 = an IPv4 packet on 9000-byte Ethernet without its
    /// header; in UDP the path carries 8 less.
    public var packetBytesCap = 8980
    /// Payload of a full DATA packet towards a peer whose path is not known better. Nil: what `maximumPacketBytes`
    /// leaves beside the header of 56 bytes. For models whose headers have another length.
    public var segmentBytes: Int?
    /// Bytes on the wire beside header and payload of a packet (IP, UDP, Ethernet, gap). For pacing, and for
    /// simulated links, as the next three.
    public var frameOverheadBytes = 66
    /// Bytes on the wire of a DATA packet beside its payload. Nil: header and `frameOverheadBytes`.
    public var dataOverheadBytes: Int?
    /// Bytes on the wire of any other packet. Nil: header and `frameOverheadBytes`.
    public var controlWireBytes: Int?
    /// Shortest packet on the wire. 84 = the shortest Ethernet frame (64), preamble (8) and gap (12).
    public var minimumWireBytes = 84

    // MARK: Sending

    /// Bytes of each message sent without a grant; rounded up to whole packets when
    /// `roundsUnscheduledToPackets`. Too small idles the link for a round trip; too large fills
    /// switch buffers under incast.
    public var unscheduledBytes = 60_000
    /// As a receiver, asks senders for fewer unscheduled bytes of each message while those of many messages are on
    /// their way at once: half, a quarter and so on of `unscheduledBytes`, down to one packet, so that all of them
    /// together are at most half of `maximumIncoming`. Senders that speak our extensions comply, whatever this says.
    public var adaptsUnscheduled = false
    /// Avoids a short packet at the unscheduled limit, which would break up segmentation offload.
    public var roundsUnscheduledToPackets = true
    /// Share of output given to the oldest message instead of the shortest, 0 … 0.5 (kernel: 0.05).
    public var fifoSendFraction = 0.05
    /// Rate of the host's link. Nil: unknown, and the pacer is off.
    public var linkRate: BitRate?
    /// Longest queue the pacer lets build up at the link (kernel: 5 µs).
    public var linkQueueLimit: Duration = .microseconds(5)
    /// Messages shorter than this do not wait for the pacer (kernel: defer_min_bytes 1000).
    public var pacerBypassBytes = 1000

    // MARK: One-way messages

    /// One-way messages are acknowledged when they have arrived, and those we send are kept, and sent again, until they
    /// are. Without that a message is over for its sender when its last byte has left, as in the published simulations.
    public var acknowledgesMessages = true
    /// How long a one-way message is kept after its last byte has left, to be sent again when it is asked for, if it
    /// will not be acknowledged. Should exceed `resendAfter` where packets can be lost. Zero: forgotten at once.
    public var unacknowledgedRetention: Duration = .zero
    /// Every peer is taken to run this configuration, so that nothing about it has to be learned first: it has
    /// our extensions, and its cutoffs are these. For simulations of equal hosts.
    public var assumesPeersAlike = false

    // MARK: Lost unscheduled packets

    /// The unscheduled bytes of a message are followed by a probe: a DATA packet without payload. Whatever of them has
    /// not come before it is taken for lost, and asked for under the same limits as grants, before anything is granted
    /// and without waiting for a timer. For networks that drop unscheduled packets early (Hu et al., *Aeolus*, SIGCOMM
    /// 2020). Only for an endpoint without a pool, as no carriage has such packets; needs `acknowledgesMessages`.
    public var probesUnscheduled = false

    // MARK: Granting

    /// Most messages granted to at the same time, 1 … 64 (overcommitment).
    public var overcommitment = 8
    /// Most bytes granted or unscheduled and not yet received, over all messages.
    /// All of it can lie in the receiving socket before a short message, so more gives little
    /// goodput and long tails (docs/measurements).
    public var maximumIncoming = 500_000
    /// Bytes granted ahead of what has arrived, per message. Nil: `maximumIncoming` ÷ (active messages + 1).
    public var window: Int?
    /// Sizes follow what the link carries in the round-trip time measured for each peer. For far peers
    /// `maximumIncoming` is up to four times as much (the link is taken for 10 Gb/s where `linkRate` is not known);
    /// where `linkRate` is known, and less is enough, `unscheduledBytes`, `maximumIncoming`, `grantIncrement` and
    /// `fifoGrantIncrement` are less. Not with a fixed `window`.
    public var adaptsWindows = true
    /// A grant is sent when it raises the limit by this much, or to the end of the message. About what
    /// one train of packets carries: smaller steps make small trains, and those cost throughput.
    public var grantIncrement = 50_000
    /// No grant raises the limit by more; what is due beyond that comes in further grants. Nil: no limit. At least
    /// `grantIncrement`. The published simulations grant one packet at a time.
    public var largestGrant: Int?
    /// Share of the link given to the oldest message by FIFO grants, 0 … 0.5 (kernel: 0.05).
    public var fifoGrantFraction = 0.05
    /// Bytes of one FIFO grant (kernel: 50 000).
    public var fifoGrantIncrement = 50_000
    /// At most this many active messages of one host (IP address); nil: no limit, but every host gets one before any
    /// gets two.
    public var activeMessagesPerHost: Int?
    /// Count the unscheduled bytes of every message, not just of those that need grants.
    public var countsUnscheduledIncoming = true

    // MARK: Priorities

    /// Priority levels in use, 1 … 8.
    public var priorityLevels = 8
    /// Longest message that senders may send unscheduled at each level; zero: level not used for it.
    /// From the kernel defaults (homa_utils.c, 9edb958); level 4 takes all that is left.
    public var unscheduledCutoffs: [UInt32] = [0, 0, 0, 0, 1_000_000, 15_000, 2_800, 200]
    /// The last so many bytes of a message are granted at the level at which a message of that length would come
    /// unscheduled, so that a message almost complete is not held up. 0: off.
    public var boostedTailBytes = 0
    /// Version announced with the cutoffs, at least 1.
    public var cutoffVersion: UInt16 = 1
    /// Learn the cutoffs from the messages that arrive, so that every level used by `unscheduledCutoffs` carries the
    /// same number of unscheduled bytes; the list is only where that begins.
    public var learnsCutoffs = true
    /// Cutoffs are looked at again after so many messages, 100 … 1 000 000, …
    public var cutoffSample = 2_000
    /// … and no sooner than this after the last time.
    public var cutoffInterval: Duration = .milliseconds(100)
    /// Control packets and short messages; the level of grants, resends and so on. Nil: the highest.
    public var controlPriority: UInt8?

    // MARK: Timers

    /// Silence after which missing data is asked for again.
    public var resendAfter: Duration = .milliseconds(5)
    /// The interval between such requests doubles up to this.
    public var resendIntervalLimit: Duration = .milliseconds(20)
    /// A probe waits longer than `resendAfter` when the peer usually takes longer, as measured from requests to
    /// responses and from grants to data: up to a quarter of `timeout`, and three quarters for arriving messages.
    public var adaptsTimers = true
    /// Most RPCs of one peer about which it was asked and has not answered; the others wait for their turn. Halved when
    /// answers fail to come, down to 4. 0: no limit.
    public var probesPerPeer = 64
    /// Silence after which a peer is taken for dead and its RPCs end.
    public var timeout: Duration = .milliseconds(400)
    /// An RPC ends when no byte of it advances for so long, whatever its peer says; `timeout` if that is more. Not a
    /// request that its server works on.
    public var progressTimeout: Duration = .seconds(30)
    /// How long a server keeps a response after its client was last heard, so that one that was suspended gets it when
    /// it goes on; no less than `timeout`. Zero: no longer than that. An eighth of `maximumRPCs` at most are kept so.
    public var responseRetention: Duration = .seconds(5)
    /// Most bytes of responses that are kept for longer than `timeout`; those kept longest make room. At most so much
    /// memory of the application's is not released for them.
    public var retainedResponseBytes = 32 << 20
    /// How long a server waits for the acknowledgement of a response before asking for it.
    public var acknowledgementDelay: Duration = .milliseconds(2)

    // MARK: Limits

    /// Most RPCs at once, client and server together; memory for them is reserved at the start.
    public var maximumRPCs = 16_384
    /// Most requests from one host (IP address, whichever ports) being received, served or answered at once.
    public var maximumServerRPCsPerHost = 8_192
    /// Most calls and one-way messages to one peer begun and not over; further ones wait until they may begin. Less
    /// than its `maximumServerRPCsPerHost`, so that no request is refused for want of room.
    public var maximumCallsPerPeer = 4_096
    /// Most calls and one-way messages to one peer under way at once: those that have begun and that the peer's
    /// application has not had for `resendAfter`. Longer messages than a call's own do not count, so a call waits for
    /// such as are about as short as itself, and of those that wait the shortest begins first.
    public var callsUnderWayPerPeer = 256
    /// Length of those together, in bytes, from which on no further one begins; with `adaptsWindows` more for far
    /// peers. What waits costs no memory for its bytes where the form of the call permits that.
    public var bytesUnderWayPerPeer = 1_000_000
    /// Requests that a peer may begin and not finish, beyond those it finished, before it is distrusted.
    /// Only a host that failed, or means harm, comes to that.
    public var brokenRequestLimit = 8
    /// Most requests of more than one packet that a distrusted peer may have under way.
    public var distrustedRequests = 4
    /// Silence after which an incomplete request ends when memory or RPC records are short, or its peer is
    /// distrusted; `timeout` otherwise.
    public var incompleteRequestTimeout: Duration = .milliseconds(20)
    /// Most bytes that go to an address for each that came from it, before it has shown that somebody is there who
    /// hears us (RFC 9000, section 8: 3). 0: no limit, and every address is taken for what it says it is; for networks
    /// where nobody can send under another's address.
    public var amplificationLimit = 3
    /// Most peers known at once. An eighth is for addresses where nobody is known to hear us.
    public var maximumPeers = 4_096
    /// A peer without RPCs, and without an identity, may be forgotten after this, when room is needed. Others may at
    /// once.
    public var peerIdleLimit: Duration = .milliseconds(100)
    /// Most gaps in one partly received message; packets that would make more are dropped.
    public var maximumGapsPerMessage = 128
    /// Requests remembered per client so that none runs twice; a power of two, 1024 … 1 048 576.
    /// One bit each. 0: none are, and a duplicate may run again; for simulated networks that cannot produce one.
    public var finishedMemory = 65_536
    /// For so long after this host has started, or has given up what it knew of a client, requests of unknown clients
    /// must show that they are wanted now, which costs each client one round trip: longer than a packet can be on its
    /// way, and than a client sends a request again that its server never answered. Zero: never, and what ran before it
    /// started may run again.
    public var memoryProbation: Duration = .seconds(30)
    /// A peer without our extensions that was silent this long may start its ids afresh (it restarted).
    public var peerRestartSilence: Duration = .milliseconds(100)

    #if HOMA_PLANTED_FAULTS
        var plantedFault: PlantedFault?
    #endif

    public init() {}
}

@_spi(Testing)
extension EndpointConfiguration {
    /// Whether faults can be planted in this build.
    public static var takesPlantedFaults: Bool {
        #if HOMA_PLANTED_FAULTS
            true
        #else
            false
        #endif
    }

    /// Puts a fault into every endpoint that is made with this.
    public mutating func plant(_ fault: PlantedFault?) {
        #if HOMA_PLANTED_FAULTS
            plantedFault = fault
        #endif
    }
}
