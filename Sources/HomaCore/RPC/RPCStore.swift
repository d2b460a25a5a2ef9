// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// All RPCs of an endpoint: their records, found by slot, by handle, or by identifier and peer.
///
/// Both sides use the same number for an RPC except for its lowest bit, which says who is the server; the identifier in
/// a record is this side's.
struct RPCStore: ~Copyable {
    /// No slot.
    static var none: UInt32 { .max }

    private var records: Slab<RPC>
    private var index: FlatIndex
    private let key: UInt64

    init(capacity: Int, seed: UInt64) {
        records = Slab(capacity: capacity)
        index = FlatIndex(capacity: capacity)
        key = seed | 1
    }

    var count: Int { records.count }
    var view: SlabView<RPC> { SlabView(records) }

    func at(_ slot: UInt32) -> UnsafeMutablePointer<RPC> { records[slot] }

    func isLive(_ slot: UInt32) -> Bool { records.isLive(slot) }

    /// The lowest slot from `start` on that is in use; nil at the end. Looks at free ones: not for hot paths.
    func live(from start: UInt32) -> UInt32? { records.live(from: start) }

    /// Neighbours in number, as a client's calls are, are neighbours in the index: eight of them share a cache line.
    private func hash(_ id: UInt64, _ owner: UInt32) -> UInt64 {
        // The lowest bit only tells clients' identifiers from servers'.
        var hash = ((id >> 4) ^ key) &* 0x9E37_79B9_7F4A_7C15
        hash ^= UInt64(owner) &* 0xD6E8_FEB8_6659_FD93
        hash ^= hash >> 32
        hash = hash &* 0xD6E8_FEB8_6659_FD93
        return (hash ^ (hash >> 29)) & ~7 | (id >> 1) & 7
    }

    /// - Parameter owner: see ``RPC/owner``.
    func find(_ id: RPCID, owner: UInt32) -> UInt32? {
        let records = view
        return index.find(hash(id.rawValue, owner)) {
            records[$0].pointee.id == id && records[$0].pointee.owner == owner
        }
    }

    /// A new RPC; nil when the store is full. It is found by its identifier if that is not 0.
    @inline(__always)
    mutating func add(_ rpc: RPC) -> UInt32? {
        guard let slot = records.insert(rpc) else { return nil }
        if rpc.id.rawValue != 0 { index.insert(slot, hash: hash(rpc.id.rawValue, rpc.owner)) }
        return slot
    }

    /// Gives an RPC the identifier by which it is found from now on.
    mutating func identify(_ slot: UInt32, as id: RPCID) {
        assert(at(slot).pointee.id.rawValue == 0 && id.rawValue != 0, "an RPC has one identifier for life")
        at(slot).pointee.id = id
        index.insert(slot, hash: hash(id.rawValue, at(slot).pointee.owner))
    }

    mutating func remove(_ slot: UInt32) {
        let (id, owner) = (at(slot).pointee.id, at(slot).pointee.owner)
        if id.rawValue != 0 { index.remove(slot, hash: hash(id.rawValue, owner)) }
        records.release(slot)
    }

    /// The slot of a handle that is still valid.
    func resolve(_ handle: RPCHandle) -> UInt32? {
        records.isLive(handle.slot, generation: handle.generation) ? handle.slot : nil
    }

    func handle(of slot: UInt32) -> RPCHandle { RPCHandle(slot: slot, generation: records.generation(of: slot)) }

    /// Traps unless slots and index agree: every RPC with an identifier is found, and nothing else.
    func checkInvariants() {
        records.checkInvariants()
        index.checkInvariants()
        var identified = 0
        var next = live(from: 0)
        while let slot = next {
            if at(slot).pointee.id.rawValue != 0 {
                identified += 1
                precondition(find(at(slot).pointee.id, owner: at(slot).pointee.owner) == slot, "an RPC is not found")
            }
            next = live(from: slot + 1)
        }
        precondition(identified == index.count, "\(index.count) RPCs are indexed, \(identified) have identifiers")
    }
}
