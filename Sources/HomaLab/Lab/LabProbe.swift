// SPDX-License-Identifier: Apache-2.0

/// Finds out what of the kernel a lab needs is missing here, before anything is made.
enum LabProbe {
    /// A piece of the kernel, the build option it comes from, and a command that works only with it.
    struct Piece {
        var name: String
        var option: String
        var command: SystemCommand
    }

    /// In this order: later ones build on earlier ones.
    static func pieces(in namespace: String, needsLoss: Bool) -> [Piece] {
        func tc(_ line: String) -> SystemCommand { .tc(in: namespace, [line]) }
        func ip(_ line: String) -> SystemCommand { .ip(in: namespace, [line]) }
        var pieces = [
            Piece(name: "veth pairs", option: "VETH", command: ip("link add p0 type veth peer name p1")),
            Piece(name: "bridges", option: "BRIDGE", command: ip("link add b0 type bridge")),
            Piece(name: "HTB", option: "NET_SCH_HTB", command: tc("qdisc add dev p0 root handle 1: htb default 1")),
            Piece(
                name: "HTB classes", option: "NET_SCH_HTB",
                command: tc("class add dev p0 parent 1: classid 1:1 htb rate 1mbit")),
            Piece(
                name: "FIFO queues", option: "NET_SCH_FIFO",
                command: tc("qdisc add dev p0 parent 1:1 handle 10: bfifo limit 10000")),
            Piece(
                name: "the u32 classifier", option: "NET_CLS_U32",
                command: tc("filter add dev p0 parent 1: protocol ip prio 1 u32 match ip tos 0x20 0xe0 flowid 1:1")),
        ]
        if needsLoss {
            let lines = LabPlan(LabDescription(lossTenThousandths: 1)).lossLines
            pieces.append(
                Piece(
                    name: "random numbers in bridge filters", option: "NF_TABLES_BRIDGE and NFT_NUMGEN",
                    command: .inside(namespace, ["nft", "-f", "-"], input: lines)))
        }
        return pieces
    }

    /// Tries every piece in a namespace of its own, which is gone afterwards.
    static func run(process: Int32, needsLoss: Bool) throws(LabError) {
        let namespace = "homa-probe-\(process)"
        do { try SystemCommand("ip", "netns", "add", namespace).run() } catch {
            throw LabError("no network namespaces can be made here: \(error)")
        }
        var missing: [String] = []
        for piece in pieces(in: namespace, needsLoss: needsLoss) {
            do { try piece.command.run() } catch { missing.append("\(piece.name) (CONFIG_\(piece.option)): \(error)") }
        }
        try SystemCommand("ip", "netns", "del", namespace).run()
        guard missing.isEmpty else {
            throw LabError("the kernel here lacks " + missing.joined(separator: "; "))
        }
    }
}
