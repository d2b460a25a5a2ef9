// SPDX-License-Identifier: Apache-2.0

public import HomaCheck

/// What is counted in runs.
public enum EngineFigure: String, CaseIterable, Sendable {
    case calls, answered
    case timedOut = "timed_out"
    case packets
    /// Packets that arrived joined to another, and messages that the system refused.
    case joined, refused
    /// Packets and acknowledgements that went from shard to shard, and times that an engine slept.
    case passedOn = "passed_on"
    case sleeps
    case bytesInPlace = "bytes_in_place"
    /// Times that a host stood still, calls of its that were under way then, what waited in its sockets, and packets
    /// that a sleeping one missed.
    case rests, interrupted, waited, missed
    /// Hosts that started again, that moved, and whose clocks leapt.
    case restarts, moves, leaps
    /// Packets that a partition kept back, that were too long for their way, and that came where nobody was any more.
    case cut
    case tooLong = "too_long"
    case strayed

    var text: String { rawValue.split(separator: "_").joined(separator: " ") }
}

/// What came of one seed.
public struct EngineOutcome: Sendable {
    public var seed: UInt64
    public var limits: SwarmLimits
    public var broken: EngineRule?
    public var detail = ""
    /// On the virtual clock.
    public var nanoseconds: UInt64 = 0
    private var figures: [EngineFigure: Int] = [:]
    /// The last events of the RPC with which the rule was broken, one a line.
    public var rpcTrace: [String] = []
    /// The last events of all, one a line; empty unless asked for, as is ``rpcTrace``.
    public var trace: [String] = []

    public init(seed: UInt64, limits: SwarmLimits = SwarmLimits()) {
        self.seed = seed
        self.limits = limits
    }

    public subscript(_ figure: EngineFigure) -> Int {
        get { figures[figure, default: 0] }
        set { figures[figure] = newValue }
    }

    /// The one command that repeats it.
    public var replay: String { "homa check swarm --engine --seeds \(seed)\(limits.arguments) --trace" }

    /// For a person.
    public var text: String {
        guard let broken else {
            let counted = EngineFigure.allCases.filter { self[$0] > 0 }.map { "\(self[$0]) \($0.text)" }
            return "seed \(seed): good; \(counted.joined(separator: ", ")), \(nanoseconds / 1000) µs"
        }
        let lines =
            [
                "seed \(seed) breaks \(broken.rawValue) (\(broken.statement)) at \(nanoseconds / 1000) µs: \(detail)",
                "  \(replay)",
            ] + rpcTrace.map { "    \($0)" }
        return lines.joined(separator: "\n")
    }

    /// One object.
    public var json: String {
        guard let broken else { return "{\"seed\":\(seed),\"broken\":false}" }
        return "{\"seed\":\(seed),\"rule\":\"\(broken.rawValue)\",\"at_us\":\(nanoseconds / 1000),"
            + "\"detail\":\(Report.quoted(detail)),\"replay\":\(Report.quoted(replay)),"
            + "\"rpc_trace\":[\(rpcTrace.map(Report.quoted).joined(separator: ","))]}"
    }
}

extension EngineOutcome: SeedOutcome {
    package var brokenRule: String? { broken?.rawValue }
}

/// What many outcomes come to.
public struct EngineTally: Sendable {
    public private(set) var seeds = 0
    public private(set) var broken = 0
    private var sums: [EngineFigure: Int] = [:]
    private var byRule: [EngineRule: Int] = [:]

    public init() {}

    public mutating func add(_ outcome: EngineOutcome) {
        seeds += 1
        for figure in EngineFigure.allCases { sums[figure, default: 0] += outcome[figure] }
        guard let rule = outcome.broken else { return }
        broken += 1
        byRule[rule, default: 0] += 1
    }

    public subscript(_ figure: EngineFigure) -> Int { sums[figure, default: 0] }

    public var text: String {
        var lines = [
            "\(seeds) seeds of whole engines: "
                + EngineFigure.allCases.map { "\(self[$0]) \($0.text)" }.joined(separator: ", ")
        ]
        for rule in EngineRule.allCases {
            if let count = byRule[rule] { lines.append("  \(rule.rawValue): \(count) broken (\(rule.statement))") }
        }
        lines.append(broken == 0 ? "no rule was broken" : "\(broken) seeds broke a rule")
        return lines.joined(separator: "\n")
    }

    /// One object: seeds, those that broke a rule, what was counted, and how many broke each rule.
    public var json: String {
        let figures = EngineFigure.allCases.map { ($0.rawValue, self[$0]) }
        let rules = EngineRule.allCases.map { ($0.rawValue, byRule[$0] ?? 0) }
        return "{"
            + ([("seeds", seeds), ("broken", broken)] + figures + rules).map { "\"\($0.0)\":\($0.1)" }
            .joined(separator: ",") + "}"
    }
}
