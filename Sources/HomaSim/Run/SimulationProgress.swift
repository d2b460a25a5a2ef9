// SPDX-License-Identifier: Apache-2.0

/// How far a run has come. It knows no clock: whoever runs the simulation adds what it costs.
public struct SimulationProgress: Equatable, Sendable {
    /// 0 … 1, by messages or simulated time, whichever ends the run.
    public var fraction: Double
    public var simulatedTime: Duration
    public var events: UInt64
    public var packetHops: UInt64
    /// Measured messages begun and complete.
    public var messagesStarted: Int
    public var messagesCompleted: Int
    /// Packets in queues and on links.
    public var packetsUnderWay: Int
}
