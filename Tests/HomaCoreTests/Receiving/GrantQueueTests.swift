// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

/// Records for tests of structures that are threaded through them.
final class RecordBench {
    private var store: RPCStore
    let records: SlabView<RPC>
    let count: Int

    init(count: Int) {
        self.count = count
        store = RPCStore(capacity: count, seed: 1)
        records = store.view
        for slot in 0..<UInt64(count) {
            _ = store.add(
                RPC(
                    id: RPCID(rawValue: slot * 2 + 1), peer: 0, localPort: 1, peerPort: 1, state: .incoming,
                    birth: .zero, lastHeard: .zero, nextProbe: .zero, probeInterval: 1))
        }
    }
}

@Suite("Queue of messages waiting for grants")
struct GrantQueueTests {
    /// Method: random inserts and removals, of the root and of others, against a plain minimum.
    @Test(
        "the first is the shortest remaining, then the oldest, then the lowest slot", arguments: seeds(0..<60))
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bench = RecordBench(count: 60)
        let queue = GrantQueue(records: bench.records)
        var root = RPCStore.none
        var inside: Set<UInt32> = []
        for _ in 0..<3000 {
            let slot = UInt32.random(in: 0..<60, using: &random)
            if inside.contains(slot) {
                let victim = Bool.random(using: &random) ? root : slot
                queue.remove(victim, root: &root)
                inside.remove(victim)
            } else {
                bench.records[slot].pointee.incoming.length = UInt32.random(in: 1...20, using: &random)
                bench.records[slot].pointee.birth = Instant(nanoseconds: .random(in: 0..<5, using: &random))
                queue.insert(slot, root: &root)
                inside.insert(slot)
            }
            let expected = inside.min { one, other in
                let left = bench.records[one].pointee
                let right = bench.records[other].pointee
                return (left.incoming.remaining, left.birth, one) < (right.incoming.remaining, right.birth, other)
            }
            #expect(root == expected ?? RPCStore.none)
        }
        var order: [UInt32] = []
        while root != RPCStore.none {
            order.append(root)
            queue.remove(root, root: &root)
        }
        #expect(Set(order) == inside && order.count == inside.count)
        #expect(zip(order, order.dropFirst()).allSatisfy { queue.outranks($0, $1) })
    }
}
