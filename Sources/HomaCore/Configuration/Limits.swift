// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// How much may be on its way to a host, and in what steps it is granted, for peers at some distance.
struct WindowLimits: Equatable, BitwiseCopyable {
    /// Granted or unscheduled and not yet received, over all messages.
    var incoming: Int
    /// Steps in which limits are raised.
    var increment: UInt32
    /// For the oldest message at a time.
    var oldest: UInt32
}

/// What is allowed to be under way to each peer: of our calls and one-way messages.
struct AdmissionLimits: BitwiseCopyable {
    /// Calls that are not over.
    var unfinished: UInt32
    /// Of those, such as have not been left to the peer's application.
    var calls: UInt32
    /// Length of those together, in bytes, from which on no more begins.
    var bytes: UInt32
    /// Bytes that leave of each without a grant, at most, and of all together: what the peer's socket holds.
    /// Nothing else keeps those from overflowing it.
    var unscheduled: UInt32
    var unscheduledTogether: UInt32
    /// What the oldest of the queue earns for each byte admitted from it.
    var oldestEarning: Double

    /// What each of `shards` endpoints may have of it. The calls that are not over are the peer's business, who
    /// counts them by shard as well.
    func part(of shards: Int) -> AdmissionLimits {
        var part = self
        part.calls = max(1, calls / UInt32(shards))
        part.bytes = max(1, bytes / UInt32(shards))
        part.unscheduledTogether = max(1, unscheduledTogether / UInt32(shards))
        return part
    }
}
