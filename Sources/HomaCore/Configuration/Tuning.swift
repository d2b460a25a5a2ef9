// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// The configuration in the form the hot paths want: plain integers, derived values worked out once.
///
/// Its functions are always part of their callers: to be called, all 400 bytes would be copied each time.
struct Tuning: BitwiseCopyable {
    let maximumSegment: UInt32
    let defaultSegment: UInt32
    let wire: WireSizes
    let maximumMessage: UInt32
    let unscheduledBytes: UInt32
    let roundsUnscheduled: Bool
    let fifoSendFraction: Double
    let linkRate: BitRate?
    let linkQueueLimit: UInt64
    let pacerBypass: UInt32

    let acknowledgesMessages: Bool
    let unacknowledgedRetention: UInt64
    let assumesPeersAlike: Bool
    let probesUnscheduled: Bool

    let overcommitment: Int
    let maximumIncoming: Int
    let fixedWindow: Int?
    let adaptsWindows: Bool
    let grantIncrement: UInt32
    let largestGrant: UInt32
    let boostedTail: UInt32
    let fifoGrantFraction: Double
    let fifoGrantIncrement: UInt32
    let activePerHost: UInt32
    let countsUnscheduled: Bool

    let cutoffs: CutoffsFields
    let learnsCutoffs: Bool
    let cutoffSample: Int
    let cutoffInterval: UInt64
    /// Highest level for granted data: one below the lowest unscheduled level.
    let maximumScheduledPriority: Int
    let controlPriority: UInt8
    /// No packet leaves above, whatever others ask for.
    let highestPriority: UInt8
    /// For what the oldest message is granted, and for data asked for again after a wait for buffers.
    let highPriority: UInt8

    let resendAfter: UInt64
    let resendIntervalLimit: UInt64
    let timeout: UInt64
    let progressTimeout: UInt64
    let responseRetention: UInt64
    let retainedResponseBytes: Int
    /// No answer is longer on its way behind others, at 1 Mb/s as well.
    @inline(__always) var longestWay: UInt64 { 16 * timeout }
    let adaptsTimers: Bool
    /// No probe waits longer than this for what is usual.
    let longestResendTimeout: UInt64
    /// Nor longer than this for what was measured: time remains to ask before the timeout.
    let longestMeasuredTimeout: UInt64
    let probesPerPeer: UInt32
    let acknowledgementDelay: UInt64

    let serverRPCsPerHost: UInt32
    /// So many messages' unscheduled bytes may be under way to a peer: 4 MB by default, of the 8 MB that a socket holds
    /// with what the system adds to each packet.
    private static var messagesInSocket: Int { 64 }
    let admission: AdmissionLimits
    let brokenLimit: UInt32
    let distrustedRequests: UInt32
    let incompleteRequestTimeout: UInt64
    let amplificationLimit: UInt32
    let peerIdleLimit: UInt64
    let maximumGaps: Int32
    let finishedMemory: Int
    let memoryProbation: UInt64
    let peerRestartSilence: UInt64
    /// No host ends and starts anew in so short a time.
    static var restartTime: UInt64 { 100_000_000 }
    #if HOMA_PLANTED_FAULTS
        let plantedFault: PlantedFault?
    #endif

    /// `configuration` has been validated.
    init(_ configuration: EndpointConfiguration) {
        #if HOMA_PLANTED_FAULTS
            plantedFault = configuration.plantedFault
        #endif
        maximumSegment = UInt32(configuration.packetBytesCap - DataFields.byteCount)
        defaultSegment = UInt32(
            configuration.segmentBytes
                ?? min(configuration.maximumPacketBytes, configuration.packetBytesCap) - DataFields.byteCount)
        wire = configuration.wireSizes
        maximumMessage = UInt32(configuration.maximumMessageBytes)
        unscheduledBytes = UInt32(configuration.unscheduledBytes)
        roundsUnscheduled = configuration.roundsUnscheduledToPackets
        fifoSendFraction = configuration.fifoSendFraction
        linkRate = configuration.linkRate
        linkQueueLimit = configuration.linkQueueLimit.wholeNanoseconds
        pacerBypass = UInt32(configuration.pacerBypassBytes)
        acknowledgesMessages = configuration.acknowledgesMessages
        unacknowledgedRetention = configuration.unacknowledgedRetention.wholeNanoseconds
        assumesPeersAlike = configuration.assumesPeersAlike
        probesUnscheduled = configuration.probesUnscheduled
        overcommitment = configuration.overcommitment
        maximumIncoming = configuration.maximumIncoming
        fixedWindow = configuration.window
        adaptsWindows = configuration.adaptsWindows && configuration.window == nil
        grantIncrement = UInt32(configuration.grantIncrement)
        largestGrant = UInt32(clamping: configuration.largestGrant ?? .max)
        boostedTail = UInt32(configuration.boostedTailBytes)
        fifoGrantFraction = configuration.fifoGrantFraction
        fifoGrantIncrement = UInt32(configuration.fifoGrantIncrement)
        activePerHost = UInt32(configuration.activeMessagesPerHost ?? Int(UInt32.max))
        countsUnscheduled = configuration.countsUnscheduledIncoming

        let levels = configuration.priorityLevels
        var values = InlineArray<8, UInt32>(repeating: 0)
        for level in 0..<levels { values[level] = configuration.unscheduledCutoffs[level] }
        // The length of a real carriage's longest message stands for every length.
        let all = UInt32(HomaLimits.maximumMessageLength)
        for level in 0..<levels where values[level] == all { values[level] = max(all, maximumMessage) }
        learnsCutoffs = configuration.learnsCutoffs
        cutoffSample = configuration.cutoffSample
        cutoffInterval = configuration.cutoffInterval.wholeNanoseconds
        cutoffs = CutoffsFields(cutoffs: values, version: configuration.cutoffVersion)
        var lowest = levels - 1
        while lowest > 0, values[lowest] < maximumMessage { lowest -= 1 }
        maximumScheduledPriority = max(0, lowest - 1)
        highestPriority = UInt8(levels - 1)
        controlPriority = configuration.controlPriority ?? UInt8(levels - 1)
        highPriority = levels > 2 ? UInt8(levels - 2) : 0

        resendAfter = configuration.resendAfter.wholeNanoseconds
        resendIntervalLimit = configuration.resendIntervalLimit.wholeNanoseconds
        timeout = configuration.timeout.wholeNanoseconds
        responseRetention = configuration.responseRetention.wholeNanoseconds
        retainedResponseBytes = configuration.retainedResponseBytes
        progressTimeout = max(configuration.progressTimeout, configuration.timeout).wholeNanoseconds
        adaptsTimers = configuration.adaptsTimers
        longestResendTimeout = max(resendAfter, timeout / 4)
        longestMeasuredTimeout = max(resendAfter, timeout / 4 * 3)
        probesPerPeer = UInt32(configuration.probesPerPeer)
        acknowledgementDelay = configuration.acknowledgementDelay.wholeNanoseconds
        serverRPCsPerHost = UInt32(configuration.maximumServerRPCsPerHost)
        admission = AdmissionLimits(
            unfinished: UInt32(configuration.maximumCallsPerPeer),
            calls: UInt32(configuration.callsUnderWayPerPeer), bytes: UInt32(configuration.bytesUnderWayPerPeer),
            unscheduled: unscheduledBytes,
            unscheduledTogether: UInt32(
                clamping: max(configuration.bytesUnderWayPerPeer, Self.messagesInSocket * Int(unscheduledBytes))),
            oldestEarning: configuration.fifoSendFraction / (1 - configuration.fifoSendFraction))
        brokenLimit = UInt32(configuration.brokenRequestLimit)
        distrustedRequests = UInt32(configuration.distrustedRequests)
        incompleteRequestTimeout = min(configuration.incompleteRequestTimeout, configuration.timeout).wholeNanoseconds
        amplificationLimit = configuration.assumesPeersAlike ? 0 : UInt32(configuration.amplificationLimit)
        peerIdleLimit = configuration.peerIdleLimit.wholeNanoseconds
        maximumGaps = Int32(configuration.maximumGapsPerMessage)
        finishedMemory = configuration.finishedMemory
        // Peers that are taken to be known have always been there.
        let hasProbation = configuration.finishedMemory > 0 && !configuration.assumesPeersAlike
        memoryProbation = hasProbation ? configuration.memoryProbation.wholeNanoseconds : 0
        peerRestartSilence = configuration.peerRestartSilence.wholeNanoseconds
    }

    /// Bytes that may be granted ahead of what has arrived when `active` messages are granted to, and `incoming` bytes
    /// may be on their way in all.
    @inline(__always)
    func window(active: Int, incoming: Int) -> Int {
        fixedWindow ?? incoming / (active + 1)
    }

    /// How long a message of several packets may take behind as many others as are granted to at once, on a link of
    /// which nothing is known: 40 Mb/s. Its receiver asks for what is missing of it once one packet of it has come; so
    /// nothing is lost while its sender waits that long before it asks.
    @inline(__always)
    func slowTime(of bytes: UInt32) -> UInt64 {
        guard adaptsTimers, bytes > defaultSegment else { return 0 }
        let rate = linkRate ?? .megabitsPerSecond(40)
        return min(longestResendTimeout, UInt64(overcommitment) * rate.nanoseconds(forBytes: Int(bytes)))
    }

    /// How much of a message of `length` goes out without a grant, in packets of `segment` bytes, to a peer that gets
    /// `unscheduled` bytes of a message so.
    @inline(__always)
    func unscheduledLimit(length: UInt32, segment: UInt32, unscheduled: UInt32) -> UInt32 {
        guard roundsUnscheduled else { return min(length, unscheduled) }
        return min(length, (unscheduled + segment - 1) / segment * segment)
    }
}
