// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Works out how many bytes of a message its sender may send without a grant, from how many messages do so at once.
///
/// Unscheduled bytes are the one thing that a receiver cannot hold back: of each message as many are on their way as
/// senders are used to send, and when many messages begin at once, they meet in the switch. So the receiver adds up
/// what the messages whose unscheduled bytes are still coming bring, and asks senders for the configured limit halved
/// as often as it takes to keep that sum within a bound. When fewer halvings would have done for ``patience``, one is
/// taken back, and one more for each further such time.
///
/// The sum is kept for every number of halvings, as if all senders had been told: so it depends on the messages, and
/// not on who has heard of the present limit already.
struct UnscheduledLimiter: BitwiseCopyable {
    /// For how long fewer halvings must have been enough. Ten times the least time between two tables for one peer, so
    /// that a limit lives long enough for those whom it is meant for.
    static var patience: UInt64 { 10_000_000 }

    let isOn: Bool
    /// Most bytes of all messages together.
    let bound: Int
    /// The limit after 0 … 7 halvings; never less than a packet.
    let limits: InlineArray<8, UInt32>
    /// The least number of halvings with the smallest limit.
    private let last: Int
    private var totals = InlineArray<8, Int>(repeating: 0)
    private(set) var halvings = 0
    /// When that many were last needed, or chosen.
    private var since: Instant

    /// - Parameter isOn: false for an endpoint that leaves it to another shard of its host, or to nobody.
    init(_ tuning: Tuning, isOn: Bool, of shards: Int, at now: Instant) {
        self.isOn = isOn
        // A message alone is never asked for less.
        bound = max(tuning.maximumIncoming / 2 / shards, Int(tuning.unscheduledBytes))
        let packet = min(tuning.defaultSegment, tuning.unscheduledBytes)
        var limits = InlineArray<8, UInt32>(repeating: tuning.unscheduledBytes)
        var last = 0
        for step in 1..<8 {
            limits[step] = max(tuning.unscheduledBytes >> UInt32(step), packet)
            if limits[step] < limits[last] { last = step }
        }
        self.limits = limits
        self.last = last
        since = now
    }

    /// What senders are asked for: so many bytes of each message; 0: as many as they like.
    var wish: UInt32 { halvings == 0 ? 0 : limits[halvings] }

    /// A message begins to arrive, and counts from now on. True when senders are to be asked for something else than
    /// before.
    mutating func begin(length: UInt32, at now: Instant) -> Bool {
        for step in 0..<8 { totals[step] += Int(min(length, limits[step])) }
        var needed = 0
        while needed < last, totals[needed] > bound { needed += 1 }
        if needed >= halvings {
            since = now
            guard needed > halvings else { return false }
            halvings = needed
            return true
        }
        let times = now.nanoseconds(since: since) / Self.patience
        guard times > 0 else { return false }
        halvings -= Int(min(UInt64(halvings - needed), times))
        since = now
        return true
    }

    /// The message counts no longer.
    mutating func end(length: UInt32) {
        for step in 0..<8 { totals[step] -= Int(min(length, limits[step])) }
    }

    /// What the messages counted bring, were all senders told of so many halvings.
    func total(halvings: Int) -> Int { totals[halvings] }
}
