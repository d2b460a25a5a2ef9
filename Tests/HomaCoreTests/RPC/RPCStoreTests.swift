// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Store of RPCs")
struct RPCStoreTests {
    private func record(_ id: UInt64, _ peer: UInt32) -> RPC {
        RPC(
            id: RPCID(rawValue: id), peer: peer, localPort: 1, peerPort: 2, state: .outgoing, birth: .zero,
            lastHeard: .zero, nextProbe: .zero, probeInterval: 1)
    }

    /// Method: random inserts, look-ups and removals with few distinct keys, so that probe sequences overlap; half of
    /// the time from a window that moves on, as a client's identifiers do. Some get their identifier late.
    @Test("the store agrees with a dictionary", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var store = RPCStore(capacity: 32, seed: seed)
        var model: [UInt64: UInt32] = [:]
        for step in 0..<3000 {
            let id = UInt64.random(in: 2..<20, using: &random) + (seed % 2 == 0 ? 0 : UInt64(step / 20))
            let peer = UInt32.random(in: 0..<5, using: &random)
            let key = id << 32 | UInt64(peer)
            let found = store.find(RPCID(rawValue: id), owner: peer)
            #expect(found == model[key])
            if let slot = model[key] {
                store.remove(slot)
                model[key] = nil
            } else if step % 3 == 0, let slot = store.add(record(0, peer)) {
                store.identify(slot, as: RPCID(rawValue: id))
                model[key] = slot
            } else {
                let slot = store.add(record(id, peer))
                #expect((slot == nil) == (model.count == 32))
                model[key] = slot
            }
            store.checkInvariants()
        }
        for (key, slot) in model {
            let found = store.find(RPCID(rawValue: key >> 32), owner: UInt32(truncatingIfNeeded: key))
            #expect(found == slot)
        }
    }

    @Test("a handle is stale once its record is used again")
    func handles() throws {
        let host = try LoneHost()
        let first = try host.call(length: 10)
        host.abort(first)
        let second = try host.call(length: 10)
        #expect(first.slot == second.slot && first != second)
        #expect(host.information(first) == nil)
        #expect(!host.abort(first))
        #expect(try !host.respond(second, length: 1), "not a server's")
        #expect(host.information(second)?.sendLength == 10)
        let nonsense = RPCHandle(slot: 5000, generation: 1)
        #expect(!host.abort(nonsense))
    }
}
