// SPDX-License-Identifier: Apache-2.0

/// What acknowledgements do to a sender.
extension TCPTransport {
    mutating func acknowledge(_ packet: UInt32, at now: UInt64) {
        let segment = packets.extra(packet, as: TCPSegment.self)
        let connection = segment.pointee.connection
        let sender = senders + Int(connection)
        let upTo = segment.pointee.sequence
        let isProgress = upTo > sender.pointee.acknowledged
        let bytes = isProgress ? Int(upTo - sender.pointee.acknowledged) : 0
        let isNews = note(segment, sender)
        let wasRecovering = sender.pointee.phase == .recovery
        if isProgress {
            advance(sender, to: upTo, at: now)
        } else if isNews, upTo == sender.pointee.acknowledged {
            sender.pointee.duplicates = min(sender.pointee.duplicates + 1, 100)
        }
        let isMarked = segment.pointee.echoesMarks
        findLosses(sender)
        findLostRepeats(sender, arrived: segment.pointee.order)
        noteProbe(sender, isDuplicate: segment.pointee.reportsDuplicate)
        if tuning.control == .dctcp { noteMarks(isMarked, bytes, sender) }
        if isProgress, !wasRecovering, sender.pointee.phase != .recovery, !isMarked { grow(bytes, sender, at: now) }
        countUnderWay(sender)
        if isProgress || isNews { restartTimer(connection, isProgress: isProgress, at: now) }
        enlist(connection)
    }

    /// Everything before `upTo` has arrived.
    private mutating func advance(_ sender: UnsafeMutablePointer<TCPSender>, to upTo: UInt64, at now: UInt64) {
        sender.pointee.acknowledged = upTo
        forget(before: upTo, sender)
        sender.pointee.duplicates = 0
        sender.pointee.timeoutsInRow = 0
        sender.pointee.repeatedBefore = max(sender.pointee.repeatedBefore, upTo)
        sender.pointee.lostBefore = max(sender.pointee.lostBefore, upTo)
        if sender.pointee.timedEnd != 0, upTo >= sender.pointee.timedEnd {
            let sample = now - sender.pointee.timedSince
            sender.pointee.timedEnd = 0
            sender.pointee.roundTrip.add(sample, minimum: tuning.minimumRTO, maximum: tuning.maximumRTO)
            sender.pointee.window.noteRoundTrip(sample, tuning)
        }
        if sender.pointee.phase != .open, upTo >= sender.pointee.recoveryPoint { leaveRecovery(sender) }
        windowSum += sender.pointee.window.bytes
        windowCount += 1
    }

    private mutating func leaveRecovery(_ sender: UnsafeMutablePointer<TCPSender>) {
        sender.pointee.phase = .open
        sender.pointee.mustRepeat = false
        ranges.clear(&sender.pointee.lostAgain)
        sender.pointee.lostBefore = sender.pointee.acknowledged
        sender.pointee.repeatedBefore = sender.pointee.acknowledged
    }

    /// After a timeout nothing new is found until what was under way then is acknowledged (RFC 6675, 5.1).
    private mutating func findLosses(_ sender: UnsafeMutablePointer<TCPSender>) {
        guard sender.pointee.phase != .loss, sender.pointee.sackedBytes > 0 else { return }
        var limit = lossLimit(sender)
        if sender.pointee.phase == .recovery {
            sender.pointee.lostBefore = max(sender.pointee.lostBefore, limit)
            return
        }
        if sender.pointee.probeEnd != 0, highestSacked(sender) >= sender.pointee.probeEnd {
            // What was sent round trips before the probe would have come before it.
            limit = max(limit, lastSackedStart(sender))
        }
        // When there is nothing new to send that could bring more answers, all but one segment are enough (RFC 5827).
        let isEarly =
            sender.pointee.end == sender.pointee.next && sender.pointee.outstanding <= 4 * tuning.segment
            && sender.pointee.sackedBytes >= sender.pointee.outstanding - tuning.segment
        let isLost =
            isEarly || limit > sender.pointee.acknowledged || Int(sender.pointee.duplicates) >= Self.duplicateThreshold
        guard isLost else { return }
        sender.pointee.phase = .recovery
        sender.pointee.recoveryPoint = sender.pointee.next
        sender.pointee.lostBefore = limit
        sender.pointee.repeatedBefore = sender.pointee.acknowledged
        sender.pointee.mustRepeat = true
        sender.pointee.hasRescued = false
        sender.pointee.window.reduceForLoss(outstanding: sender.pointee.outstanding, tuning)
        counters.fastRecoveries += 1
    }

    @inline(__always)
    private mutating func noteMarks(_ isMarked: Bool, _ bytes: Int, _ sender: UnsafeMutablePointer<TCPSender>) {
        let hasReduced = sender.pointee.window.noteMarks(
            isMarked, acknowledged: bytes, before: sender.pointee.acknowledged, next: sender.pointee.next,
            canReduce: sender.pointee.phase == .open, tuning)
        if hasReduced { counters.reductionsByMarks += 1 }
    }

    @inline(__always)
    private mutating func grow(_ bytes: Int, _ sender: UnsafeMutablePointer<TCPSender>, at now: UInt64) {
        sender.pointee.window.watchSlowStart(
            sender.pointee.acknowledged, next: sender.pointee.next, roundTrip: sender.pointee.roundTrip.smoothed,
            at: now, tuning)
        // In slow start a window is allowed to be twice what was used of it.
        let isUsed =
            sender.pointee.isWindowLimited
            || (sender.pointee.window.isSlowStart
                && sender.pointee.window.bytes < 2 * Double(sender.pointee.mostUnderWay))
        guard isUsed else { return }
        sender.pointee.window.grow(
            acknowledged: bytes, roundTrip: sender.pointee.roundTrip.smoothed, at: now, tuning)
    }
}
