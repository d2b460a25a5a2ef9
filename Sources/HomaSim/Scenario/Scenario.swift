// SPDX-License-Identifier: Apache-2.0

/// One experiment, complete: everything a simulated run depends on. The same scenario gives the same result, to the
/// last bit, on every machine.
public struct Scenario: Equatable, Sendable {
    /// What the run is called in results; no influence on it.
    public var name: String
    public var topology: TopologyConfiguration
    public var transport: TransportConfiguration
    public var traffic: TrafficConfiguration
    public var measurement: MeasurementConfiguration
    public var length: RunLength
    /// All random streams (sizes, arrivals, destinations, paths; per host) derive from it.
    public var seed: UInt64

    public init(
        name: String = "unnamed", topology: TopologyConfiguration, transport: TransportConfiguration,
        traffic: TrafficConfiguration, measurement: MeasurementConfiguration = MeasurementConfiguration(),
        length: RunLength = RunLength(), seed: UInt64 = 1
    ) {
        self.name = name
        self.topology = topology
        self.transport = transport
        self.traffic = traffic
        self.measurement = measurement
        self.length = length
        self.seed = seed
    }
}
