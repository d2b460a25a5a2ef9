// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// What an endpoint knows about one other host. Shared by all RPCs with it, and by nobody else.
struct Peer: BitwiseCopyable {
    /// Whether whoever is at the address is known to hear what is sent there.
    enum Standing: UInt8 {
        /// It came by itself, and anybody may have sent its packets. Strangers share an eighth of what there is.
        case stranger
        /// The application calls it.
        case called
        /// It has said something that it can only know from a packet sent there.
        case validated
    }

    /// With the own address at which packets of its requests came last.
    var address: PeerAddress
    /// Its host's record.
    var host = UInt32.max
    var standing: Standing
    /// Differs from peer to peer where client ports do (``Endpoint/hideClientPorts()``).
    var portMask: UInt16 = 0
    /// Bytes that may be sent to it before it is validated.
    var allowance: UInt32 = 0
    /// The CUTOFFS version that it was last wrong about, and how many versions it has tried.
    var guess: UInt16 = 0
    var guesses: UInt8 = 0
    /// When it was last shown the token that it has given us.
    var tokenShown: Instant?
    /// Length of its requests that are arriving and have buffers.
    var heldBytes: Int = 0
    /// RPCs in the table that belong to this peer, and how many of them it started.
    var rpcs: UInt32 = 0
    var serverRPCs: UInt32 = 0
    /// How many of its requests have not arrived in full.
    var unfinishedRequests: UInt32 = 0
    /// Requests it began and fell silent in the middle of, halved by each that it finishes.
    var brokenRequests: UInt32 = 0
    /// Speaks our extensions: the version its packets showed, 0 = none.
    var extensionVersion: UInt8 = 0
    /// The client that asks from there, and what it calls itself: 0 as long as none does that says who it is.
    var identity: UInt64 = 0
    var client = ClientStore.none
    /// The one that asks from there without saying who it is.
    var unnamedClient = ClientStore.none
    /// What we give to its address, and what it has given to ours.
    var issued: UInt32 = 0
    var token: UInt32 = 0
    /// When the memory of the host with that token began, as far as its answers tell: not later than this.
    var memoryBegan = Instant.distantFuture
    var memoryToken: UInt32 = 0
    var liveness: Liveness
    /// Payload bytes that came from it, modulo 2³², but for those that were here before, and how many more it has leave
    /// to send and may bring, whether or not they hold back others: while it delivers those, a message of its that is
    /// silent may only be waiting behind them.
    var arrived: UInt32 = 0
    var incoming: UInt32 = 0
    var incomingPath = IncomingPath.unlimited
    /// When it last had a grant, or was told that we are there, while messages of its arrive.
    var assuredAt = Instant.zero
    /// Bytes of a response that it usually sends without a grant.
    var usualUnscheduled: UInt32 = 0
    /// When a packet of its with much payload was last thrown away for want of buffers.
    var lastWithoutRoom: Instant?
    /// From the last byte of a request to the first packet of the response, and from a grant to the data it releases.
    var responseTime = TimeEstimate()
    var grantTime = TimeEstimate()
    /// The shortest round trip of late, in nanoseconds.
    var roundTrip = RecentMinimum()
    /// RPCs that it was asked about and has not answered, how many there may be, and when that may be halved again.
    var outstandingProbes: UInt32 = 0
    var probeLimit: UInt32
    var nextHalving = Instant.zero
    /// RPCs that wait for their turn to be asked about.
    var probesDue = SlabList<RPC.Probes>()
    /// When the last of its requests here ended.
    var lastServed: Instant
    /// Most payload bytes per DATA packet towards it.
    var segment: UInt32
    /// When it was last heard that it has got so long a packet.
    var fullArrivedAt = Instant.zero
    /// What was said last of packets to it that do not arrive, since when that is all that was heard of it, if it is
    /// (``Liveness/isRefused``), and when it was.
    var refusal: Refusal?
    var refusedSince = Instant.zero
    var refusedAt = Instant.zero
    /// Until then it is taken for as much as every path carries, and what it was before.
    var narrowUntil: Instant?
    var wideSegment: UInt32 = 0
    /// When the system is asked anew what the path carries, since a report said that it is less.
    var askPathAt = Instant.distantFuture
    /// The longest message it wants at each unscheduled level; level 0 takes everything.
    var cutoffs = InlineArray<8, UInt32>(repeating: 0)
    /// Version of `cutoffs`, 0 = it has not sent any.
    var cutoffVersion: UInt16 = 0
    /// The same CUTOFFS are sent to it again after a millisecond, and twice as long each time, up to 64.
    var nextCutoffs = Instant.zero
    var cutoffRepeats: UInt8 = 0
    /// The version that it was sent last, 0 = none.
    var sentCutoffVersion: UInt16 = 0
    /// Most bytes of a message that it wants unscheduled; `max`: as we like.
    var advertisedUnscheduled = UInt32.max
    /// Responses received and not yet acknowledged.
    var acks = InlineArray<5, AckRecord>(repeating: .none)
    var ackCount = 0
    /// Our calls and one-way messages to it.
    var admission = CallAdmission()
    /// ``AdmissionLimits/bytes`` for it: more for a peer that is far away.
    var bytesUnderWay: UInt32 = 0
    /// Our calls to it, by age: ids rise from the oldest on.
    var calls = SlabList<RPC.Calls>()
    /// Among the peers without RPCs.
    var idleLinks = SlabLinks()
    var idleSince = Instant.zero

    init(
        address: PeerAddress, standing: Standing = .validated, segment: UInt32, probeLimit: UInt32 = 0, now: Instant
    ) {
        self.address = address
        self.standing = standing
        self.segment = segment
        self.probeLimit = probeLimit
        lastServed = now
        liveness = Liveness(at: now)
        // Until it tells, everything goes at the second highest level, as kernel peers do.
        cutoffs[6] = .max
    }

    /// Nil until something has been measured.
    var knownRoundTrip: UInt64? { roundTrip.value == .max ? nil : roundTrip.value }

    enum Idle: SlabListKind {
        static func links(of peer: UnsafeMutablePointer<Peer>) -> UnsafeMutablePointer<SlabLinks> {
            withUnsafeMutablePointer(to: &peer.pointee.idleLinks) { $0 }
        }
    }

    var speaksExtensions: Bool { extensionVersion > 0 }
    var isValidated: Bool { standing == .validated }
    /// Nothing shows yet that it brings what it announces: nobody knows who it is, or it has broken its word.
    func isOnTrial(_ tuning: Tuning) -> Bool { standing == .stranger || brokenRequests >= tuning.brokenLimit }
    /// Something is known of it that cannot be learned anew: which requests ran of a client without an identity.
    var mustBeRemembered: Bool { unnamedClient != ClientStore.none }

    /// Bytes of a bundle of packets to it; 0: it wants them alone.
    var bundleBytes: UInt32 {
        extensionVersion > HeaderExtension.versionWithoutBundles ? segment + UInt32(DataFields.byteCount) : 0
    }

    /// The level for unscheduled packets of a message: the largest whose cutoff takes the length.
    func unscheduledPriority(length: UInt32) -> UInt8 {
        cutoffs.level(length: length)
    }
}
