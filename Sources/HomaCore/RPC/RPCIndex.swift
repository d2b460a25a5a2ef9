// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Finds the slot of an RPC from its identifier and peer.
///
/// Open addressing in a table twice as large as the number of RPCs, so it never grows. The hash is
/// keyed with the endpoint's seed, because a remote client chooses its identifiers.
///
/// A client numbers its RPCs one after the other, so eight that follow each other lie side by side, in two
/// cache lines: in a table of a megabyte and more a place of its own for each would be a cache miss for each.
struct RPCIndex: ~Copyable {
    private struct Entry: BitwiseCopyable {
        var id: UInt64
        var peer: UInt32
        var slot: UInt32
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let mask: Int
    private let key: UInt64

    init(capacity: Int, seed: UInt64) {
        var size = 64
        while size < capacity * 2 { size *= 2 }
        mask = size - 1
        key = seed | 1
        entries = UnsafeMutableRawPointer.allocate(byteCount: size * MemoryLayout<Entry>.stride, alignment: 64)
            .bindMemory(to: Entry.self, capacity: size)
        entries.initialize(repeating: Entry(id: 0, peer: 0, slot: RPCTable.none), count: size)
    }

    deinit { entries.deallocate() }

    private func home(_ id: UInt64, _ peer: UInt32) -> Int {
        // The lowest bit only tells clients' identifiers from servers'.
        var hash = ((id >> 4) ^ key) &* 0x9E37_79B9_7F4A_7C15
        hash ^= UInt64(peer) &* 0xD6E8_FEB8_6659_FD93
        hash ^= hash >> 32
        hash = hash &* 0xD6E8_FEB8_6659_FD93
        let group = (hash ^ (hash >> 29)) & ~7
        return Int(truncatingIfNeeded: (group | (id >> 1) & 7) & UInt64(mask))
    }

    func find(_ id: RPCID, peer: UInt32) -> UInt32? {
        var position = home(id.rawValue, peer)
        while entries[position].slot != RPCTable.none {
            if entries[position].id == id.rawValue && entries[position].peer == peer { return entries[position].slot }
            position = (position + 1) & mask
        }
        return nil
    }

    mutating func insert(_ id: RPCID, peer: UInt32, slot: UInt32) {
        var position = home(id.rawValue, peer)
        while entries[position].slot != RPCTable.none { position = (position + 1) & mask }
        entries[position] = Entry(id: id.rawValue, peer: peer, slot: slot)
    }

    /// Removes an entry and closes the gap, so that no tombstones pile up.
    mutating func remove(_ id: RPCID, peer: UInt32) {
        var hole = home(id.rawValue, peer)
        while entries[hole].id != id.rawValue || entries[hole].peer != peer {
            guard entries[hole].slot != RPCTable.none else { return }
            hole = (hole + 1) & mask
        }
        var position = (hole + 1) & mask
        while entries[position].slot != RPCTable.none {
            let wanted = home(entries[position].id, entries[position].peer)
            if (position &- wanted) & mask >= (position &- hole) & mask {
                entries[hole] = entries[position]
                hole = position
            }
            position = (position + 1) & mask
        }
        entries[hole] = Entry(id: 0, peer: 0, slot: RPCTable.none)
    }
}
