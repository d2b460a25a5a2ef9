// SPDX-License-Identifier: Apache-2.0

/// How long a run is.
///
/// Messages that begin during the warm-up load the network and are not measured. After the last measured one the load
/// stops, unless it is wanted further, and the run ends when all measured messages are complete, or the drain is over.
public struct RunLength: Equatable, Sendable {
    /// Messages measured. Nil: by workload, see ``defaultMessages(meanBytes:)``.
    public var messages: Int?
    /// Simulated time measured; when given, `messages` is ignored.
    public var duration: Duration?
    /// Simulated time before measurement begins. Nil: a fifth of the expected measured time, and at least ten times
    /// what the longest message needs on an idle network (W4 85 ms, W5 246 ms at 10 Gb/s): under high load the messages
    /// that wait go on increasing for about that long.
    public var warmUp: Duration?
    /// How long after the last measured message began the run may go on; what is incomplete then is counted as such.
    public var drain: Duration
    /// New messages go on beginning during the drain. Without them, which is how the simulations of the SIGCOMM 2018
    /// paper ended, the last of the long messages end sooner than under load; with them the longest messages of a
    /// heavy-tailed workload may take seconds.
    public var loadsDrain: Bool

    public init(
        messages: Int? = nil, duration: Duration? = nil, warmUp: Duration? = nil, drain: Duration = .seconds(2),
        loadsDrain: Bool = false
    ) {
        self.messages = messages
        self.duration = duration
        self.warmUp = warmUp
        self.drain = drain
        self.loadsDrain = loadsDrain
    }

    /// About 36 GB of data, which takes a minute or two on one core; at least 20 000 messages, enough for the 99th
    /// percentile of each tenth, and at most 3 000 000.
    public static func defaultMessages(meanBytes: Double) -> Int {
        min(3_000_000, max(20_000, Int(36e9 / meanBytes)))
    }
}
