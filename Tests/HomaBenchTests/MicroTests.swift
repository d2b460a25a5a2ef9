// SPDX-License-Identifier: Apache-2.0

import HomaBench
import Testing

@Suite("Costs of single parts", .serialized)
struct MicroTests {
    @Test("every allocator gets through, alone and between two threads", arguments: AllocatorBenchmark.Subject.allCases)
    func allocators(subject: AllocatorBenchmark.Subject) throws {
        // More pieces than a page of the pool and the ring between the threads hold.
        let benchmark = AllocatorBenchmark(pieces: 20_000)
        #expect(try benchmark.oneThread(subject) > 0)
        #expect(try benchmark.twoThreads(subject) > 0)
    }

    @Test("the core carries whole messages and the costs add up to something")
    func core() throws {
        var benchmark = try CoreBenchmark()
        // Some ten messages of 500 KB.
        let cost = try benchmark.run(packets: 4000)
        #expect(cost.send > 0 && cost.receive > 0 && cost.other > 0)
    }
}
