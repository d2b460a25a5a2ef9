// SPDX-License-Identifier: Apache-2.0

/// How many bytes a connection may have under way, and what makes that more or less.
///
/// What all algorithms share is here: slow start, the reaction to timeouts and idleness, and the least window of one
/// segment (two after a reduction). Windows are in bytes, as fractions of segments add up.
struct CongestionWindow: BitwiseCopyable {
    private(set) var bytes: Double
    /// Slow start ends here.
    private(set) var threshold = Double.infinity
    private(set) var cubic = CubicWindow()
    private(set) var marks = MarkedFraction()

    init(initial: Double) { bytes = initial }

    var isSlowStart: Bool { bytes < threshold }

    /// So many bytes have been acknowledged while the window was all that held the sender back.
    @inline(__always)
    mutating func grow(acknowledged: Int, roundTrip: UInt64, at now: UInt64, _ tuning: borrowing TCPTuning) {
        var left = Double(acknowledged)
        if bytes < threshold {
            // By every byte acknowledged, as Linux does, not by a segment for each acknowledgement.
            let used = min(left, threshold - bytes)
            bytes += used
            left -= used
            guard left > 0 else { return }
        }
        let segment = Double(tuning.segment)
        switch tuning.control {
        case .newReno, .dctcp: bytes += segment * left / bytes
        case .cubic:
            bytes =
                segment
                * cubic.grown(from: bytes / segment, by: left / segment, roundTrip: roundTrip, at: now)
        }
    }

    /// The round of slow start that an acknowledgement is part of; CUBIC may have seen enough of it.
    @inline(__always)
    mutating func watchSlowStart(
        _ acknowledged: UInt64, next: UInt64, roundTrip: UInt64, at now: UInt64, _ tuning: borrowing TCPTuning
    ) {
        guard tuning.control == .cubic, tuning.hyStart, bytes < threshold else { return }
        let segment = Double(tuning.segment)
        let isOver = cubic.hyStart.leaves(
            window: bytes / segment, segment: segment, roundTrip: roundTrip, acknowledged: acknowledged, next: next,
            at: now)
        if isOver { threshold = bytes }
    }

    @inline(__always)
    mutating func noteRoundTrip(_ sample: UInt64, _ tuning: borrowing TCPTuning) {
        guard tuning.control == .cubic, tuning.hyStart else { return }
        let isLong = cubic.hyStart.leaves(roundTrip: sample)
        if isLong, bytes < threshold, bytes >= HyStart.leastWindow * Double(tuning.segment) { threshold = bytes }
    }

    /// A segment was lost; `outstanding` bytes have been sent and not acknowledged.
    mutating func reduceForLoss(outstanding: Int, _ tuning: borrowing TCPTuning) {
        lowerThreshold(outstanding, tuning)
        bytes = threshold
    }

    /// The retransmission timer has expired; `isFirst`: since something was last acknowledged.
    mutating func reduceForTimeout(outstanding: Int, isFirst: Bool, _ tuning: borrowing TCPTuning) {
        if isFirst { lowerThreshold(outstanding, tuning) }
        cubic.forgetMaximum()
        bytes = Double(tuning.segment)
    }

    private mutating func lowerThreshold(_ outstanding: Int, _ tuning: borrowing TCPTuning) {
        let segment = Double(tuning.segment)
        // What limited transmit has added does not count, nor does a window that was not used.
        let used = min(bytes, Double(outstanding))
        switch tuning.control {
        case .newReno, .dctcp: threshold = max(used / 2, 2 * segment)
        case .cubic:
            cubic.noteLoss(window: used / segment)
            threshold = max(used * CubicWindow.beta, 2 * segment)
        }
    }

    /// DCTCP: bytes have been acknowledged, with or without an echo of marks.
    @inline(__always)
    mutating func noteMarks(
        _ isMarked: Bool, acknowledged: Int, before acknowledgement: UInt64, next: UInt64, canReduce: Bool,
        _ tuning: borrowing TCPTuning
    ) -> Bool {
        marks.add(isMarked, bytes: acknowledged, before: acknowledgement, next: next, gain: tuning.gain)
        guard isMarked, canReduce, marks.mayReduce(acknowledgement, next: next) else { return false }
        bytes = max(bytes * (1 - marks.fraction / 2), 2 * Double(tuning.segment))
        threshold = bytes
        return true
    }

    /// Nothing was sent for so many timeouts: what was known of the path is old.
    mutating func decay(timeouts: UInt64, _ tuning: borrowing TCPTuning) {
        guard bytes > tuning.initialWindow else { return }
        threshold = max(threshold, 0.75 * bytes)
        for _ in 0..<min(timeouts, 64) { bytes /= 2 }
        bytes = max(bytes, tuning.initialWindow)
    }

    /// CUBIC's time stands still while there is nothing to send.
    mutating func skip(_ idle: UInt64, at now: UInt64, _ tuning: borrowing TCPTuning) {
        if tuning.control == .cubic { cubic.skip(idle, at: now) }
    }
}
