// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// How much others got of the machine while something was measured.
struct Disturbance: Equatable, Sendable {
    /// Share of all processors' time that programs other than the demo took, 0 … 1.
    var others: Double
    /// Share that the hypervisor gave to other virtual machines.
    var stolen: Double
    /// How long a thread that was ready waited for a processor, on average; nil where the kernel does not tell.
    var waitMicroseconds: Double?

    /// Above this share of all processors the machine counts as busy: a tenth, or a twentieth for the hypervisor.
    static let limits = (others: 0.10, stolen: 0.05)

    var isBusy: Bool { others > Self.limits.others || stolen > Self.limits.stolen }

    /// What was worst in any of several parts.
    static func worst(of parts: [Disturbance]) -> Disturbance {
        Disturbance(
            others: parts.map(\.others).max() ?? 0, stolen: parts.map(\.stolen).max() ?? 0,
            waitMicroseconds: parts.compactMap(\.waitMicroseconds).max())
    }
}

/// Processor time that the kernel has counted, in ticks.
struct ProcessorTimes: Equatable, Sendable {
    /// Of all programs, in user mode and in the kernel; interrupts are left out, as they are nobody's.
    var programs: UInt64 = 0
    var stolen: UInt64 = 0
    /// Everything, idle time included.
    var all: UInt64 = 0
    /// Of the demo's processes.
    var own: UInt64 = 0

    /// - Parameters:
    ///   - system: the text of `/proc/stat`.
    ///   - processes: the texts of `/proc/PID/stat` of processes that are, or have waited for, all of the demo's.
    init(system: String, processes: [String]) {
        if let line = system.split(separator: "\n").first(where: { $0.hasPrefix("cpu ") }) {
            // user nice system idle iowait irq softirq steal; guests are in user already.
            let ticks = line.split(separator: " ").dropFirst().prefix(8).map { UInt64($0) ?? 0 }
            all = ticks.reduce(0, +)
            if ticks.count == 8 {
                programs = ticks[0] + ticks[1] + ticks[2]
                stolen = ticks[7]
            }
        }
        for text in processes {
            // The name may hold anything; user, system, and the same of children follow 11 fields after it.
            guard let end = text.lastIndex(of: ")") else { continue }
            let fields = text[text.index(after: end)...].split(separator: " ")
            guard fields.count > 14 else { continue }
            own += fields[11...14].reduce(0) { $0 + (UInt64($1) ?? 0) }
        }
    }

    /// - Parameter helpers: processes that go on running, beside this one.
    static func now(helpers: [Int32]) -> ProcessorTimes {
        ProcessorTimes(
            system: readFile("/proc/stat"),
            processes: (["self"] + helpers.map { "\($0)" }).map { readFile("/proc/\($0)/stat") })
    }
}

/// Measures a ``Disturbance`` from its start until it is asked.
final class DisturbanceMeter {
    private let before: ProcessorTimes
    private let helpers: [Int32]
    private let probe = RunQueueProbe()

    init(helpers: [Int32] = []) {
        self.helpers = helpers
        before = .now(helpers: helpers)
    }

    func finish() -> Disturbance {
        let wait = probe.finish()
        return Self.disturbance(from: before, to: .now(helpers: helpers), waitMicroseconds: wait)
    }

    static func disturbance(
        from before: ProcessorTimes, to after: ProcessorTimes, waitMicroseconds: Double?
    ) -> Disturbance {
        func difference(_ path: KeyPath<ProcessorTimes, UInt64>) -> Double {
            Double(after[keyPath: path]) - Double(before[keyPath: path])
        }
        let all = max(1, difference(\.all))
        return Disturbance(
            others: min(1, max(0, (difference(\.programs) - difference(\.own)) / all)),
            stolen: min(1, max(0, difference(\.stolen) / all)), waitMicroseconds: waitMicroseconds)
    }
}

/// A thread that does nothing but wake up, as one that waits for packets does, and finds out how long it then waits
/// for a processor.
final class RunQueueProbe: @unchecked Sendable {  // what both threads touch is behind the lock
    private let lock = NSLock()
    private let ended = DispatchSemaphore(value: 0)
    private var isOver = false
    private var wait: Double?

    init() { Thread { self.run() }.start() }

    private func run() {
        let before = Self.counts(readFile("/proc/thread-self/schedstat"))
        while !lock.withLock({ isOver }) { usleep(5000) }
        let after = Self.counts(readFile("/proc/thread-self/schedstat"))
        if let before, let after, after.turns > before.turns {
            wait = Double(after.waited &- before.waited) / Double(after.turns - before.turns) / 1000
        }
        ended.signal()
    }

    /// Ends the thread. Microseconds that it waited on average; nil where the kernel does not tell.
    func finish() -> Double? {
        lock.withLock { isOver = true }
        ended.wait()
        return wait
    }

    /// Nanoseconds waited for a processor and number of turns on one, from the text of `/proc/PID/schedstat`.
    static func counts(_ text: String) -> (waited: UInt64, turns: UInt64)? {
        let numbers = text.split { $0 == " " || $0 == "\n" }.compactMap { UInt64($0) }
        return numbers.count == 3 ? (numbers[1], numbers[2]) : nil
    }
}
