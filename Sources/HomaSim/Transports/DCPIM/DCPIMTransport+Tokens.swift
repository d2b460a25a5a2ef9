// SPDX-License-Identifier: Apache-2.0

/// Receivers in the data phase: tokens, paced.
extension DCPIMTransport {
    /// Time between two tokens of so many channels.
    @inline(__always)
    private func interval(_ width: Int) -> UInt64 {
        tuning.packetTime * UInt64(tuning.channels) / UInt64(width)
    }

    /// Something has happened to a pair: if it was waiting for that, its tokens go on.
    @inline(__always)
    mutating func resume(_ number: UInt32, at now: UInt64) {
        let pair = pairs + Int(number)
        guard pair.pointee.width > 0 else { return }
        let earliest = pair.pointee.lastTokenAt + interval(pair.pointee.width)
        guard pair.pointee.due > max(now, earliest) else { return }
        let host = hosts + Int(pair.pointee.receiver)
        if earliest <= now {
            sendToken(number, at: now)
        } else {
            pair.pointee.due = earliest
        }
        if pair.pointee.due < host.pointee.tokenAt { host.pointee.tokenAt = pair.pointee.due }
    }

    /// Sends all tokens of a host that are due.
    mutating func sendTokens(_ receiver: UInt16, at now: UInt64) {
        var earliest = UInt64.max
        for place in 0..<matched[Int(receiver)].count {
            let number = matched[Int(receiver)][place]
            if pairs[Int(number)].due <= now { sendToken(number, at: now) }
            earliest = min(earliest, pairs[Int(number)].due)
        }
        for place in 0..<nextMatched[Int(receiver)].count {
            let number = nextMatched[Int(receiver)][place]
            if pairs[Int(number)].due <= now { sendToken(number, at: now) }
            earliest = min(earliest, pairs[Int(number)].due)
        }
        hosts[Int(receiver)].tokenAt = earliest
    }

    /// Sends one token if the window allows, and sets when the next one is due: later than now in any case.
    private mutating func sendToken(_ number: UInt32, at now: UInt64) {
        let pair = pairs + Int(number)
        pair.pointee.due = .max
        guard pair.pointee.width > 0 else { return }
        let held = hosts[Int(pair.pointee.receiver)].heldUntil
        if held > now {
            pair.pointee.due = held
            return
        }
        let (index, wake) = choose(pair, at: now)
        guard index != DCPIMMessage.none else {
            pair.pointee.due = wake
            return
        }
        let record = records + Int(index)
        let limit = tuning.window * Double(pair.pointee.width) / Double(tuning.channels)
        if Double(record.pointee.tokensSent - record.pointee.tokensAnswered) > limit {
            let patience = record.pointee.lastTokenAt + tuning.windowTimeout
            guard patience <= now else {
                pair.pointee.due = patience
                return
            }
            counters.windowTimeouts += 1
            record.pointee.tokensAnswered = record.pointee.tokensSent - UInt32(limit)
        }
        emitToken(index, record, pair, at: now)
        pair.pointee.lastTokenAt = now
        pair.pointee.due = now + interval(pair.pointee.width)
    }

    /// When to ask again for what is missing of a message that has been asked for completely; data that keep coming put
    /// it off.
    @inline(__always)
    func resumption(_ record: UnsafeMutablePointer<DCPIMMessage>) -> UInt64 {
        max(record.pointee.pausedUntil, record.pointee.lastDataAt + tuning.resendAfter)
    }

    /// The message with the fewest packets remaining for which tokens may be sent; if none, when that may change.
    @inline(__always)
    private mutating func choose(_ pair: UnsafeMutablePointer<DCPIMPair>, at now: UInt64) -> (UInt32, UInt64) {
        var wake = UInt64.max
        var index = pair.pointee.first
        while index != DCPIMMessage.none {
            let record = records + Int(index)
            if record.pointee.pausedUntil == 0 { return (index, now) }
            let until = resumption(record)
            if until <= now {
                record.pointee.pausedUntil = 0
                record.pointee.isRepeating = true
                record.pointee.complete = record.pointee.missing(from: record.pointee.complete)
                record.pointee.cursor = record.pointee.complete
                record.pointee.tokensAnswered = record.pointee.tokensSent
                return (index, now)
            }
            wake = min(wake, until)
            index = record.pointee.next
        }
        return (DCPIMMessage.none, wake)
    }

    @inline(__always)
    private mutating func emitToken(
        _ index: UInt32, _ record: UnsafeMutablePointer<DCPIMMessage>, _ pair: UnsafeMutablePointer<DCPIMPair>,
        at now: UInt64
    ) {
        // A message is not in the list when nothing is missing, so from the first missing packet on there is one.
        var next = record.pointee.missing(from: record.pointee.cursor)
        if next == record.pointee.packets { next = record.pointee.missing(from: record.pointee.complete) }
        counters.tokens += 1
        sendControl(
            DCPIMPacket(
                kind: .token, rank: pair.pointee.channels > 0 ? pair.pointee.rank : DCPIMTuning.idleRank,
                record: index, generation: record.pointee.generation, number: next, order: record.pointee.tokensSent,
                remaining: record.pointee.packets - record.pointee.received,
                time: tuning.clock.phaseEnd(after: now) + tuning.tokenGrace),
            kind: .grant, from: pair.pointee.receiver, to: pair.pointee.sender)
        record.pointee.tokensSent += 1
        record.pointee.lastTokenAt = now
        record.pointee.cursor = record.pointee.missing(from: next + 1)
        if record.pointee.cursor == record.pointee.packets { record.pointee.pausedUntil = now + tuning.resendAfter }
    }
}
