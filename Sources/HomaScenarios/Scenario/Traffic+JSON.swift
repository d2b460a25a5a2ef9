// SPDX-License-Identifier: Apache-2.0

import HomaSim
import HomaWorkloads

extension TrafficConfiguration {
    private enum PatternName: String, CaseIterable {
        case incast, permutation, outcast
        case allToAll = "all-to-all"
    }
    private enum ArrivalsName: String, CaseIterable { case poisson, periodic, closed }

    /// - Parameter topology: says how many hosts there are.
    init(_ json: JSONValue, _ topology: TopologyConfiguration, _ problems: ProblemList) {
        let reader = ObjectReader(json, path: "traffic", keys: ScenarioKeys.traffic, problems: problems)
        let workload = reader.value("workload") ?? .string("w4")
        self.init(sizes: SizeDistribution(workload, problems) ?? .w4)
        sizesTruncatedTo = reader.integerOrNull("truncated_to_bytes", 1...(1 << 31), default: nil)
        allowsOverload = reader.flag("allow_overload", default: false)
        readLoad(reader)
        activeHosts = reader.integerOrNull("active_hosts", 2...max(2, topology.hostCount), default: nil)
        readPattern(reader, hosts: activeHosts ?? topology.hostCount)
        let outstanding = reader.integer("outstanding", 1...4096, default: 1)
        switch reader.choice("arrivals", ArrivalsName.allCases.map { ($0.rawValue, $0) }, default: .poisson) {
        case .poisson: arrivals = .poisson
        case .periodic: arrivals = .periodic
        case .closed: arrivals = .closed(outstanding: outstanding)
        }
        if reader.has("outstanding"), arrivals != .closed(outstanding: outstanding) {
            reader.wrong("outstanding", "left out unless arrivals is closed")
        }
        let response = reader.integerOrNull("response_bytes", 1...(1 << 31), default: nil)
        let isRPC = reader.choice("mode", [("one-way", false), ("rpc", true)], default: false)
        mode = isRPC ? .rpc(responseBytes: response) : .oneWay
        if reader.has("response_bytes"), !isRPC { reader.wrong("response_bytes", "left out unless mode is rpc") }
    }

    private mutating func readLoad(_ reader: ObjectReader) {
        guard let value = reader.value("load") else { return }
        if let number = value.number, number > 0, number <= (allowsOverload ? 100 : 1) {
            load = number
        } else {
            reader.wrong(
                "load",
                allowsOverload
                    ? "a number above 0 and at most 100"
                    : "a number above 0 and at most 1; with allow_overload at most 100")
        }
    }

    private mutating func readPattern(_ reader: ObjectReader, hosts: Int) {
        let names = PatternName.allCases.map { ($0.rawValue, $0) }
        let name = reader.choice("pattern", names, default: .allToAll)
        let senders = reader.integer("senders", 1...max(1, hosts - 1), default: max(1, hosts - 1))
        let receivers = reader.integer("receivers", 1...max(1, hosts - 1), default: max(1, hosts - 1))
        switch name {
        case .allToAll: pattern = .allToAll
        case .permutation: pattern = .permutation
        case .incast: pattern = .incast(senders: senders)
        case .outcast: pattern = .outcast(receivers: receivers)
        }
        if reader.has("senders"), name != .incast { reader.wrong("senders", "left out unless pattern is incast") }
        if reader.has("receivers"), name != .outcast { reader.wrong("receivers", "left out unless pattern is outcast") }
    }

    var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("workload", sizes.json), .init("truncated_to_bytes", JSONValue(sizesTruncatedTo)),
            .init("load", .double(load)), .init("allow_overload", .bool(allowsOverload)),
        ]
        switch pattern {
        case .allToAll: members.append(.init("pattern", .string("all-to-all")))
        case .permutation: members.append(.init("pattern", .string("permutation")))
        case .incast(let senders):
            members += [.init("pattern", .string("incast")), .init("senders", .integer(senders))]
        case .outcast(let receivers):
            members += [.init("pattern", .string("outcast")), .init("receivers", .integer(receivers))]
        }
        switch arrivals {
        case .poisson: members.append(.init("arrivals", .string("poisson")))
        case .periodic: members.append(.init("arrivals", .string("periodic")))
        case .closed(let outstanding):
            members += [.init("arrivals", .string("closed")), .init("outstanding", .integer(outstanding))]
        }
        switch mode {
        case .oneWay: members.append(.init("mode", .string("one-way")))
        case .rpc(let response):
            members += [.init("mode", .string("rpc")), .init("response_bytes", JSONValue(response))]
        }
        members.append(.init("active_hosts", JSONValue(activeHosts)))
        return .object(members)
    }
}

extension SizeDistribution {
    private static let permitted =
        "one of " + Workload.all.map(\.name).joined(separator: ", ")
        + ", a size in bytes such as 100, \"64K\" or \"1M\", or "
        + "{\"name\": …, \"rows\": [[bytes, fraction], …]} with ascending rows from fraction 0 to 1"

    /// From a workload's name, a size in bytes, or a table of one's own. Nil, and noted, when it is none of them.
    fileprivate init?(_ json: JSONValue, _ problems: ProblemList) {
        let name =
            switch json {
            case .string(let text): text
            case .number(let digits): digits
            default: ""
            }
        if let workload = try? Workload.named(name) {
            self = workload.sizes
        } else if json.members != nil {
            let reader = ObjectReader(json, path: "traffic.workload", keys: ScenarioKeys.workload, problems: problems)
            let rows = json["rows"]?.elements?.map(Self.row) ?? []
            guard Self.isTable(rows) else {
                reader.wrong("rows", "an array of [bytes, fraction], ascending, the fractions from 0 to 1")
                return nil
            }
            let title = reader.text("name", default: "own")
            // Results and presets go by the name, which must not claim what the table does not hold.
            guard (try? Workload.named(title)) == nil, !title.isEmpty else {
                reader.wrong("name", "another name than a published workload's or a size")
                return nil
            }
            self.init(name: title, rows: rows.compactMap { $0 })
        } else {
            problems.add("traffic.workload", json, Self.permitted)
            return nil
        }
    }

    private static func row(_ json: JSONValue) -> Row? {
        guard let pair = json.elements, pair.count == 2, let bytes = pair[0].integer, let part = pair[1].number else {
            return nil
        }
        return Row(bytes: bytes, cumulative: part)
    }

    private static func isTable(_ rows: [Row?]) -> Bool {
        let table = rows.compactMap { $0 }
        guard table.count == rows.count, table.count >= 2, table[0].bytes >= 1, table[0].cumulative == 0,
            table[table.count - 1].cumulative == 1, table[table.count - 1].bytes <= 1 << 31
        else { return false }
        return zip(table, table.dropFirst()).allSatisfy { $0.bytes <= $1.bytes && $0.cumulative <= $1.cumulative }
    }

    fileprivate var json: JSONValue {
        if let known = try? Workload.named(name), known.sizes == self { return .string(name) }
        return .object([
            .init("name", .string(name)),
            .init("rows", .array(rows.map { .array([.integer($0.bytes), .double($0.cumulative)]) })),
        ])
    }
}
