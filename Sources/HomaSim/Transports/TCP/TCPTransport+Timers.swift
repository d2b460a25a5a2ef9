// SPDX-License-Identifier: Apache-2.0

/// Retransmission timers, probes and delayed acknowledgements.
extension TCPTransport {
    /// When `expireTimers` is wanted next; it may find that there is nothing to do.
    @inline(__always)
    mutating func deadline(_ host: UInt16) -> UInt64 { timers[Int(host)].first }

    mutating func expireTimers(_ host: UInt16, at now: UInt64) {
        while timers[Int(host)].first <= now {
            let entry = timers[Int(host)].pop()
            let connection = entry.timer >> 1
            if entry.timer & 1 == 0 {
                look(atSender: connection, entry.time, at: now)
            } else {
                look(atReceiver: connection, entry.time, host, at: now)
            }
        }
    }

    private mutating func look(atSender connection: UInt32, _ due: UInt64, at now: UInt64) {
        let sender = senders + Int(connection)
        guard sender.pointee.nextLook == due else { return }
        sender.pointee.nextLook = .max
        let deadline = sender.pointee.deadline
        guard deadline != .max else { return }
        guard deadline <= now else { return planLook(connection) }
        if sender.pointee.isProbeNext { probe(connection, at: now) } else { timeOut(connection, at: now) }
    }

    private mutating func look(atReceiver connection: UInt32, _ due: UInt64, _ host: UInt16, at now: UInt64) {
        let receiver = receivers + Int(connection)
        guard receiver.pointee.nextLook == due else { return }
        receiver.pointee.nextLook = .max
        guard receiver.pointee.deadline != .max else { return }
        guard receiver.pointee.deadline <= now else { return planLook(atReceiver: connection, host) }
        sendAcknowledgement(connection)
    }

    /// Enters the sender's deadline, unless an earlier look is entered already.
    private func planLook(_ connection: UInt32) {
        let sender = senders + Int(connection)
        guard sender.pointee.deadline < sender.pointee.nextLook else { return }
        sender.pointee.nextLook = sender.pointee.deadline
        timers[Int(sender.pointee.source)].push(sender.pointee.deadline, connection << 1)
    }

    func planLook(atReceiver connection: UInt32, _ host: UInt16) {
        let receiver = receivers + Int(connection)
        guard receiver.pointee.deadline < receiver.pointee.nextLook else { return }
        receiver.pointee.nextLook = receiver.pointee.deadline
        timers[Int(host)].push(receiver.pointee.deadline, connection << 1 | 1)
    }

    // MARK: The sender's timer

    /// The first segment is under way.
    func startTimer(_ connection: UInt32, at now: UInt64) {
        let sender = senders + Int(connection)
        let timeout = sender.pointee.roundTrip.timeout
        sender.pointee.deadline = now + timeout
        sender.pointee.isProbeNext = false
        let delay = probeDelay(sender)
        if delay < timeout {
            sender.pointee.deadline = now + delay
            sender.pointee.isProbeNext = true
        }
        planLook(connection)
    }

    /// Acknowledgements have come.
    mutating func restartTimer(_ connection: UInt32, isProgress: Bool, at now: UInt64) {
        let sender = senders + Int(connection)
        guard sender.pointee.outstanding > 0 else {
            sender.pointee.deadline = .max
            return
        }
        // Only progress restarts the retransmission timer, any news the one of the probe.
        if isProgress || sender.pointee.isProbeNext { startTimer(connection, at: now) }
    }

    /// Two round trips and the floor, and the receiver's delay when only one segment is under way; `UInt64.max` when no
    /// probe is wanted: losses are being repaired, or one has been sent.
    private func probeDelay(_ sender: UnsafeMutablePointer<TCPSender>) -> UInt64 {
        guard tuning.probeFloor != .max, sender.pointee.phase == .open, sender.pointee.sackedBytes == 0,
            sender.pointee.probeEnd == 0
        else { return .max }
        let lone = sender.pointee.outstanding <= tuning.segment ? tuning.delayedAck : 0
        return 2 * sender.pointee.roundTrip.smoothed + tuning.probeFloor + lone
    }

    /// Nothing was acknowledged for long: new data, or the last segment again, makes the receiver say what it has.
    private mutating func probe(_ connection: UInt32, at now: UInt64) {
        let sender = senders + Int(connection)
        counters.tailLossProbes += 1
        let end = sender.pointee.next
        let rest = min(sender.pointee.end, sender.pointee.acknowledged + tuning.receiveWindow)
        let start = end - min(UInt64(tuning.segment), end - sender.pointee.acknowledged)
        sender.pointee.probeRepeats = rest <= end
        if sender.pointee.probeRepeats {
            let before = sender.pointee.repeatedBefore
            repeatSegment(connection, ByteRange(start: start, end: end), at: now)
            sender.pointee.repeatedBefore = before
            sender.pointee.underWay -= Int(end - start)
        } else {
            sendBeyondWindow(connection, at: now)
        }
        sender.pointee.probeEnd = sender.pointee.next
        sender.pointee.isProbeNext = false
        sender.pointee.deadline = now + sender.pointee.roundTrip.timeout
        planLook(connection)
    }

    /// The probe is acknowledged. If it repeated a segment and that had not arrived before, the probe itself has
    /// repaired a loss, which counts as one (RFC 8985, 7.4).
    mutating func noteProbe(_ sender: UnsafeMutablePointer<TCPSender>, isDuplicate: Bool) {
        let end = sender.pointee.probeEnd
        guard end != 0, sender.pointee.acknowledged >= end || isDuplicate else { return }
        sender.pointee.probeEnd = 0
        guard sender.pointee.probeRepeats, !isDuplicate, sender.pointee.phase == .open else { return }
        sender.pointee.window.reduceForLoss(outstanding: Int(sender.pointee.window.bytes), tuning)
    }

    private mutating func timeOut(_ connection: UInt32, at now: UInt64) {
        let sender = senders + Int(connection)
        counters.timeouts += 1
        sender.pointee.window.reduceForTimeout(
            outstanding: sender.pointee.outstanding, isFirst: sender.pointee.timeoutsInRow == 0, tuning)
        sender.pointee.timeoutsInRow += 1
        sender.pointee.roundTrip.backOff(maximum: tuning.maximumRTO)
        sender.pointee.phase = .loss
        sender.pointee.recoveryPoint = sender.pointee.next
        sender.pointee.lostBefore = sender.pointee.next
        sender.pointee.repeatedBefore = sender.pointee.acknowledged
        ranges.clear(&sender.pointee.repeats)
        ranges.clear(&sender.pointee.lostAgain)
        sender.pointee.duplicates = 0
        sender.pointee.timedEnd = 0
        sender.pointee.probeEnd = 0
        sender.pointee.mustRepeat = true
        sender.pointee.underWay = 0
        sender.pointee.isProbeNext = false
        sender.pointee.deadline = now + sender.pointee.roundTrip.timeout
        planLook(connection)
        enlist(connection)
    }
}
