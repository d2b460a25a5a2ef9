// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// All peers of an endpoint, found by address; a fixed number of records with eviction of idle ones.
struct PeerTable: ~Copyable {
    static let none = UInt32.max

    private let records: UnsafeMutablePointer<Peer>
    private let buckets: UnsafeMutablePointer<UInt32>
    private let mask: Int
    private let key: UInt64
    private let capacity: UInt32
    private let nextFree: UnsafeMutablePointer<UInt32>
    private var freeHead = PeerTable.none
    private var fresh: UInt32 = 0
    private(set) var count = 0
    /// Peers without RPCs: first those that can be forgotten at once, then the longest idle.
    private var idleHead = PeerTable.none
    private var idleTail = PeerTable.none

    init(capacity: Int, seed: UInt64) {
        self.capacity = UInt32(capacity)
        var size = 64
        while size < capacity * 2 { size *= 2 }
        mask = size - 1
        key = seed
        records = .allocate(capacity: capacity)
        nextFree = .allocate(capacity: capacity)
        buckets = .allocate(capacity: size)
        buckets.initialize(repeating: Self.none, count: size)
    }

    deinit {
        var index = 0
        while index <= mask {
            if buckets[index] != Self.none { records[Int(buckets[index])].finished.reset() }
            index += 1
        }
        records.deallocate()
        nextFree.deallocate()
        buckets.deallocate()
    }

    func at(_ index: UInt32) -> UnsafeMutablePointer<Peer> { records + Int(index) }

    private func home(_ address: PeerAddress) -> Int {
        var hash = (address.low ^ key) &* 0x9E37_79B9_7F4A_7C15
        hash ^= (address.high &+ UInt64(address.port) << 32 &+ UInt64(address.scope)) &* 0xD6E8_FEB8_6659_FD93
        hash ^= hash >> 32
        hash = hash &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: (hash ^ (hash >> 29)) & UInt64(mask))
    }

    /// All peers, in no particular order. Allocates: not for hot paths.
    func known() -> [UInt32] {
        UnsafeBufferPointer(start: buckets, count: mask + 1).filter { $0 != Self.none }
    }

    func find(_ address: PeerAddress) -> UInt32? {
        var position = home(address)
        while buckets[position] != Self.none {
            if records[Int(buckets[position])].address == address { return buckets[position] }
            position = (position + 1) & mask
        }
        return nil
    }

    /// A new peer, still without RPCs; nil when the table is full of peers that may not be forgotten yet.
    mutating func add(
        _ address: PeerAddress, segment: UInt32, questionLimit: UInt32 = 0, idleLimit: UInt64, at now: Instant
    ) -> (index: UInt32, evicted: Bool)? {
        var evicted = false
        if freeHead == Self.none && fresh == capacity {
            guard evictOne(idleLimit: idleLimit, at: now) else { return nil }
            evicted = true
        }
        let index: UInt32
        if freeHead != Self.none {
            index = freeHead
            freeHead = nextFree[Int(index)]
        } else {
            index = fresh
            fresh += 1
        }
        records[Int(index)] = Peer(
            address: address, segment: segment, questionLimit: questionLimit, now: now)
        var position = home(address)
        while buckets[position] != Self.none { position = (position + 1) & mask }
        buckets[position] = index
        count += 1
        linkIdle(index, at: now)
        return (index, evicted)
    }

    /// One more RPC with the peer.
    mutating func addRPC(_ index: UInt32, isServer: Bool) {
        let peer = at(index)
        if peer.pointee.rpcs == 0 { unlinkIdle(index) }
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

    private mutating func evictOne(idleLimit: UInt64, at now: Instant) -> Bool {
        let index = idleHead
        guard index != Self.none else { return false }
        let peer = at(index)
        guard !peer.pointee.isProven || now.nanoseconds(since: peer.pointee.idleSince) >= idleLimit else {
            return false
        }
        remove(index)
        return true
    }

    private mutating func remove(_ index: UInt32) {
        unlinkIdle(index)
        records[Int(index)].finished.reset()
        var hole = home(records[Int(index)].address)
        while buckets[hole] != index { hole = (hole + 1) & mask }
        var position = (hole + 1) & mask
        while buckets[position] != Self.none {
            let wanted = home(records[Int(buckets[position])].address)
            if (position &- wanted) & mask >= (position &- hole) & mask {
                buckets[hole] = buckets[position]
                hole = position
            }
            position = (position + 1) & mask
        }
        buckets[hole] = Self.none
        nextFree[Int(index)] = freeHead
        freeHead = index
        count -= 1
    }

    private mutating func linkIdle(_ index: UInt32, at now: Instant) {
        let peer = at(index)
        peer.pointee.idleSince = now
        if peer.pointee.isProven {
            peer.pointee.idlePrevious = idleTail
            peer.pointee.idleNext = Self.none
            if idleTail == Self.none { idleHead = index } else { at(idleTail).pointee.idleNext = index }
            idleTail = index
        } else {
            peer.pointee.idlePrevious = Self.none
            peer.pointee.idleNext = idleHead
            if idleHead == Self.none { idleTail = index } else { at(idleHead).pointee.idlePrevious = index }
            idleHead = index
        }
    }

    private mutating func unlinkIdle(_ index: UInt32) {
        let previous = at(index).pointee.idlePrevious
        let next = at(index).pointee.idleNext
        if previous == Self.none { idleHead = next } else { at(previous).pointee.idleNext = next }
        if next == Self.none { idleTail = previous } else { at(next).pointee.idlePrevious = previous }
    }
}
