// SPDX-License-Identifier: Apache-2.0

import Foundation
public import HomaPosix

/// What a simulation in progress and those who watch it tell each other. Every simulation has its own.
public final class RunMonitor: @unchecked Sendable {
    private let stop: StopFlag
    private let lock = NSLock()
    private var current = Report()

    /// How far a simulation has come.
    public struct Report: Sendable {
        /// From 0 to 1.
        public var fraction = 0.0
        public var packetHops: UInt64 = 0
        public init() {}
    }

    public init(stop: StopFlag) { self.stop = stop }

    /// True when the simulation should return without a result as soon as it can.
    public var isStopped: Bool { stop.isRaised }

    /// Called by the simulation's thread a few times a second.
    public func report(fraction: Double, packetHops: UInt64) {
        lock.withLock {
            current.fraction = min(1, max(0, fraction))
            current.packetHops = packetHops
        }
    }

    public var latest: Report { lock.withLock { current } }
}

/// Runs one scenario and gives its result, an object as `homa sim run --json` prints it; nil when it was stopped.
public typealias ScenarioRunner = WorkerPool<JSONValue>.Runner
