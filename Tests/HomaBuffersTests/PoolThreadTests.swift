// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBase
import HomaBuffers
import Synchronization
import Testing

/// Leases on their way from the owners to the threads that return them.
private final class Basket: @unchecked Sendable {
    private let lock = NSLock()
    private var leases: [(BufferLease, UInt8)] = []

    func put(_ lease: BufferLease, _ mark: UInt8) { lock.withLock { leases.append((lease, mark)) } }
    func take(_ random: inout SeededRandom) -> (BufferLease, UInt8)? {
        lock.withLock {
            guard !leases.isEmpty else { return nil }
            leases.swapAt(Int.random(in: 0..<leases.count, using: &random), leases.count - 1)
            return leases.removeLast()
        }
    }
}

/// Memory behind the pool, which the thread sanitizer watches: a byte handed out twice is a race.
private struct Region: @unchecked Sendable {
    let bytes: UnsafeMutablePointer<UInt8>

    /// Leaves zeros, as the system does with memory that it got back.
    func scribble(_ offset: Int, _ count: Int) {
        (bytes + offset).update(repeating: 0xFF, count: count)
        (bytes + offset).update(repeating: 0, count: count)
    }
}

@Suite("A pool shared by threads")
struct PoolThreadTests {
    private func start(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) -> DispatchGroup {
        let group = DispatchGroup()
        for index in 0..<count {
            group.enter()
            Thread.detachNewThread {
                body(index)
                group.leave()
            }
        }
        return group
    }

    /// Method: owners mark what they get and put it in a basket; others take leases out in random order,
    /// check and erase the marks, and return them twice. A tiny region makes the shards take pages from
    /// each other. All the time somebody gives memory back to the system, and scribbles on it.
    @Test("nothing is handed out twice and nothing is lost", arguments: [1, 2, 3] as [UInt64])
    func stress(seed: UInt64) throws {
        let pages = 12
        let pool = try makePool(pages: pages, bpageSize: 4096, shards: 3, leases: 500, reserved: 1)
        let region = Region(bytes: .allocate(capacity: pages * 4096))
        region.bytes.initialize(repeating: 0, count: pages * 4096)
        defer { region.bytes.deallocate() }
        let basket = Basket()
        let finished = Counter()
        let wrong = Counter()
        let owners = start(3) { shard in
            Self.own(pool, shard, region, basket, wrong, seed: seed)
            finished.add()
        }
        let returners = start(2) { index in
            var random = SeededRandom(seed: seed + UInt64(index) * 100)
            while true {
                let isLast = finished.value == 3
                guard let (lease, mark) = basket.take(&random) else {
                    if isLast { return }
                    Thread.sleep(forTimeInterval: 0)
                    continue
                }
                Self.giveBack(pool, lease, mark, region, wrong)
            }
        }
        let trimmer = start(1) { _ in
            while finished.value < 3 { _ = pool.giveBack(above: 1) { region.scribble($0, $1) } }
        }
        owners.wait()
        returners.wait()
        trimmer.wait()
        #expect(wrong.value == 0)
        pool.expectEmpty()
        for shard in [1, 2] { pool.park(shard: shard) }
        let all = (0..<pages).compactMap { _ in pool.allocate(4096, shard: 0, at: .distantFuture) }
        #expect(all.count == pages)
        #expect(pool.statistics.doubleReturns > 0 && pool.statistics.stalls > 0)
        // Which of the two ways a page changes hands depends on how the threads are scheduled.
        #expect(pool.statistics.steals + pool.statistics.surrenders > 0)
    }

    private static func own(
        _ pool: BufferPool, _ shard: Int, _ region: Region, _ basket: Basket, _ wrong: Counter, seed: UInt64
    ) {
        var random = SeededRandom(seed: seed + 10 + UInt64(shard))
        for step in 0..<4000 {
            // Time runs fast enough for leases to expire all the time.
            let now = at(UInt64(step) * 4)
            if Int.random(in: 0..<20, using: &random) == 0 {
                pool.park(shard: shard)
                if Bool.random(using: &random) { Thread.sleep(forTimeInterval: 0.0002) }
                pool.unpark(shard: shard)
            }
            pool.surrenderIfAsked(shard: shard, at: now)
            let length = Int.random(in: 1...(step % 8 == 0 ? 20_000 : 600), using: &random)
            guard let lease = pool.allocate(length, shard: shard, at: now) else {
                pool.setWaiting(1, shard: shard)
                Thread.sleep(forTimeInterval: 0)
                continue
            }
            let mark = UInt8.random(in: 1...255, using: &random)
            for piece in pool.pieces(of: lease) {
                for offset in piece {
                    if region.bytes[offset] != 0 { wrong.add() }
                    region.bytes[offset] = mark
                }
            }
            basket.put(lease, mark)
        }
        pool.setWaiting(0, shard: shard)
    }

    private static func giveBack(
        _ pool: BufferPool, _ lease: BufferLease, _ mark: UInt8, _ region: Region, _ wrong: Counter
    ) {
        for piece in pool.pieces(of: lease) {
            for offset in piece {
                if region.bytes[offset] != mark { wrong.add() }
                region.bytes[offset] = 0
            }
        }
        if (try? pool.release(lease)) == nil { wrong.add() }
        if (try? pool.release(lease)) != nil { wrong.add() }
    }

    @Test("of many threads returning one lease, exactly one succeeds")
    func racingReturns() throws {
        let pool = try makePool(pages: 4)
        for _ in 0..<50 {
            let lease = try #require(pool.allocate(100, shard: 0, at: .zero))
            let successes = Counter()
            start(4) { _ in if (try? pool.release(lease)) != nil { successes.add() } }.wait()
            #expect(successes.value == 1)
        }
        pool.expectEmpty()
    }
}

private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func add() { count.wrappingAdd(1, ordering: .sequentiallyConsistent) }
    var value: Int { count.load(ordering: .sequentiallyConsistent) }
}
