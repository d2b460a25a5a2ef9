// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Learns from the messages that arrive at which lengths the unscheduled levels should end.
///
/// Counts the unscheduled bytes of each message in a histogram with eight steps for each doubling of the length. When
/// enough messages and time have passed, the cutoffs that would split those bytes evenly are worked out; they take the
/// place of the present ones only if the busiest level would then carry much less, so that chance does not make them
/// flap. Then the histogram counts for half: what was seen long ago fades.
struct CutoffLearner: ~Copyable {
    /// The table in force.
    private(set) var current: CutoffsFields
    private let levels: ClosedRange<Int>
    private let sample: UInt64
    private let interval: UInt64
    private let shares: UnsafeMutablePointer<UnscheduledCutoffs.Share>
    /// Messages since the last look, and when the next may come.
    private var seen: UInt64 = 0
    private var nextLook: Instant
    private let isOn: Bool

    /// Lengths below 8 have a step each, then eight steps for each power of two up to 2³¹.
    private static var stepCount: Int { 8 * 29 }
    /// The busiest level must become lighter by this factor.
    private static var improvement: Double { 1.25 }

    init(_ tuning: Tuning, at now: Instant) {
        current = tuning.cutoffs
        sample = UInt64(tuning.cutoffSample)
        interval = tuning.cutoffInterval
        nextLook = now.advanced(byNanoseconds: tuning.cutoffInterval)
        let used = (0..<8).filter { tuning.cutoffs.cutoffs[$0] > 0 }
        let lowest = used.first ?? 0
        levels = lowest...(used.last ?? lowest)
        isOn = tuning.learnsCutoffs && levels.count > 1
        let count = isOn ? Self.stepCount : 0
        shares = .allocate(capacity: max(1, count))
        for step in 0..<count {
            (shares + step).initialize(to: UnscheduledCutoffs.Share(size: Self.size(ofStep: step), bytes: 0))
        }
    }

    deinit { shares.deallocate() }

    /// The step that a length (1 … 2³¹ − 1) belongs to.
    static func step(of length: UInt32) -> Int {
        guard length >= 8 else { return Int(length) }
        let exponent = 31 - length.leadingZeroBitCount
        return (exponent - 2) * 8 + Int(length >> UInt32(exponent - 3)) - 8
    }

    /// The greatest length of a step.
    static func size(ofStep step: Int) -> UInt32 {
        guard step >= 8 else { return UInt32(step) }
        let exponent = UInt32(step / 8 + 2)
        let next = UInt64(8 + step % 8 + 1) << UInt64(exponent - 3)
        return UInt32(min(next - 1, UInt64(Int32.max)))
    }

    /// A message begins to arrive, of which so many bytes come without a grant. True when there is a new table.
    mutating func observe(length: UInt32, unscheduled: UInt32, at now: Instant) -> Bool {
        guard isOn else { return false }
        (shares + Self.step(of: length)).pointee.bytes += Double(unscheduled)
        seen += 1
        guard seen >= sample, now >= nextLook else { return false }
        seen = 0
        nextLook = now.advanced(byNanoseconds: interval)
        defer { fade() }
        return look()
    }

    /// Gives the table another version, so that senders are told.
    mutating func renew() {
        // Version 0 says that a sender has none.
        current.version = current.version == .max ? 1 : current.version + 1
    }

    /// Uses a table that another shard of the host has learned.
    mutating func adopt(_ fields: CutoffsFields) { current = fields }

    private mutating func fade() {
        for step in 0..<Self.stepCount { (shares + step).pointee.bytes /= 2 }
    }

    /// Adopts better cutoffs, if there are any.
    private mutating func look() -> Bool {
        let lowest = current.cutoffs[levels.lowerBound]
        var candidate = UnscheduledCutoffs.balanced(
            UnsafeBufferPointer(start: shares, count: Self.stepCount), levels: levels)
        for level in levels { candidate[level] = min(candidate[level], lowest) }
        guard busiest(current.cutoffs) > busiest(candidate) * Self.improvement else { return false }
        current.cutoffs = candidate
        renew()
        return true
    }

    /// Bytes of the level that carries most under the cutoffs.
    private func busiest(_ cutoffs: InlineArray<8, UInt32>) -> Double {
        var bytes = InlineArray<8, Double>(repeating: 0)
        for step in 0..<Self.stepCount where shares[step].bytes > 0 {
            bytes[Int(cutoffs.level(length: shares[step].size))] += shares[step].bytes
        }
        var most = 0.0
        for level in 0..<8 { most = max(most, bytes[level]) }
        return most
    }
}
