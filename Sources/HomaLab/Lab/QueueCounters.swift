// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What went through the eight queues of a switch's ports, all ports together.
package struct QueueCounters: Codable, Equatable, Sendable {
    struct Queue: Codable, Equatable, Sendable {
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
        var drops: UInt64 = 0
    }

    /// By priority, 0 to 7.
    var queues = [Queue](repeating: Queue(), count: 8)

    var drops: UInt64 { queues.reduce(0) { $0 + $1.drops } }

    init() {}

    /// Reads what `tc -s -j qdisc show` printed. A queue's priority is in its handle: `10:` to `17:`.
    init(tcOutput: String) throws(LabError) {
        struct Discipline: Decodable {
            var kind: String
            var handle: String?
            var bytes: UInt64?
            var packets: UInt64?
            var drops: UInt64?
        }
        let disciplines: [Discipline]
        do {
            disciplines = try JSONDecoder().decode([Discipline].self, from: Data(tcOutput.utf8))
        } catch { throw LabError("tc printed something else than expected: \(error)") }
        for discipline in disciplines where ["pfifo", "bfifo"].contains(discipline.kind) {
            guard let handle = discipline.handle, let number = UInt8(handle.dropLast(), radix: 16),
                (0x10...0x17).contains(number)
            else { continue }
            let priority = Int(number - 0x10)
            queues[priority].packets += discipline.packets ?? 0
            queues[priority].bytes += discipline.bytes ?? 0
            queues[priority].drops += discipline.drops ?? 0
        }
    }

    /// What was counted since `before`.
    func since(_ before: QueueCounters) -> QueueCounters {
        var result = self
        for priority in 0..<8 {
            result.queues[priority].packets -= before.queues[priority].packets
            result.queues[priority].bytes -= before.queues[priority].bytes
            result.queues[priority].drops -= before.queues[priority].drops
        }
        return result
    }
}

/// Everything that is counted outside the hosts' processes, at one moment.
package struct LabCounters: Codable, Equatable, Sendable {
    var switchQueues = QueueCounters()
    /// Dropped because a host's own queue was full.
    var hostDrops: UInt64 = 0
    /// Lost by the switch on purpose.
    var lost: UInt64 = 0
    /// Dropped by the kernel before any protocol saw them: this machine is too slow for the load.
    package var softnetDrops: UInt64 = 0

    init() {}

    /// Asks the system.
    init(of state: LabState) throws(LabError) {
        let names = state.names
        switchQueues = try QueueCounters(
            tcOutput: try SystemCommand("tc", "-n", names.switchNamespace, "-s", "-j", "qdisc", "show").run())
        for number in 1...state.description.hosts {
            let text = try SystemCommand("tc", "-n", names.host(number), "-s", "-j", "qdisc", "show").run()
            hostDrops += try QueueCounters(tcOutput: text).drops
        }
        if state.description.lossTenThousandths > 0 {
            let rules = try SystemCommand.inside(
                names.switchNamespace, ["nft", "-j", "list", "table", "bridge", LabNames.filterTable]
            ).run()
            lost = Self.countedPackets(inRules: rules)
        }
        softnetDrops = SoftnetCounters.drops()
    }

    func since(_ before: LabCounters) -> LabCounters {
        var result = self
        result.switchQueues = switchQueues.since(before.switchQueues)
        result.hostDrops -= before.hostDrops
        result.lost -= before.lost
        result.softnetDrops -= before.softnetDrops
        return result
    }

    /// The sum of all packet counters in what `nft -j list table` printed.
    static func countedPackets(inRules text: String) -> UInt64 {
        func sum(_ value: Any) -> UInt64 {
            if let list = value as? [Any] { return list.reduce(0) { $0 + sum($1) } }
            guard let object = value as? [String: Any] else { return 0 }
            if let counter = object["counter"] as? [String: Any] {
                return (counter["packets"] as? NSNumber)?.uint64Value ?? 0
            }
            return object.values.reduce(0) { $0 + sum($1) }
        }
        return (try? JSONSerialization.jsonObject(with: Data(text.utf8))).map(sum) ?? 0
    }
}
