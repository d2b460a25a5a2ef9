// SPDX-License-Identifier: Apache-2.0

/// When matching rounds and data phases are; the same for all hosts.
///
/// Matching *e* begins at *e* × data phase and has a fixed number of rounds. Receivers send requests at the beginning
/// of a round, senders grant in its middle, receivers accept at its end, which is the beginning of the next. Data
/// phase *e* begins with the end of matching *e* and lasts until data phase *e* + 1 begins.
struct MatchingClock: Equatable {
    let rounds: Int
    let roundLength: UInt64
    let matchingPhase: UInt64
    let dataPhase: UInt64

    /// - Parameter dataPhaseRatio: at least 1.
    init(rounds: Int, roundLength: UInt64, dataPhaseRatio: Double) {
        self.rounds = rounds
        self.roundLength = roundLength
        matchingPhase = UInt64(rounds) * roundLength
        dataPhase = max(matchingPhase, UInt64((Double(matchingPhase) * dataPhaseRatio).rounded()))
    }

    /// The next time after `now` at which receivers have something to do.
    func receiverStage(after now: UInt64) -> UInt64 {
        let start = now / dataPhase * dataPhase
        let next = start + ((now - start) / roundLength + 1) * roundLength
        // After the last round nothing happens until the next matching.
        return next <= start + matchingPhase ? next : start + dataPhase
    }

    /// The round whose requests are sent at this time, if any.
    func round(startingAt time: UInt64) -> (epoch: UInt32, round: UInt8)? {
        let offset = time % dataPhase
        guard offset < matchingPhase, offset % roundLength == 0 else { return nil }
        return (UInt32(time / dataPhase), UInt8(offset / roundLength))
    }

    /// When senders answer the requests of a round.
    func senderStage(epoch: UInt32, round: UInt8) -> UInt64 {
        UInt64(epoch) * dataPhase + UInt64(round) * roundLength + roundLength / 2
    }

    /// When receivers answer the grants of a round.
    func acceptStage(epoch: UInt32, round: UInt8) -> UInt64 {
        UInt64(epoch) * dataPhase + (UInt64(round) + 1) * roundLength
    }

    /// Whether a data phase begins at this time.
    func isPhaseStart(_ time: UInt64) -> Bool { time >= matchingPhase && (time - matchingPhase) % dataPhase == 0 }

    /// The end of the data phase at this time: the first beginning of one after it.
    func phaseEnd(after time: UInt64) -> UInt64 {
        guard time >= matchingPhase else { return matchingPhase }
        return matchingPhase + ((time - matchingPhase) / dataPhase + 1) * dataPhase
    }
}
