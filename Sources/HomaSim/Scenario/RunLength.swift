// SPDX-License-Identifier: Apache-2.0

/// How long a run is.
///
/// Messages that begin during the warm-up load the network and are not measured; those that begin after the last
/// measured one keep the load up until all measured messages are complete, or the drain is over.
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
    /// Half a second lets all but a few of W5's longest messages end at 80 % load and 10 Gb/s.
    public var drain: Duration

    public init(
        messages: Int? = nil, duration: Duration? = nil, warmUp: Duration? = nil, drain: Duration = .milliseconds(500)
    ) {
        self.messages = messages
        self.duration = duration
        self.warmUp = warmUp
        self.drain = drain
    }

    /// Enough messages for the 99th percentile of each tenth (at least 20 000), and about 4 GB of data otherwise,
    /// at most 1 000 000 messages.
    public static func defaultMessages(meanBytes: Double) -> Int {
        min(1_000_000, max(20_000, Int(4e9 / meanBytes)))
    }
}
