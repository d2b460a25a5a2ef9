// SPDX-License-Identifier: Apache-2.0

/// Frames to reckon the best possible time of a message with.
public enum IdealFrames: String, Equatable, Sendable, CaseIterable {
    /// `udp` for Homa's preset `sigcomm2018`, so that its figures mean what the published ones do; else `transport`.
    case automatic
    /// Those of the transport: a message that nothing hinders has a slowdown of exactly 1.
    case transport
    /// 1472 bytes of data in each, and no header of a transport: so the simulations of the SIGCOMM 2018 paper reckon.
    case udp
}

/// What is recorded beside the figures that every run gives.
public struct MeasurementConfiguration: Equatable, Sendable {
    /// Completion times are reported for so many size bins with equal shares of the messages, 1 … 100.
    public var sizeBins: Int
    /// Record the occupancy of every switch at this interval. Nil: no series.
    public var occupancySeriesInterval: Duration?
    /// Report every port, not just tiers.
    public var perPort: Bool
    /// The frames that the best possible time of a message, and so its slowdown, is reckoned with.
    public var ideal: IdealFrames

    public init(
        sizeBins: Int = 10, occupancySeriesInterval: Duration? = nil, perPort: Bool = false,
        ideal: IdealFrames = .automatic
    ) {
        self.ideal = ideal
        self.sizeBins = sizeBins
        self.occupancySeriesInterval = occupancySeriesInterval
        self.perPort = perPort
    }
}

extension Scenario {
    /// What ``MeasurementConfiguration/ideal`` comes to: `transport` or `udp`.
    var idealFrames: IdealFrames {
        guard measurement.ideal == .automatic else { return measurement.ideal }
        if case .homa(let settings) = transport, settings.preset == .sigcomm2018 { return .udp }
        return .transport
    }
}
