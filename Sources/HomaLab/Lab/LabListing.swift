// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBase
import HomaBench

/// A lab as it is shown.
package enum LabListing {
    private struct Host: Encodable {
        var host: Int
        var namespace: String
        var ipv4: String
        var ipv6: String
    }

    private struct Lab: Encodable {
        var lab: String
        var rate_bps: UInt64
        var mtu_bytes: Int
        var loss_fraction: Double
        var queue_bytes: Int?
        var queue_packets: Int?
        var offloads: Bool
        var is_complete: Bool
        var switch_namespace: String
        var hosts: [Host]
    }

    package static func jsonLine(_ state: LabState) throws -> String {
        let description = state.description
        var lab = Lab(
            lab: description.name, rate_bps: description.bitsPerSecond, mtu_bytes: description.mtu,
            loss_fraction: Double(description.lossTenThousandths) / 10_000, offloads: description.offloads,
            is_complete: state.isComplete, switch_namespace: state.names.switchNamespace,
            hosts: (1...description.hosts).map {
                Host(
                    host: $0, namespace: state.names.host($0), ipv4: LabNames.ipv4($0), ipv6: LabNames.ipv6($0))
            })
        switch description.queue {
        case .bytes(let count): lab.queue_bytes = count
        case .packets(let count): lab.queue_packets = count
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(lab), as: UTF8.self)
    }

    package static func text(_ state: LabState) -> String {
        let names = state.names
        var lines = [summary(state)]
        for number in 1...state.description.hosts {
            lines.append("  \(names.host(number))  \(LabNames.ipv4(number))  \(LabNames.ipv6(number))")
        }
        let name = state.description.name == LabDescription().name ? "" : " --name \(state.description.name)"
        lines += [
            "The switch is \(names.switchNamespace). Run a command in a host:",
            "  ip netns exec \(names.host(1)) COMMAND",
            "Measure with 'homa lab run\(name)', remove with 'homa lab down\(name)'.",
        ]
        return lines.joined(separator: "\n")
    }

    package static func summary(_ state: LabState) -> String {
        let description = state.description
        let loss = fixed(Double(description.lossTenThousandths) / 100, 2)
        return "lab '\(description.name)': \(description.hosts) hosts, links of \(description.rate), "
            + "8 queues of \(description.queue) at each switch port, MTU \(description.mtu), loss \(loss) %, "
            + "offloads \(description.offloads ? "on" : "off")" + (state.isComplete ? "" : ", INCOMPLETE")
    }
}
