// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaLab

@Suite("The commands that make a lab")
struct LabPlanTests {
    private func lines(_ plan: LabPlan, host: Int = 1) -> [String] {
        plan.makeHost(host).flatMap { [$0.description] + $0.input }
    }

    @Test("each priority has one class, one bounded queue, and one filter for each family")
    func classes() {
        let lines = LabPlan(LabDescription(queue: .packets(77))).portQueueLines("port1")
        for priority in 0..<8 {
            let classID = "1:1\(priority)"
            let classes = lines.filter { $0.contains("classid \(classID) ") }
            #expect(classes.count == 1 && classes[0].contains(" prio \(7 - priority) "))
            #expect(lines.contains { $0.hasSuffix("parent \(classID) handle 1\(priority): pfifo limit 77") })
            #expect(lines.filter { $0.hasSuffix("flowid \(classID)") }.count == 2)
        }
        #expect(lines.count == 2 + 8 * 4)
    }

    @Test("the filters match the top three bits of the traffic class, wherever the family has them")
    func filters() {
        let lines = LabPlan(LabDescription()).portQueueLines("port1")
        // Traffic class 0xa0 in the first word of an IPv6 header: version 6, then the class: 0x6a000000.
        for priority in 0..<8 {
            let word = 0x6000_0000 | priority << 25
            let matching = lines.filter { line in
                let words = line.split(separator: " ")
                guard line.contains("protocol ipv6"), let at = words.firstIndex(of: "u32", after: "match"),
                    let value = Int(words[at + 1].dropFirst(2), radix: 16),
                    let mask = Int(words[at + 2].dropFirst(2), radix: 16)
                else { return false }
                return word & mask == value
            }
            #expect(matching.count == 1 && matching[0].hasSuffix("flowid 1:1\(priority)"))
            let tos = "match ip tos 0x\(String(priority << 5, radix: 16)) 0xe0"
            #expect(lines.contains { $0.contains(tos) && $0.hasSuffix("flowid 1:1\(priority)") })
        }
    }

    @Test("both ends of a link have its rate, and count what Ethernet adds to a packet")
    func rates() {
        let plan = LabPlan(LabDescription(bitsPerSecond: 123_000_000))
        let shaped = lines(plan).filter { $0.contains("rate 123000000bit ceil 123000000bit") }
        #expect(shaped.count == 2)
        #expect(shaped.allSatisfy { $0.contains("overhead 24 mpu 84") })
    }

    @Test("with offloads off both ends hand on single packets; on, nothing is changed")
    func offloads() {
        #expect(lines(LabPlan(LabDescription())).filter { $0.contains("gso_max_segs 1") }.count == 2)
        #expect(!lines(LabPlan(LabDescription(offloads: true))).contains { $0.contains("gso") })
        #expect(LabPlan(LabDescription(offloads: true)).burstBytes >= 131_072)
    }

    @Test("at once may leave what the kernel's timers are late, but always a few packets")
    func burst() {
        #expect(LabPlan(LabDescription(bitsPerSecond: 1_000_000)).burstBytes == 4 * 1538)
        #expect(LabPlan(LabDescription(bitsPerSecond: 10_000_000_000)).burstBytes == 125_000)
    }

    @Test("without loss there is no filter, with loss it drops that share")
    func loss() {
        #expect(!LabPlan(LabDescription()).makeSwitch().contains { $0.arguments.contains("nft") })
        let commands = LabPlan(LabDescription(lossTenThousandths: 123)).makeSwitch()
        let filter = commands.first { $0.arguments.contains("nft") }
        #expect(filter?.input.contains { $0.contains("mod 10000 < 123 counter drop") } == true)
    }

    @Test("every host knows every other one's hardware address, in both families")
    func neighbours() {
        let plan = LabPlan(LabDescription(hosts: 32))
        let neighbours = lines(plan, host: 7).filter { $0.hasPrefix("neigh add") }
        #expect(neighbours.count == 62)
        #expect(neighbours.contains("neigh add 10.146.0.32 lladdr 02:48:6f:6d:61:20 dev eth0 nud permanent"))
        #expect(!neighbours.contains { $0.contains(" \(LabNames.ipv4(7)) ") })
    }

    @Test("everything happens in the lab's namespaces, and names carry the lab's name")
    func confinement() {
        let description = LabDescription(name: "x1", hosts: 4, lossTenThousandths: 1)
        let plan = LabPlan(description)
        let names = plan.names.namespaces(hosts: 4)
        #expect(names == ["homa-x1-h1", "homa-x1-h2", "homa-x1-h3", "homa-x1-h4", "homa-x1-switch"])
        for command in plan.makeSwitch() + (1...4).flatMap(plan.makeHost) {
            let inside = command.arguments.contains { names.contains($0) }
            #expect(inside, "\(command)")
        }
    }
}

extension Array where Element == Substring {
    /// The index of a word that comes right after another.
    fileprivate func firstIndex(of word: String, after previous: String) -> Int? {
        indices.dropFirst().first { String(self[$0]) == word && String(self[$0 - 1]) == previous }
    }
}
