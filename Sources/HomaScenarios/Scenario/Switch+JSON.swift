// SPDX-License-Identifier: Apache-2.0

import HomaSim

extension SwitchConfiguration {
    private enum PolicyName: String, CaseIterable {
        case unlimited, shared, dynamic, groups
        case perPort = "per-port"
    }

    /// Takes what the object says; the rest stays as it is.
    mutating func read(_ json: JSONValue, path: String, _ problems: ProblemList) {
        let reader = ObjectReader(json, path: path, keys: ScenarioKeys.switches, problems: problems)
        let wasLimited = isLimited
        readChip(reader)
        bufferBytes = reader.integerOrNull("buffer_bytes", 1...(1 << 40), default: bufferBytes)
        cellBytes = reader.integer("cell_bytes", 1...4096, default: cellBytes)
        reservedBytesPerQueue = reader.integer(
            "reserved_bytes_per_queue", 0...(1 << 30), default: reservedBytesPerQueue)
        ecnThresholdBytes = reader.integerOrNull("ecn_threshold_bytes", 0...(1 << 40), default: ecnThresholdBytes)
        selectiveDropThresholdBytes = reader.integerOrNull(
            "selective_drop_threshold_bytes", 0...(1 << 40), default: selectiveDropThresholdBytes)
        readPolicy(reader)
        // Memory alone is a pool for all; who says nothing of policies means that.
        if !reader.has("buffer"), !wasLimited, buffer == .unlimited, bufferBytes != nil { buffer = .shared }
    }

    private mutating func readChip(_ reader: ObjectReader) {
        guard let value = reader.value("chip") else { return }
        guard let chip = value.text.flatMap(SwitchChip.named) else {
            let names = SwitchChip.all.map(\.name)
            let near = value.text.flatMap { Suggestion.nearest(to: $0, in: names) }.map { "; did you mean \($0)?" }
            reader.wrong("chip", "one of " + names.joined(separator: ", ") + (near ?? ""))
            return
        }
        bufferBytes = chip.bufferBytes
    }

    private mutating func readPolicy(_ reader: ObjectReader) {
        let choices = PolicyName.allCases.map { ($0.rawValue, Optional($0)) }
        let chosen = reader.choice("buffer", choices, default: nil)
        let name = chosen ?? policyName
        if reader.has("alpha"), name != .dynamic { reader.wrong("alpha", "left out unless buffer is dynamic") }
        if reader.has("ports_per_group"), name != .groups {
            reader.wrong("ports_per_group", "left out unless buffer is groups")
        }
        switch name {
        case .unlimited: buffer = .unlimited
        case .shared: buffer = .shared
        case .perPort: buffer = .perPort
        case .dynamic:
            let old = if case .dynamicThreshold(let alpha) = buffer { alpha } else { 1.0 }
            buffer = .dynamicThreshold(alpha: reader.number("alpha", (1.0 / 128)...64, default: old))
        case .groups:
            let old: Int? = if case .groups(let ports) = buffer { ports } else { nil }
            if old == nil, !reader.has("ports_per_group") {
                reader.wrong("ports_per_group", "given with buffer groups")
            }
            buffer = .groups(ports: reader.integer("ports_per_group", 1...5120, default: old ?? 1))
        }
        if chosen != nil, chosen != .unlimited, bufferBytes == nil {
            reader.wrong("buffer_bytes", "given, or a chip, with buffer \(name.rawValue); or buffer unlimited")
        }
    }

    private var policyName: PolicyName {
        switch buffer {
        case .unlimited: .unlimited
        case .shared: .shared
        case .dynamicThreshold: .dynamic
        case .perPort: .perPort
        case .groups: .groups
        }
    }

    var json: JSONValue {
        var members: [JSONValue.Member] = [.init("buffer", .string(policyName.rawValue))]
        switch buffer {
        case .dynamicThreshold(let alpha): members.append(.init("alpha", .double(alpha)))
        case .groups(let ports): members.append(.init("ports_per_group", .integer(ports)))
        case .unlimited, .shared, .perPort: break
        }
        members += [
            .init("buffer_bytes", JSONValue(bufferBytes)), .init("cell_bytes", .integer(cellBytes)),
            .init("reserved_bytes_per_queue", .integer(reservedBytesPerQueue)),
            .init("ecn_threshold_bytes", JSONValue(ecnThresholdBytes)),
            .init("selective_drop_threshold_bytes", JSONValue(selectiveDropThresholdBytes)),
        ]
        return .object(members)
    }
}
