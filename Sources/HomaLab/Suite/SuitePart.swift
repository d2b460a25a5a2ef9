// SPDX-License-Identifier: Apache-2.0

import HomaBench

/// What the suite measures in a process of its own, whose `malloc` it can choose.
package enum SuitePart: String, CaseIterable, Sendable {
    case poolOneThread = "pool-one-thread"
    case poolTwoThreads = "pool-two-threads"
    case mallocTwoThreads = "malloc-two-threads"
    case core

    /// Nanoseconds of one.
    package func measure(count: Int, seed: UInt64) throws -> Double {
        let benchmark = AllocatorBenchmark(pieces: count, seed: seed)
        let warmUp = AllocatorBenchmark(pieces: max(1, count / 10), seed: seed)
        switch self {
        case .poolOneThread:
            _ = try warmUp.oneThread(.pool)
            return try benchmark.oneThread(.pool)
        case .poolTwoThreads:
            _ = try warmUp.twoThreads(.pool)
            return try benchmark.twoThreads(.pool)
        case .mallocTwoThreads:
            _ = try warmUp.twoThreads(.malloc)
            return try benchmark.twoThreads(.malloc)
        case .core:
            var core = try CoreBenchmark()
            _ = try core.run(packets: max(1, count / 10))
            let cost = try core.run(packets: count)
            return max(cost.send, cost.receive)
        }
    }
}
