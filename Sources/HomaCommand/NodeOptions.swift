// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench
import HomaCore

extension Preset: ExpressibleByArgument {}
extension ProtocolChoice: ExpressibleByArgument {}

/// When messages come to where the application reads them.
enum ReceiveModeChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case bpages
    case copyAfterComplete = "copy-after-complete"
}

/// What carries a node's packets.
enum DriverChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case socket, packet
}

/// What Homa's packets are in.
enum CarriageChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case udp, ip146
}

/// Marks for the network, by priority.
struct Marks: Sendable {
    let values: [Int]
}

extension Reader where Value == Marks {
    /// The DSCP of each priority.
    static var marks: Reader {
        Reader("none, or eight whole numbers with commas, each 0 … 63") { text in
            if text == "none" { return Marks(values: Array(repeating: 0, count: 8)) }
            let words = text.split(separator: ",", omittingEmptySubsequences: false)
            let values = words.compactMap { Int($0) }
            guard words.count == 8, values.count == 8, values.allSatisfy({ (0...63).contains($0) }) else { return nil }
            return Marks(values: values)
        }
    }
}

/// Options of every command that opens a Homa node.
struct NodeOptions: ParsableArguments {
    @Option(help: "How long an idle engine looks for work before it sleeps, e.g. 50us, 0s or forever.", within: .spin)
    var spin = SpinTime(.microseconds(50))

    @Option(help: "What carries the packets: socket (UDP), or packet (rings of a packet socket; needs CAP_NET_RAW).")
    var driver: DriverChoice = .socket

    @Option(help: "What the packets are in: udp, or ip146 (IP protocol 146, as the kernel module; needs CAP_NET_RAW).")
    var carriage: CarriageChoice = .udp

    @Flag(
        name: .customLong("hijack"),
        help: "With --carriage ip146: take packets in TCP headers too, as kernel hosts send them with hijack_tcp.")
    var takesHijackedTCP = false

    @Option(
        help: "DSCP of the packets of priority 0 to 7: none, or eight numbers with commas; by default 0,8,…,56.",
        within: .marks)
    var dscp: Marks?

    @Option(help: "Receive region in bytes, a multiple of 64Ki, e.g. 64Mi.", within: .bytes(bpage...bpage << 24))
    var region: ByteCount?

    @Option(help: "Largest IP packet; by default asked of the system.", within: .count(576...65_535))
    var mtu: Int?

    @Option(help: "Threads of the node, each with a share of the RPCs.", within: .count(1...64))
    var shards = 1

    @Option(help: "Protocol settings: default, linux2026, small-buffers or sigcomm2018.")
    var preset: Preset = .default

    @Option(
        help: "Link rate for the pacer, e.g. 10Gbit; off by default.",
        within: .rate(.megabitsPerSecond(1) ... .gigabitsPerSecond(2000)))
    var link: LinkRate?

    @Flag(help: "Have the kernel put trains of long messages straight into the receive region.")
    var inPlace = false

    @Option(help: "bpages, or copy-after-complete: every message is copied once more when it is complete.")
    var receiveMode: ReceiveModeChoice = .bpages

    @Flag(
        name: .customLong("write-each"),
        help: "For --protocol tcp: a write for every request and response, instead of gathering those that are due.")
    var writesEach = false

    var isDefault: Bool {
        region == nil && shards == 1 && !inPlace && mtu == nil && preset == .default && receiveMode == .bpages
            && driver == .socket && carriage == .udp && !takesHijackedTCP && dscp == nil
    }

    /// Bytes of a bpage, of which a region has a whole number.
    private static let bpage = 65_536

    func validate() throws {
        if let region, region.bytes % Self.bpage != 0 {
            throw ValidationError("--region \(region): must be a multiple of \(Self.bpage)")
        }
        guard driver == .socket || carriage == .udp else {
            throw ValidationError("--driver packet is for --carriage udp")
        }
        guard !takesHijackedTCP || carriage == .ip146 else {
            throw ValidationError("--hijack is for --carriage ip146")
        }
    }
}
