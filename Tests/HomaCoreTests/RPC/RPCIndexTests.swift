// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Index and table of RPCs")
struct RPCIndexTests {
    /// Method: random inserts, look-ups and removals with few distinct keys, so that probe sequences overlap; half of
    /// the time from a window that moves on, as a client's identifiers do.
    @Test("the index agrees with a dictionary", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var index = RPCIndex(capacity: 32, seed: seed)
        var model: [UInt64: UInt32] = [:]
        for step in 0..<5000 {
            let id = UInt64.random(in: 2..<20, using: &random) + (seed % 2 == 0 ? 0 : UInt64(step / 20))
            let peer = UInt32.random(in: 0..<5, using: &random)
            let key = id << 32 | UInt64(peer)
            #expect(index.find(RPCID(rawValue: id), peer: peer) == model[key])
            if model[key] != nil {
                index.remove(RPCID(rawValue: id), peer: peer)
                model[key] = nil
            } else if model.count < 32 {
                index.insert(RPCID(rawValue: id), peer: peer, slot: UInt32(step))
                model[key] = UInt32(step)
            } else {
                index.remove(RPCID(rawValue: id), peer: peer)
            }
        }
        for (key, slot) in model {
            #expect(index.find(RPCID(rawValue: key >> 32), peer: UInt32(truncatingIfNeeded: key)) == slot)
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
