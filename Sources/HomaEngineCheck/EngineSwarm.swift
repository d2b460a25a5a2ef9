// SPDX-License-Identifier: Apache-2.0

internal import HomaCheck
import HomaPosix

/// What must hold of whole engines, whatever the network and the system do to them.
public enum EngineRule: String, CaseIterable, Sendable {
    case endsOnce = "ends_once"
    case intact
    case ranTwice = "ran_twice"
    case messageTwice = "message_twice"
    case messageLost = "message_lost"
    case endsInTime = "ends_in_time"
    case answersAfterHealing = "answers_after_healing"
    case comesToRest = "comes_to_rest"
    case nothingLeft = "nothing_left"
    case regionFree = "region_free"
    case stopsWhenTold = "stops_when_told"
    case released
    case noTrap = "no_trap"

    /// What holds, in one line.
    public var statement: String {
        switch self {
        case .endsOnce: "every call and one-way message ends exactly once"
        case .intact: "every message is handed over byte by byte as it was sent, and stays so while it is held"
        case .ranTwice: "a request is delivered at most once"
        case .messageTwice: "a one-way message is delivered at most once"
        case .messageLost: "a one-way message that is reported as sent was delivered"
        case .endsInTime: "after the network has healed everything ends within the limit"
        case .answersAfterHealing: "a call that begins after the network has healed is answered"
        case .comesToRest: "engines that have nothing to do sleep"
        case .nothingLeft: "at rest an engine holds no record, payload, call or packet"
        case .regionFree: "at rest every lease is home and no page is held but those that shards own"
        case .stopsWhenTold: "an engine that is told to stop does, within its time to drain"
        case .released: "an engine that has stopped, its calls and its messages are gone when nobody holds them"
        case .noTrap: "nothing stops the program"
        }
    }
}

/// What a run is cut down to; nil leaves what the seed draws.
public struct EngineLimits: Equatable, Sendable {
    /// Hosts, 2 … 6.
    public var hosts: Int?
    /// The first so many calls and messages.
    public var calls: Int?

    public init() {}

    var arguments: String {
        (hosts.map { " --hosts \($0)" } ?? "") + (calls.map { " --calls \($0)" } ?? "")
    }
}

/// What came of one seed.
public struct EngineOutcome: Sendable {
    public var seed: UInt64
    public var limits: EngineLimits
    public var broken: EngineRule?
    public var detail = ""
    /// On the virtual clock.
    public var nanoseconds: UInt64 = 0
    public var calls = 0
    public var answered = 0
    public var timedOut = 0
    public var packets = 0
    /// Packets that arrived joined to another, and messages that the system refused.
    public var joined = 0
    public var refused = 0
    /// Packets and acknowledgements that went from shard to shard, and times that an engine slept.
    public var passedOn = 0
    public var sleeps = 0
    public var bytesInPlace = 0

    public init(seed: UInt64, limits: EngineLimits = EngineLimits()) {
        self.seed = seed
        self.limits = limits
    }

    /// The one command that repeats it.
    public var replay: String { "homa check swarm --engine --seeds \(seed)\(limits.arguments)" }

    /// For a person.
    public var text: String {
        guard let broken else {
            return "seed \(seed): good; \(calls) calls, \(answered) answered, \(timedOut) timed out, "
                + "\(packets) packets, \(joined) joined, \(refused) refused, \(passedOn) passed on, "
                + "\(sleeps) sleeps, \(nanoseconds / 1000) µs"
        }
        return "seed \(seed) breaks \(broken.rawValue) (\(broken.statement)) at \(nanoseconds / 1000) µs: \(detail)\n"
            + "  \(replay)"
    }

    /// One object.
    public var json: String {
        guard let broken else { return "{\"seed\":\(seed),\"broken\":false}" }
        return "{\"seed\":\(seed),\"rule\":\"\(broken.rawValue)\",\"at_us\":\(nanoseconds / 1000),"
            + "\"detail\":\(Report.quoted(detail)),\"replay\":\(Report.quoted(replay))}"
    }
}

/// Whole engines, with shards, trains, inboxes and sleep, under many faults, one seed after the other.
public enum EngineSwarm {
    /// Runs one seed. The same arguments give the same outcome, on any machine and in any company.
    public static func run(seed: UInt64, limits: EngineLimits = EngineLimits()) -> EngineOutcome {
        var outcome = EngineOutcome(seed: seed, limits: limits)
        do {
            let run = try EngineRun(EnginePlan(seed: seed, limits: limits))
            run.run()
            run.report(&outcome)
            if outcome.broken == nil, let left = run.unreleased() {
                outcome.broken = .released
                outcome.detail = left
            }
        } catch {
            outcome.broken = .noTrap
            outcome.detail = "the run does not begin: \(error)"
        }
        return outcome
    }

    /// Runs seeds on so many threads, each by itself, and hands over the outcomes as they come.
    ///
    /// - Parameters:
    ///   - until: no seed begins after it.
    public static func sweep(
        _ seeds: ClosedRange<UInt64>, jobs: Int, limits: EngineLimits = EngineLimits(),
        until: ContinuousClock.Instant? = nil, handle: (EngineOutcome) throws -> Void
    ) async rethrows {
        try await withThrowingTaskGroup(of: EngineOutcome.self) { group in
            var next: UInt64? = seeds.lowerBound
            func launch() {
                guard let seed = next, until.map({ ContinuousClock.now < $0 }) ?? true else { return }
                next = seed < seeds.upperBound ? seed + 1 : nil
                group.addTask { CrashNote.whileRunning("\(seed)") { run(seed: seed, limits: limits) } }
            }
            for _ in 0..<max(1, jobs) { launch() }
            while let outcome = try! await group.next() {
                try handle(outcome)
                launch()
            }
        }
    }
}

/// What many outcomes come to.
public struct EngineTally: Sendable {
    public private(set) var seeds = 0
    public private(set) var broken = 0
    private var sum = EngineOutcome(seed: 0)
    private var byRule: [EngineRule: Int] = [:]

    public init() {}

    public mutating func add(_ outcome: EngineOutcome) {
        seeds += 1
        sum.calls += outcome.calls
        sum.answered += outcome.answered
        sum.timedOut += outcome.timedOut
        sum.packets += outcome.packets
        sum.joined += outcome.joined
        sum.refused += outcome.refused
        sum.passedOn += outcome.passedOn
        sum.sleeps += outcome.sleeps
        sum.bytesInPlace += outcome.bytesInPlace
        guard let rule = outcome.broken else { return }
        broken += 1
        byRule[rule, default: 0] += 1
    }

    public var text: String {
        var lines = [
            "\(seeds) seeds of whole engines, \(sum.calls) calls and messages (\(sum.answered) answered or delivered, "
                + "\(sum.timedOut) timed out), "
                + "\(sum.packets) packets (\(sum.joined) joined, \(sum.refused) times refused, \(sum.passedOn) passed "
                + "on, \(sum.bytesInPlace) bytes in place), \(sum.sleeps) sleeps"
        ]
        for rule in EngineRule.allCases {
            if let count = byRule[rule] { lines.append("  \(rule.rawValue): \(count) broken (\(rule.statement))") }
        }
        lines.append(broken == 0 ? "no rule was broken" : "\(broken) seeds broke a rule")
        return lines.joined(separator: "\n")
    }

    /// One object: seeds, those that broke a rule, and how many broke each.
    public var json: String {
        let figures = [
            ("seeds", seeds), ("broken", broken), ("calls", sum.calls), ("answered", sum.answered),
            ("timed_out", sum.timedOut),
            ("packets", sum.packets), ("joined", sum.joined), ("refused", sum.refused), ("passed_on", sum.passedOn),
            ("bytes_in_place", sum.bytesInPlace), ("sleeps", sum.sleeps),
        ]
        let rules = EngineRule.allCases.map { ($0.rawValue, byRule[$0] ?? 0) }
        return "{" + (figures + rules).map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }
}
