// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaBase
import HomaPosix

/// A share of packets, in percent: `1%`, `0.25%`.
struct LossRate: CustomStringConvertible, Sendable {
    var tenThousandths: Int

    init(tenThousandths: Int) { self.tenThousandths = tenThousandths }

    var description: String { "\(fixed(Double(tenThousandths) / 100, 2))%" }

    init?(argument: String) {
        guard argument.hasSuffix("%"), let percent = Double(argument.dropLast()), (0...100).contains(percent) else {
            return nil
        }
        tenThousandths = Int((percent * 100).rounded())
        // What rounds to nothing was not meant as nothing.
        guard tenThousandths > 0 || percent == 0 else { return nil }
    }
}

extension Reader where Value == LossRate {
    /// A share of packets.
    static var loss: Reader { Reader("0%, or 0.01% … 100%") { LossRate(argument: $0) } }
}

/// Whether the kernel may hand trains of packets on in one piece.
enum OffloadChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case on, off
}

struct LabUpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Make a lab.",
        discussion: """
            Makes a network namespace for each host and one for the switch, and prints how to run commands in them. \
            Nothing outside these namespaces is changed, and they reach nothing outside.
            """)

    @OptionGroup var lab: LabNameOption

    @Option(help: "Hosts, 2 … 32.", within: .count(2...32))
    var hosts = 3

    @Option(
        help: "Rate of every link in each direction, 1Mbit … 10Gbit.",
        within: .rate(.megabitsPerSecond(1) ... .gigabitsPerSecond(10)))
    var rate = LinkRate(.megabitsPerSecond(200))

    @Option(help: "Packets lost at random in the switch, 0.01% … 100%.", within: .loss)
    var loss = LossRate(tenThousandths: 0)

    @Option(
        help: "Bytes that each of the eight queues of a switch port holds (default 250000).",
        within: .bytes(2...1_000_000_000))
    var queueBytes: ByteCount?

    @Option(help: "Packets that each of the eight queues of a switch port holds.", within: .count(2...1_000_000))
    var queuePackets: Int?

    @Option(help: "Longest IP packet in bytes, 1280 … 9000.", within: .count(1280...9000))
    var mtu = 1500

    @Option(help: "on: trains of packets cross the switch in one piece. For tests of rates, not of latencies.")
    var offloads: OffloadChoice = .off

    @Flag(help: "One JSON object per line.")
    var json = false

    mutating func validate() throws {
        guard queueBytes == nil || queuePackets == nil else {
            throw ValidationError("give one of --queue-bytes and --queue-packets")
        }
        _ = try usage { try labDescription.validated() }
    }

    var labDescription: LabDescription {
        var description = LabDescription(
            name: lab.name, hosts: hosts, bitsPerSecond: rate.rate.bitsPerSecond,
            lossTenThousandths: loss.tenThousandths, mtu: mtu, offloads: offloads == .on)
        if let queueBytes { description.queue = .bytes(queueBytes.bytes) }
        if let queuePackets { description.queue = .packets(queuePackets) }
        return description
    }

    func run() async throws {
        try await orCouldNotRun {
            try SystemTools.requireRoot(to: "make network namespaces")
            try SystemTools.requireAll()
            StopSignals.catchRequests(second: .isIgnored)
            let state = try LabBuilder(store: LabStore()).make(labDescription)
            try say(json ? LabListing.jsonLine(state) : LabListing.text(state))
        }
    }
}

/// A lab as it is shown.
enum LabListing {
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

    static func jsonLine(_ state: LabState) throws -> String {
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

    static func text(_ state: LabState) -> String {
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

    static func summary(_ state: LabState) -> String {
        let description = state.description
        let loss = fixed(Double(description.lossTenThousandths) / 100, 2)
        return "lab '\(description.name)': \(description.hosts) hosts, links of \(description.rate), "
            + "8 queues of \(description.queue) at each switch port, MTU \(description.mtu), loss \(loss) %, "
            + "offloads \(description.offloads ? "on" : "off")" + (state.isComplete ? "" : ", INCOMPLETE")
    }
}
