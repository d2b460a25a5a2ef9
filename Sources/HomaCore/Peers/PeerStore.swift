// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// All peers of an endpoint, found by address; a fixed number of records with eviction of idle ones.
struct PeerStore: ~Copyable {
    /// No peer.
    static var none: UInt32 { .max }

    private var records: Slab<Peer>
    private var index: FlatIndex
    private let key: UInt64
    /// Peers without RPCs: first those that can be forgotten at once, then the longest idle.
    private var idle = SlabList<Peer.Idle>()

    init(capacity: Int, seed: UInt64) {
        records = Slab(capacity: capacity)
        index = FlatIndex(capacity: capacity)
        key = seed
    }

    var count: Int { records.count }
    /// Records from this one on were never used.
    var highWater: UInt32 { records.highWater }
    var view: SlabView<Peer> { SlabView(records) }
    func isLive(_ index: UInt32) -> Bool { records.isLive(index) }

    func at(_ index: UInt32) -> UnsafeMutablePointer<Peer> { records[index] }

    private func hash(_ address: PeerAddress) -> UInt64 {
        var hash = (address.low ^ key) &* 0x9E37_79B9_7F4A_7C15
        hash ^= (address.high &+ UInt64(address.port) << 32 &+ UInt64(address.scope)) &* 0xD6E8_FEB8_6659_FD93
        hash ^= hash >> 32
        hash = hash &* 0xD6E8_FEB8_6659_FD93
        return hash ^ (hash >> 29)
    }

    /// The lowest peer from `start` on; nil at the end. Looks at free records: not for hot paths.
    func live(from start: UInt32) -> UInt32? { records.live(from: start) }

    func find(_ address: PeerAddress) -> UInt32? {
        let records = SlabView(records)
        return index.find(hash(address)) { records[$0].pointee.address == address }
    }

    /// A new peer, still without RPCs, and the record of the one that was forgotten for it; nil when the table is full
    /// of peers that may not be forgotten yet.
    mutating func add(
        _ address: PeerAddress, segment: UInt32, probeLimit: UInt32 = 0, idleLimit: UInt64, at now: Instant
    ) -> (index: UInt32, evicted: Peer?)? {
        var evicted: Peer?
        if records.count == records.capacity {
            guard let oldest = evictOne(idleLimit: idleLimit, at: now) else { return nil }
            evicted = oldest
        }
        let peer = Peer(address: address, segment: segment, probeLimit: probeLimit, now: now)
        guard let added = records.insert(peer) else { preconditionFailure("no record was left after an eviction") }
        index.insert(added, hash: hash(address))
        linkIdle(added, at: now)
        return (added, evicted)
    }

    /// One more RPC with the peer.
    mutating func addRPC(_ index: UInt32, isServer: Bool) {
        let peer = at(index)
        if peer.pointee.rpcs == 0 { idle.remove(index, SlabView(records)) }
        peer.pointee.rpcs += 1
        if isServer { peer.pointee.serverRPCs += 1 }
    }

    /// One RPC with the peer has gone.
    mutating func removeRPC(_ index: UInt32, isServer: Bool, at now: Instant) {
        let peer = at(index)
        peer.pointee.rpcs -= 1
        if isServer {
            peer.pointee.serverRPCs -= 1
            peer.pointee.lastServed = now
        }
        if peer.pointee.rpcs == 0 { linkIdle(index, at: now) }
    }

    private mutating func evictOne(idleLimit: UInt64, at now: Instant) -> Peer? {
        guard let oldest = idle.first else { return nil }
        let peer = at(oldest)
        guard !peer.pointee.isProven || now.nanoseconds(since: peer.pointee.idleSince) >= idleLimit else {
            return nil
        }
        let evicted = peer.pointee
        idle.remove(oldest, SlabView(records))
        index.remove(oldest, hash: hash(evicted.address))
        records.release(oldest)
        return evicted
    }

    private mutating func linkIdle(_ index: UInt32, at now: Instant) {
        let peer = at(index)
        peer.pointee.idleSince = now
        if peer.pointee.isProven {
            idle.append(index, SlabView(records))
        } else {
            idle.prepend(index, SlabView(records))
        }
    }

    /// Traps unless records, index and the list of idle peers agree.
    func checkInvariants() {
        records.checkInvariants()
        index.checkInvariants()
        idle.checkInvariants(SlabView(records))
        var indexed = 0
        var next = records.live(from: 0)
        while let peer = next {
            let record = records[peer]
            indexed += 1
            precondition(find(record.pointee.address) == peer, "a peer is not found")
            precondition(
                record.pointee.idleLinks.isLinked == (record.pointee.rpcs == 0), "a peer with RPCs is among the idle")
            precondition(record.pointee.serverRPCs <= record.pointee.rpcs, "a peer has more requests here than RPCs")
            next = records.live(from: peer + 1)
        }
        precondition(index.count == indexed, "\(indexed) peers have an address, \(index.count) are indexed")
    }
}
