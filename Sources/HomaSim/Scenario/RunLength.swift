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
    /// Simulated time before measurement begins. Nil: a fifth of the expected measured time, and at least twice the
    /// time that the longest message needs on an idle network.
    public var warmUp: Duration?
    /// How long after the last measured message began the run may go on; what is incomplete then is counted as such.
    public var drain: Duration

    public init(
        messages: Int? = nil, duration: Duration? = nil, warmUp: Duration? = nil, drain: Duration = .milliseconds(100)
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

/// What is recorded beside the figures that every run gives.
public struct MeasurementConfiguration: Equatable, Sendable {
    /// Completion times are reported for so many size bins with equal shares of the messages, 1 … 100.
    public var sizeBins: Int
    /// Record the occupancy of every switch at this interval. Nil: no series.
    public var occupancySeriesInterval: Duration?
    /// Report every port, not just tiers.
    public var perPort: Bool

    public init(sizeBins: Int = 10, occupancySeriesInterval: Duration? = nil, perPort: Bool = false) {
        self.sizeBins = sizeBins
        self.occupancySeriesInterval = occupancySeriesInterval
        self.perPort = perPort
    }
}
