// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// All peers of an endpoint, found by address; a fixed number of records, of which idle ones are given up for others.
///
/// A record is kept for what it knows. That of a client without an identity is what keeps its requests from running
/// twice, as long as duplicates may come: `idleLimit`. Any other can be had anew. Strangers with something under way
/// have an eighth of the records at most; those that are done, and must be remembered, have half of them, as any client
/// without an identity that comes for the first time is one.
struct PeerStore: ~Copyable {
    /// No peer.
    static var none: UInt32 { .max }

    /// What all strangers have together.
    struct Strangers: Equatable, BitwiseCopyable {
        var records = 0
        var requests = 0
        var heldBytes = 0
    }

    private var records: Slab<Peer>
    private var index: FlatIndex
    private let key: UInt64
    private(set) var hosts: HostStore
    /// Peers without RPCs, strangers and others: first those of which nothing must be remembered, then the longest
    /// idle.
    private var idleStrangers = SlabList<Peer.Idle>()
    private var idle = SlabList<Peer.Idle>()
    private(set) var strangers = Strangers()
    /// Most records of strangers with RPCs, and without.
    private let strangerLimit: Int
    private let idleStrangerLimit: Int
    /// Most ports of one host with something under way.
    private let busyLimit: Int

    init(capacity: Int, seed: UInt64) {
        records = Slab(capacity: capacity)
        index = FlatIndex(capacity: capacity)
        key = seed
        hosts = HostStore(capacity: capacity, seed: seed)
        strangerLimit = max(1, capacity / 8)
        idleStrangerLimit = max(1, capacity / 2)
        busyLimit = max(1, capacity / 2)
    }

    var count: Int { records.count }
    /// Records from this one on were never used.
    var highWater: UInt32 { records.highWater }
    var view: SlabView<Peer> { SlabView(records) }
    func isLive(_ index: UInt32) -> Bool { records.isLive(index) }

    func at(_ index: UInt32) -> UnsafeMutablePointer<Peer> { records[index] }

    /// The record of a peer's host.
    func host(of index: UInt32) -> UnsafeMutablePointer<Host> { hosts.at(records[index].pointee.host) }

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

    /// A new peer, still without RPCs, and the record of the one that was forgotten for it; nil when no record can be
    /// had now.
    mutating func add(
        _ address: PeerAddress, as standing: Peer.Standing, segment: UInt32, probeLimit: UInt32 = 0, idleLimit: UInt64,
        at now: Instant
    ) -> (index: UInt32, evicted: Peer?)? {
        var evicted: Peer?
        if standing == .stranger, hasEnoughStrangers { return nil }
        if standing == .stranger, idleStrangers.count >= idleStrangerLimit {
            evicted = evict(idleStrangers.first, idleLimit: idleLimit, at: now)
            guard evicted != nil else { return nil }
        } else if records.count == records.capacity {
            evicted =
                evict(idleStrangers.first, idleLimit: idleLimit, at: now)
                ?? evict(idle.first, idleLimit: idleLimit, at: now)
            guard evicted != nil else { return nil }
        }
        var peer = Peer(address: address, standing: standing, segment: segment, probeLimit: probeLimit, now: now)
        peer.host = hosts.addPeer(address)
        guard let added = records.insert(peer) else { preconditionFailure("no record was left after an eviction") }
        index.insert(added, hash: hash(address))
        if standing == .stranger { strangers.records += 1 }
        linkIdle(added, at: now)
        return (added, evicted)
    }

    /// Whether no further stranger may have something under way.
    var hasEnoughStrangers: Bool { strangers.records - idleStrangers.count >= strangerLimit }

    /// Whether so many ports of the peer's host have something under way that this one may not begin now.
    func hasBusyHost(_ index: UInt32) -> Bool {
        at(index).pointee.rpcs == 0 && host(of: index).pointee.busyPeers >= busyLimit
    }

    /// The peer is a stranger no longer.
    mutating func raise(_ index: UInt32, to standing: Peer.Standing) {
        let peer = at(index)
        if peer.pointee.standing == .stranger {
            strangers.records -= 1
            strangers.requests -= Int(peer.pointee.serverRPCs)
            strangers.heldBytes -= peer.pointee.heldBytes
            if peer.pointee.rpcs == 0 {
                idleStrangers.remove(index, SlabView(records))
                peer.pointee.standing = standing
                linkIdle(index, at: peer.pointee.idleSince)
            }
        }
        peer.pointee.standing = standing
    }

    /// One more RPC with the peer.
    mutating func addRPC(_ index: UInt32, isServer: Bool) {
        let peer = at(index)
        let isStranger = peer.pointee.standing == .stranger
        if peer.pointee.rpcs == 0 {
            unlinkIdle(index)
            host(of: index).pointee.busyPeers += 1
        }
        peer.pointee.rpcs += 1
        guard isServer else { return }
        peer.pointee.serverRPCs += 1
        host(of: index).pointee.requests += 1
        if isStranger { strangers.requests += 1 }
    }

    /// One RPC with the peer has gone.
    mutating func removeRPC(_ index: UInt32, isServer: Bool, at now: Instant) {
        let peer = at(index)
        peer.pointee.rpcs -= 1
        if isServer {
            peer.pointee.serverRPCs -= 1
            host(of: index).pointee.requests -= 1
            peer.pointee.lastServed = now
            if peer.pointee.standing == .stranger { strangers.requests -= 1 }
        }
        guard peer.pointee.rpcs == 0 else { return }
        host(of: index).pointee.busyPeers -= 1
        linkIdle(index, at: now)
    }

    /// A request of the peer has got buffers, or, with a negative number, has no more.
    mutating func hold(_ index: UInt32, bytes: Int) {
        at(index).pointee.heldBytes += bytes
        host(of: index).pointee.heldBytes += bytes
        if at(index).pointee.standing == .stranger { strangers.heldBytes += bytes }
    }

    /// So many messages from the peer's host wait for buffers more, or fewer.
    mutating func wait(_ index: UInt32, _ change: Int32) {
        host(of: index).pointee.waiting = UInt32(Int32(host(of: index).pointee.waiting) + change)
    }

    private mutating func evict(_ candidate: UInt32?, idleLimit: UInt64, at now: Instant) -> Peer? {
        guard let candidate else { return nil }
        let evicted = at(candidate).pointee
        guard !evicted.mustBeRemembered || now.nanoseconds(since: evicted.idleSince) >= idleLimit else { return nil }
        unlinkIdle(candidate)
        if evicted.standing == .stranger { strangers.records -= 1 }
        index.remove(candidate, hash: hash(evicted.address))
        records.release(candidate)
        hosts.removePeer(evicted.host)
        return evicted
    }

    private mutating func unlinkIdle(_ index: UInt32) {
        if at(index).pointee.standing == .stranger {
            idleStrangers.remove(index, SlabView(records))
        } else {
            idle.remove(index, SlabView(records))
        }
    }

    private mutating func linkIdle(_ index: UInt32, at now: Instant) {
        let peer = at(index)
        peer.pointee.idleSince = now
        if peer.pointee.standing != .stranger {
            idle.append(index, SlabView(records))
        } else if peer.pointee.mustBeRemembered {
            idleStrangers.append(index, SlabView(records))
        } else {
            idleStrangers.prepend(index, SlabView(records))
        }
    }

    /// Traps unless records, index, sums and the lists of idle peers agree.
    func checkInvariants() {
        records.checkInvariants()
        index.checkInvariants()
        idle.checkInvariants(SlabView(records))
        idleStrangers.checkInvariants(SlabView(records))
        var (indexed, idlePeers, sums) = (0, 0, Strangers())
        var hostSums = [Host](repeating: Host(), count: Int(hosts.highWater))
        var next = records.live(from: 0)
        while let peer = next {
            let record = records[peer]
            indexed += 1
            precondition(find(record.pointee.address) == peer, "a peer is not found")
            precondition(
                record.pointee.idleLinks.isLinked == (record.pointee.rpcs == 0), "a peer with RPCs is among the idle")
            precondition(record.pointee.serverRPCs <= record.pointee.rpcs, "a peer has more requests here than RPCs")
            if record.pointee.rpcs == 0 { idlePeers += 1 }
            if record.pointee.standing == .stranger {
                sums.records += 1
                sums.requests += Int(record.pointee.serverRPCs)
                sums.heldBytes += record.pointee.heldBytes
            }
            hostSums[Int(record.pointee.host)].add(record.pointee)
            next = records.live(from: peer + 1)
        }
        hosts.checkInvariants(hostSums)
        precondition(index.count == indexed, "\(indexed) peers have an address, \(index.count) are indexed")
        precondition(idle.count + idleStrangers.count == idlePeers, "an idle peer is in no list, or in two")
        precondition(strangers == sums, "strangers have \(sums), and count as \(strangers)")
    }
}

extension Host {
    /// The sum of what its peers have.
    fileprivate mutating func add(_ peer: Peer) {
        peers += 1
        if peer.rpcs > 0 { busyPeers += 1 }
        requests += peer.serverRPCs
        heldBytes += peer.heldBytes
    }
}
