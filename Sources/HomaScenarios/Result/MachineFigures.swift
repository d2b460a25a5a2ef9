// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What a run cost on the machine it ran on: the only figures of a result that differ from run to run.
public struct MachineFigures: Equatable, Sendable {
    /// Processor time of the thread that simulated.
    public var cpuSeconds: Double
    public var wallSeconds: Double
    /// The most memory that the process had resident so far.
    public var maximumResidentBytes: Int
    public var packetHopsPerCPUSecond: Double
    /// `release` or `debug`. Figures of a debug build mean nothing.
    public var build: String
    /// Processor, cores, kernel and the like, as the caller knows them.
    public var machine: [JSONValue.Member]

    public init(cost: RunCost, packetHops: UInt64, build: String, machine: [JSONValue.Member]) {
        cpuSeconds = cost.cpuSeconds
        wallSeconds = cost.wallSeconds
        maximumResidentBytes = Self.residentBytes
        packetHopsPerCPUSecond = cost.cpuSeconds > 0 ? Double(packetHops) / cost.cpuSeconds : 0
        self.build = build
        self.machine = machine
    }

    /// The result with these figures: the most asked for at the top, all of them in `machine`.
    public func adding(to result: JSONValue) -> JSONValue {
        let figures: [JSONValue.Member] = [
            .init("packet_hops_per_cpu_second", .double(packetHopsPerCPUSecond.rounded())),
            .init("max_rss_bytes", .integer(maximumResidentBytes)), .init("cpu_seconds", .double(cpuSeconds)),
            .init("wall_seconds", .double(wallSeconds)), .init("build", .string(build)),
        ]
        return .object((result.members ?? []) + figures + [.init("machine", .object(machine + figures))])
    }

    private static var residentBytes: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}

/// Time that a run took.
public struct RunCost: Equatable, Sendable {
    public var cpuSeconds = 0.0
    public var wallSeconds = 0.0

    public init() {}
}

/// Measures what this thread spends.
public struct CostMeter {
    private let cpu = CostMeter.seconds(CLOCK_THREAD_CPUTIME_ID)
    private let wall = CostMeter.seconds(CLOCK_MONOTONIC)

    public init() {}

    /// Since it was made, on the same thread.
    public var cost: RunCost {
        var cost = RunCost()
        cost.cpuSeconds = Self.seconds(CLOCK_THREAD_CPUTIME_ID) - cpu
        cost.wallSeconds = Self.seconds(CLOCK_MONOTONIC) - wall
        return cost
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
