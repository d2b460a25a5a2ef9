// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaBase
import HomaBench
import HomaLab
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
