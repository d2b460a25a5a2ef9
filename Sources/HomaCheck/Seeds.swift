// SPDX-License-Identifier: Apache-2.0

package import HomaBase
import HomaPosix

/// What came of one seed, for whoever runs many or makes one smaller.
package protocol SeedOutcome: Sendable {
    /// What the run was cut down to.
    var limits: SwarmLimits { get set }
    /// The name of the rule that it broke; nil: none.
    var brokenRule: String? { get }
}

/// How much there is to cut down in a run.
package struct RunSize {
    var faults: FaultSet
    var incidents: Int
    var hosts: Int
    var calls: Int
    /// Nanoseconds until the network heals.
    var length: UInt64

    package init(faults: FaultSet, incidents: Int, hosts: Int, calls: Int, length: UInt64) {
        self.faults = faults
        self.incidents = incidents
        self.hosts = hosts
        self.calls = calls
        self.length = length
    }
}

/// Runs that a seed and limits decide, whatever they are runs of.
package enum Seeds {
    /// One of many streams of a seed: what is drawn from one changes nothing in the others.
    package static func stream(_ seed: UInt64, _ number: UInt64) -> SeededRandom {
        var random = SeededRandom(seed: seed &* 0xD129_0D3B_3F4B_1C6D &+ number &* 0x9E37_79B9_7F4A_7C15)
        return SeededRandom(seed: random.next())
    }

    /// Cuts a run down as long as it breaks the same rule: fewer kinds of faults, incidents, hosts, calls, less time.
    /// - Parameters:
    ///   - most: runs that may be spent on it.
    ///   - time: after which no further one begins; runs that do not end are long.
    ///   - size: of a run with these limits.
    package static func shrink<Outcome: SeedOutcome>(
        _ outcome: Outcome, most: Int = 80, time: Duration = .seconds(10), size: (SwarmLimits) -> RunSize,
        run: (SwarmLimits) -> Outcome
    ) -> Outcome {
        guard let rule = outcome.brokenRule else { return outcome }
        var best = outcome
        var left = most
        let end = ContinuousClock.now + time
        func attempt(_ change: (inout SwarmLimits) -> Void) -> Bool {
            guard left > 0, ContinuousClock.now < end else { return false }
            left -= 1
            var limits = best.limits
            change(&limits)
            guard limits != best.limits else { return false }
            let result = run(limits)
            guard result.brokenRule == rule else { return false }
            best = result
            return true
        }
        /// By halves.
        func reduce(_ count: Int, downTo least: Int, _ change: (inout SwarmLimits, Int) -> Void) {
            var count = count
            var step = (count + 1) / 2
            while step > 0 {
                if count - step >= least, attempt({ change(&$0, count - step) }) {
                    count -= step
                } else {
                    step /= 2
                }
            }
        }
        let whole = size(outcome.limits)
        // Named in any case, for whoever reads the command.
        best.limits.faults = whole.faults
        for kind in whole.faults.kinds {
            var fewer = best.limits.faults ?? whole.faults
            fewer.remove(kind)
            _ = attempt { $0.faults = fewer }
        }
        reduce(size(best.limits).incidents, downTo: 0) { $0.incidents = $1 }
        for hosts in 2..<max(3, whole.hosts) where attempt({ $0.hosts = hosts }) { break }
        reduce(size(best.limits).calls, downTo: 1) { $0.calls = $1 }
        var length = size(best.limits).length
        while length > 2_000_000, attempt({ $0.length = length / 2_000 * 1_000 }) { length = length / 2_000 * 1_000 }
        return best
    }

    /// Runs seeds on so many threads, each by itself, and hands over the outcomes as they come.
    /// - Parameters:
    ///   - until: no seed begins after it.
    ///   - handle: false ends the sweep, when the seeds that have begun are over.
    package static func sweep<Outcome: SeedOutcome>(
        _ seeds: ClosedRange<UInt64>, jobs: Int, until: ContinuousClock.Instant?,
        run: @escaping @Sendable (UInt64) -> Outcome, handle: (Outcome) async throws -> Bool
    ) async rethrows {
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            var next: UInt64? = seeds.lowerBound
            func launch() {
                guard let seed = next, until.map({ ContinuousClock.now < $0 }) ?? true else { return }
                next = seed < seeds.upperBound ? seed + 1 : nil
                group.addTask { CrashNote.whileRunning("\(seed)") { run(seed) } }
            }
            for _ in 0..<max(1, jobs) { launch() }
            while let outcome = try! await group.next() {
                if try await handle(outcome) { launch() } else { next = nil }
            }
        }
    }
}
