// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaLab

@Suite("A lab's description")
struct LabDescriptionTests {
    @Test("the default is in range, and so is every limit")
    func inRange() throws {
        _ = try LabDescription().validated()
        for hosts in [2, 32] { _ = try LabDescription(hosts: hosts).validated() }
        for rate in [1_000_000, 10_000_000_000] as [UInt64] { _ = try LabDescription(bitsPerSecond: rate).validated() }
        for loss in [0, 10_000] { _ = try LabDescription(lossTenThousandths: loss).validated() }
        for mtu in [1280, 9000] { _ = try LabDescription(mtu: mtu).validated() }
        for name in ["a", "lab-2", String(repeating: "z", count: 16)] { _ = try LabDescription(name: name).validated() }
    }

    private func message(_ description: LabDescription) -> String? {
        do {
            _ = try description.validated()
            return nil
        } catch { return error.description }
    }

    @Test("what is out of range is refused with its option, its value and the limits")
    func outOfRange() {
        #expect(message(LabDescription(hosts: 1)) == "--hosts is 1, but must be 2 … 32")
        #expect(message(LabDescription(hosts: 33)) == "--hosts is 33, but must be 2 … 32")
        #expect(message(LabDescription(bitsPerSecond: 999_999))?.contains("999999, but must be 1000000 …") == true)
        #expect(message(LabDescription(bitsPerSecond: .max))?.contains("--rate") == true)
        #expect(message(LabDescription(lossTenThousandths: 10_001))?.contains("0 … 10000") == true)
        #expect(message(LabDescription(mtu: 1279)) == "--mtu is 1279, but must be 1280 … 9000")
        #expect(message(LabDescription(queue: .packets(1)))?.contains("--queue-packets is 1") == true)
        let small = message(LabDescription(queue: .bytes(3027)))
        #expect(small?.contains("--queue-bytes is 3027, but must be 3028") == true)
    }

    @Test(
        "names that could mean something to a file system or a command line are refused",
        arguments: ["", "-x", "a/b", "..", "a b", "Lab", "ä", "a;b", "a\nb", String(repeating: "a", count: 17)])
    func badNames(name: String) {
        #expect(message(LabDescription(name: name))?.contains("--name '\(name)'") == true)
    }
}
