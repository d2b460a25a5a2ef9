// SPDX-License-Identifier: Apache-2.0

/// The commands that make a lab, worked out from its description alone.
///
/// Each switch port has an HTB with one class for each of the eight priorities. A class owns next to no rate and
/// borrows all it sends from the port, and among borrowers HTB serves the most urgent first: strict priorities.
/// The host's end of the link has an HTB with one queue, first in, first out, as a network card has.
struct LabPlan {
    let description: LabDescription
    let names: LabNames

    init(_ description: LabDescription) {
        self.description = description
        names = LabNames(lab: description.name)
    }

    /// Frame check sequence, preamble and gap of Ethernet, which the kernel does not see; and its shortest frame
    /// with them. So a packet takes as long as on a real link of that rate.
    static let frameExtras = (overhead: 24, shortest: 84)
    /// Packets that a host's own queue holds: the kernel's default for network cards.
    static let hostQueuePackets = 1000
    /// What a class may send though the port has nothing left: as good as nothing.
    private static let ownRate = "8kbit"

    // MARK: Sizes

    private var frame: Int { description.mtu + 14 }

    /// How much may leave at once: what the kernel's timers are late, and no more, or the link would not be one. With
    /// offloads on two whole trains.
    var burstBytes: Int {
        let late = Int(description.bitsPerSecond / 8 / 10_000)
        return max(description.offloads ? 131_072 : 4 * (frame + Self.frameExtras.overhead), late)
    }

    // MARK: Commands

    /// Making one namespace and what is in it. The link's other end goes into the switch's namespace, which must exist.
    func makeHost(_ number: Int) -> [SystemCommand] {
        let host = names.host(number)
        let port = LabNames.port(number)
        return [
            SystemCommand(
                "ip", "link", "add", LabNames.interface, "netns", host, "type", "veth", "peer", "name", port, "netns",
                names.switchNamespace),
            .ip(in: host, hostLines(number)),
            .ip(in: names.switchNamespace, portLines(number)),
            .tc(in: names.switchNamespace, portQueueLines(port)),
            .tc(in: host, hostQueueLines()),
        ]
    }

    func makeSwitch() -> [SystemCommand] {
        let bridge = LabNames.bridge
        var commands = [
            SystemCommand.ip(
                in: names.switchNamespace,
                [
                    "link add \(bridge) type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                    "link set \(bridge) mtu \(description.mtu) addrgenmode none", "link set \(bridge) up",
                ])
        ]
        if description.lossTenThousandths > 0 {
            commands.append(.inside(names.switchNamespace, ["nft", "-f", "-"], input: lossLines))
        }
        return commands
    }

    /// Lines for `nft`: the switch loses packets at random and counts them.
    var lossLines: [String] {
        [
            "table bridge \(LabNames.filterTable) {", "chain lose {",
            "type filter hook forward priority 0; policy accept;",
            "ether type { ip, ip6 } numgen random mod 10000 < \(description.lossTenThousandths) counter drop", "}", "}",
        ]
    }

    /// Off, a veth hands on single packets. `gso_max_segs` does what turning off each offload would do, and needs no
    /// further tool; joining received packets is off for a veth by default.
    private var offloadWords: String { description.offloads ? "" : " gso_max_segs 1" }

    private func hostLines(_ number: Int) -> [String] {
        let name = LabNames.interface
        var lines = [
            "link set lo up",
            "link set \(name) address \(LabNames.hardwareAddress(number)) mtu \(description.mtu)\(offloadWords)",
            "link set \(name) addrgenmode none",
            "addr add \(LabNames.ipv4(number))/24 dev \(name)",
            "addr add \(LabNames.ipv6(number))/64 dev \(name) nodad", "link set \(name) up",
        ]
        // Asking for addresses would go through the queues that are to be measured, and get lost there.
        for other in 1...description.hosts where other != number {
            for address in [LabNames.ipv4(other), LabNames.ipv6(other)] {
                let hardware = LabNames.hardwareAddress(other)
                lines.append("neigh add \(address) lladdr \(hardware) dev \(name) nud permanent")
            }
        }
        return lines
    }

    private func portLines(_ number: Int) -> [String] {
        let port = LabNames.port(number)
        return [
            "link set \(port) mtu \(description.mtu)\(offloadWords)", "link set \(port) addrgenmode none",
            "link set \(port) master \(LabNames.bridge)", "link set \(port) up",
        ]
    }

    /// The eight queues of a switch port. What is neither IPv4 nor IPv6 is most urgent: it is next to nothing.
    func portQueueLines(_ port: String) -> [String] {
        let rate = "\(description.bitsPerSecond)bit"
        var lines = [
            "qdisc add dev \(port) root handle 1: htb default 17",
            "class add dev \(port) parent 1: classid 1:1 htb rate \(rate) ceil \(rate) " + shape(burst: burstBytes),
        ]
        for priority in 0..<8 {
            let classID = "1:1\(priority)"
            lines += [
                "class add dev \(port) parent 1:1 classid \(classID) htb rate \(Self.ownRate) ceil \(rate) "
                    + "prio \(7 - priority) " + shape(burst: frame),
                "qdisc add dev \(port) parent \(classID) handle 1\(priority): \(queueWords)",
                "filter add dev \(port) parent 1: protocol ip prio 1 u32 match ip tos "
                    + "\(hexadecimal(priority << 5)) 0xe0 flowid \(classID)",
                // The traffic class lies across two bytes of the IPv6 header; its top three bits are here.
                "filter add dev \(port) parent 1: protocol ipv6 prio 2 u32 match u32 "
                    + "\(hexadecimal(priority << 25)) 0x0e000000 at 0 flowid \(classID)",
            ]
        }
        return lines
    }

    private func hostQueueLines() -> [String] {
        let name = LabNames.interface
        let rate = "\(description.bitsPerSecond)bit"
        return [
            "qdisc add dev \(name) root handle 1: htb default 1",
            "class add dev \(name) parent 1: classid 1:1 htb rate \(rate) ceil \(rate) " + shape(burst: burstBytes),
            "qdisc add dev \(name) parent 1:1 handle 10: pfifo limit \(Self.hostQueuePackets)",
        ]
    }

    private func shape(burst: Int) -> String {
        "burst \(burst) cburst \(burstBytes) quantum \(frame) overhead \(Self.frameExtras.overhead) "
            + "mpu \(Self.frameExtras.shortest)"
    }

    private var queueWords: String {
        switch description.queue {
        case .bytes(let count): "bfifo limit \(count)"
        case .packets(let count): "pfifo limit \(count)"
        }
    }

    private func hexadecimal(_ value: Int) -> String { "0x" + String(value, radix: 16) }
}
