// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

extension EndpointConfiguration {
    /// The longest message that an endpoint without a pool can be set to: lengths are 31-bit numbers in places.
    static var longestMessageWithoutPool: Int { Int(Int32.max) }

    /// Throws for settings that cannot work, so that a running endpoint never has to check.
    /// - Parameter bpageSize: nil for an endpoint without a pool.
    public func validated(bpageSize: Int?) throws(ConfigurationError) {
        let longest = bpageSize == nil ? Self.longestMessageWithoutPool : HomaLimits.maximumMessageLength
        try check("maximumMessageBytes", maximumMessageBytes, 1...longest)
        try checkPackets(bpageSize: bpageSize ?? 65_507)
        try check("unscheduledBytes", unscheduledBytes, 1...longest)
        try check("fifoSendFraction", fifoSendFraction, 0...0.5)
        try check("fifoGrantFraction", fifoGrantFraction, 0...0.5)
        try check("linkRate (bits per second)", Int(clamping: linkRate?.bitsPerSecond ?? 1), 1...Int.max)
        try check("pacerBypassBytes", pacerBypassBytes, 0...longest)
        if probesUnscheduled, bpageSize != nil || !acknowledgesMessages {
            throw ConfigurationError(
                setting: "probesUnscheduled", value: "true",
                permitted: "false, or an endpoint without a pool that acknowledges messages")
        }
        if probesUnscheduled, adaptsUnscheduled {
            throw ConfigurationError(
                setting: "adaptsUnscheduled", value: "true", permitted: "false together with probesUnscheduled")
        }
        try checkGrants()
        try checkPriorities()
        try checkTimers()
        try checkLimits()
    }

    private func checkPackets(bpageSize: Int) throws(ConfigurationError) {
        try check("maximumPacketBytes", maximumPacketBytes, 128...65_507)
        try check("packetBytesCap", packetBytesCap, 128...min(65_507, bpageSize))
        try check("segmentBytes", segmentBytes ?? 1, 1...packetBytesCap - DataFields.byteCount)
        try check("frameOverheadBytes", frameOverheadBytes, 0...1000)
        try check("dataOverheadBytes", dataOverheadBytes ?? 0, 0...1000)
        try check("controlWireBytes", controlWireBytes ?? 1, 1...1000)
        try check("minimumWireBytes", minimumWireBytes, 1...1000)
    }

    private func checkGrants() throws(ConfigurationError) {
        try check("overcommitment", overcommitment, 1...64)
        try check("maximumIncoming", maximumIncoming, 1...(1 << 30))
        try check("window", window ?? 1, 1...(1 << 30))
        try check("fifoGrantIncrement", fifoGrantIncrement, 1...HomaLimits.maximumMessageLength)
        try check("activeMessagesPerHost", activeMessagesPerHost ?? 1, 1...64)
        // A larger step than the window would never be taken.
        let smallestWindow = window ?? maximumIncoming / (overcommitment + 1)
        try check("grantIncrement", grantIncrement, 1...max(1, smallestWindow))
        try check("largestGrant", largestGrant ?? Int.max, grantIncrement...Int.max)
    }

    private func checkPriorities() throws(ConfigurationError) {
        try check("priorityLevels", priorityLevels, 1...HomaLimits.priorityLevels)
        try check("unscheduledCutoffs (entries)", unscheduledCutoffs.count, 8...8)
        try check("cutoffVersion", Int(cutoffVersion), 1...Int(UInt16.max))
        try check("cutoffSample", cutoffSample, 100...1_000_000)
        try check("cutoffInterval", cutoffInterval, .microseconds(1) ... .seconds(3600))
        try check("boostedTailBytes", boostedTailBytes, 0...Self.longestMessageWithoutPool)
        try check("controlPriority", Int(controlPriority ?? 0), 0...priorityLevels - 1)
        var previous = UInt32.max
        for level in 1..<8 where unscheduledCutoffs[level] != 0 {
            guard unscheduledCutoffs[level] <= previous else {
                throw ConfigurationError(
                    setting: "unscheduledCutoffs[\(level)]", value: "\(unscheduledCutoffs[level])",
                    permitted: "at most the cutoff of the level below, \(previous)")
            }
            previous = unscheduledCutoffs[level]
        }
    }

    private func checkTimers() throws(ConfigurationError) {
        try check("resendAfter", resendAfter, .microseconds(1) ... .seconds(3600))
        try check("resendIntervalLimit", resendIntervalLimit, resendAfter ... .seconds(3600))
        try check("probesPerPeer", probesPerPeer, 0...(1 << 20))
        try check("timeout", timeout, resendAfter ... .seconds(3600))
        try check("progressTimeout", progressTimeout, .microseconds(1) ... .seconds(1_000_000))
        try check("responseRetention", responseRetention, .zero ... .seconds(3600))
        try check("retainedResponseBytes", retainedResponseBytes, 0...Int(Int32.max))
        try check("acknowledgementDelay", acknowledgementDelay, .microseconds(1) ... .seconds(3600))
        try check("unacknowledgedRetention", unacknowledgedRetention, .zero ... .seconds(3600))
        try check("incompleteRequestTimeout", incompleteRequestTimeout, .microseconds(1) ... .seconds(3600))
        try check("linkQueueLimit", linkQueueLimit, .zero ... .seconds(1))
        try check("amplificationLimit", amplificationLimit, 0...100)
        try check("peerIdleLimit", peerIdleLimit, .zero ... .seconds(1_000_000))
        try check("memoryProbation", memoryProbation, .zero ... .seconds(1_000_000))
        try check("peerRestartSilence", peerRestartSilence, .zero ... .seconds(1_000_000))
    }

    private func checkLimits() throws(ConfigurationError) {
        try check("maximumRPCs", maximumRPCs, 1...(1 << 20))
        try check("maximumServerRPCsPerHost", maximumServerRPCsPerHost, 1...(1 << 20))
        try check("maximumCallsPerPeer", maximumCallsPerPeer, 1...(1 << 20))
        try check("callsUnderWayPerPeer", callsUnderWayPerPeer, 1...65_535)
        try check("bytesUnderWayPerPeer", bytesUnderWayPerPeer, 1...(1 << 30))
        try check("brokenRequestLimit", brokenRequestLimit, 1...1024)
        try check("distrustedRequests", distrustedRequests, 1...(1 << 20))
        try check("maximumPeers", maximumPeers, 1...(1 << 20))
        try check("maximumGapsPerMessage", maximumGapsPerMessage, 1...4096)
        if finishedMemory != 0 { try check("finishedMemory", finishedMemory, 1024...(1 << 20)) }
        guard finishedMemory.nonzeroBitCount <= 1 else {
            throw ConfigurationError(
                setting: "finishedMemory", value: "\(finishedMemory)", permitted: "a power of two")
        }
    }

    private func check<T: Comparable>(
        _ setting: String, _ value: T, _ range: ClosedRange<T>
    ) throws(ConfigurationError) {
        guard range.contains(value) else {
            throw ConfigurationError(
                setting: setting, value: "\(value)", permitted: "\(range.lowerBound) … \(range.upperBound)")
        }
    }
}
