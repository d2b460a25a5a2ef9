// SPDX-License-Identifier: Apache-2.0

/// What many outcomes come to, as a line of JSON and as text.
public struct SwarmTally: Sendable {
    public private(set) var seeds = 0
    public private(set) var broken = 0
    public private(set) var calls = 0
    public private(set) var packets = 0
    private var byRule: [Rule: Int] = [:]
    private var packetFactors: [Double] = []
    private var replyFactors: [Double] = []

    public init() {}

    public mutating func add(_ outcome: SwarmOutcome) {
        seeds += 1
        calls += outcome.calls
        packets += outcome.packets
        if let factor = outcome.packetFactor { packetFactors.append(factor) }
        if let factor = outcome.replyFactor { replyFactors.append(factor) }
        guard let violation = outcome.violation else { return }
        broken += 1
        byRule[violation.rule, default: 0] += 1
    }

    public func count(_ rule: Rule) -> Int { byRule[rule, default: 0] }

    /// One object: seeds, those that broke a rule, and how many broke each.
    public var json: String {
        var fields = ["\"seeds\":\(seeds)", "\"broken\":\(broken)"]
        for rule in Rule.allCases { fields.append("\"\(rule.rawValue)\":\(count(rule))") }
        fields.append("\"calls\":\(calls)")
        fields.append("\"packets\":\(packets)")
        fields += Self.distribution("packets_per_needed", packetFactors)
        fields += Self.distribution("bytes_to_strangers_per_byte", replyFactors)
        return "{" + fields.joined(separator: ",") + "}"
    }

    private static func distribution(_ name: String, _ values: [Double]) -> [String] {
        let sorted = values.sorted()
        guard let last = sorted.last else { return ["\"\(name)_runs\":0"] }
        let marks = [("p50", sorted[sorted.count / 2]), ("p90", sorted[sorted.count * 9 / 10]), ("max", last)]
        return ["\"\(name)_runs\":\(sorted.count)"] + marks.map { "\"\(name)_\($0.0)\":\(Report.decimal($0.1))" }
    }

    /// Several lines for a person.
    public var text: String {
        var lines = ["\(seeds) seeds, \(calls) calls and messages, \(packets) packets"]
        for rule in Rule.allCases where count(rule) > 0 {
            lines.append("  \(rule.rawValue): \(count(rule)) broken (\(rule.statement))")
        }
        lines.append(broken == 0 ? "no rule was broken" : "\(broken) seeds broke a rule")
        return lines.joined(separator: "\n")
    }
}

extension SwarmOutcome {
    /// One object for a seed that broke a rule.
    public var json: String {
        guard let violation else { return "{\"seed\":\(seed),\"broken\":false}" }
        let fields = [
            "\"seed\":\(seed)", "\"rule\":\"\(violation.rule.rawValue)\"", "\"at_us\":\(violation.nanoseconds / 1000)",
            "\"rpc\":\(violation.rpc)", "\"detail\":\(Report.quoted(violation.detail))",
            "\"replay\":\(Report.quoted(replay))",
        ]
        return "{" + fields.joined(separator: ",") + "}"
    }

    /// For a person.
    public var text: String {
        guard let violation else { return "seed \(seed): good" }
        return """
            seed \(seed) breaks \(violation.rule.rawValue) (\(violation.rule.statement)) at \
            \(violation.nanoseconds / 1000) µs, rpc \(violation.rpc): \(violation.detail)
              \(replay)
            """
    }
}

/// Values as JSON takes them.
public enum Report {
    /// With four decimals, the last ones rounded off, as JSON takes it.
    public static func decimal(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e12 else { return "0" }
        let scaled = Int((value.magnitude * 10_000).rounded())
        let fraction = String(scaled % 10_000 + 10_000).dropFirst()
        return (value < 0 ? "-" : "") + "\(scaled / 10_000).\(fraction)"
    }

    /// A string of JSON.
    public static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case _ where scalar.value < 0x20: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
