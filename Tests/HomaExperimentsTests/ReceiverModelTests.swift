// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import Testing

@testable import HomaExperiments

@Suite struct ReceiverModelTests {
    private static func model(_ change: (inout ReceiverModel) -> Void) -> ReceiverModel {
        var model = ReceiverModel()
        model.messages = 2_000
        change(&model)
        return model
    }

    @Test func `the same model gives the same result, another seed another`() {
        let model = Self.model { $0.workload = "w3" }
        #expect(model.run() == model.run())
        var other = model
        other.seed = 2
        #expect(other.key != model.key)
        #expect(Outcome(other.run()).mean != Outcome(model.run()).mean)
    }

    @Test func `one message alone takes the least possible time`() {
        let outcome = Outcome(
            Self.model {
                $0.workload = "500000"
                $0.messages = 1
            }.run())
        #expect(abs(outcome.mean - 1) < 0.01, "\(outcome.mean)")
        #expect(outcome("high_water_bytes") == 8 * 65_536)
        #expect(outcome("pieces_most") == 8)
    }

    @Test(arguments: [ReceiverModel.Policy.shortestFirst, .firstCome])
    func `all or nothing never deadlocks, however small the region`(policy: ReceiverModel.Policy) {
        let outcome = Outcome(
            Self.model {
                $0.workload = "w5"
                $0.regionBytes = 2 << 20
                $0.policy = policy
                $0.holdMicroseconds = 50
            }.run())
        #expect(outcome("messages") == 2_000)
        #expect(!outcome("deadlocked_at_us").isFinite)
        #expect(outcome("waited_share") > 0.1)
    }

    @Test func `pages taken as packets come deadlock once messages together are longer than the region`() {
        // Eight messages of 500 KB are received at once; the region has 2 MB.
        let outcome = Outcome(
            Self.model {
                $0.workload = "500000"
                $0.messages = 20
                $0.isBurst = true
                $0.regionBytes = 2 << 20
                $0.policy = .pageByPage
            }.run())
        #expect(outcome("deadlocked_at_us").isFinite)
        #expect(outcome("messages_incomplete") > 0)
    }

    @Test func `pages taken as packets come are enough when the region is`() {
        let outcome = Outcome(
            Self.model {
                $0.workload = "500000"
                $0.messages = 20
                $0.regionBytes = 64 << 20
                $0.policy = .pageByPage
            }.run())
        #expect(!outcome("deadlocked_at_us").isFinite)
        #expect(outcome("messages") == 20)
    }

    @Test func `whole-message buffers take a megabyte each, packet buffers a piece per packet`() {
        func outcome(_ structure: ReceiverModel.Structure) -> Outcome {
            Outcome(
                Self.model {
                    $0.workload = "3000"
                    $0.messages = 50
                    $0.isBurst = true
                    $0.structure = structure
                }.run())
        }
        #expect(outcome(.messageBuffers)("high_water_bytes") == 50e6)
        #expect(outcome(.messageBuffers)("touched_bytes") <= 50 * 2 * 4096)
        #expect(outcome(.packetBuffers)("pieces_per_message") == 3)
        #expect(outcome(.packetBuffers)("high_water_bytes") == 50 * 3 * 1442)
        // 21 messages of 3008 bytes, rounded to cache lines, fill a bpage of 64 KB.
        #expect(outcome(.bpages)("high_water_bytes") == 3 * 65_536)
    }

    @Test func `an application that holds messages needs the memory for it`() {
        func most(_ hold: Double) -> Double {
            Outcome(
                Self.model {
                    $0.workload = "w4"
                    $0.holdMicroseconds = hold
                    $0.regionBytes = 256 << 20
                }.run())("high_water_bytes")
        }
        #expect(most(5_000) > 2 * most(0))
    }
}
