// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// What one host has here, by whichever of its ports: its shares are counted by the IP address, since ports cost
/// nothing.
struct Host: BitwiseCopyable {
    var high: UInt64 = 0
    var low: UInt64 = 0
    var scope: UInt32 = 0
    /// Records of its ports, and how many of them have RPCs.
    var peers: UInt32 = 0
    var busyPeers: UInt32 = 0
    /// Its requests that have a record here, and the length of those that are arriving and have buffers.
    var requests: UInt32 = 0
    var heldBytes: Int = 0
    /// Messages from it that wait for buffers.
    var waiting: UInt32 = 0
    /// Its messages that wait for a place among those granted to, how many have one, and those that wait of peers on
    /// trial.
    var queuedGrants = RPCStore.none
    var queuedTrials = RPCStore.none
    var activeGrants: UInt32 = 0
}

/// The hosts of all peers, found by IP address. Each has a record as long as one of its ports has.
struct HostStore: ~Copyable {
    private var records: Slab<Host>
    private var index: FlatIndex
    private let key: UInt64

    init(capacity: Int, seed: UInt64) {
        records = Slab(capacity: capacity)
        index = FlatIndex(capacity: capacity)
        key = seed
    }

    var view: SlabView<Host> { SlabView(records) }
    func at(_ host: UInt32) -> UnsafeMutablePointer<Host> { records[host] }
    func live(from start: UInt32) -> UInt32? { records.live(from: start) }
    /// Records from this one on were never used.
    var highWater: UInt32 { records.highWater }

    private func hash(_ high: UInt64, _ low: UInt64, _ scope: UInt32) -> UInt64 {
        var hash = (low ^ key) &* 0x9E37_79B9_7F4A_7C15
        hash ^= (high &+ UInt64(scope)) &* 0xD6E8_FEB8_6659_FD93
        hash ^= hash >> 32
        hash = hash &* 0xD6E8_FEB8_6659_FD93
        return hash ^ (hash >> 29)
    }

    private func find(_ high: UInt64, _ low: UInt64, _ scope: UInt32) -> UInt32? {
        let records = view
        return index.find(hash(high, low, scope)) {
            records[$0].pointee.low == low && records[$0].pointee.high == high && records[$0].pointee.scope == scope
        }
    }

    /// The host of a new peer.
    mutating func addPeer(_ address: PeerAddress) -> UInt32 {
        if let found = find(address.high, address.low, address.scope) {
            at(found).pointee.peers += 1
            return found
        }
        let host = Host(high: address.high, low: address.low, scope: address.scope, peers: 1)
        guard let added = records.insert(host) else { preconditionFailure("there are more hosts than peers") }
        index.insert(added, hash: hash(address.high, address.low, address.scope))
        return added
    }

    /// A peer of the host, which has nothing under way, has gone.
    mutating func removePeer(_ host: UInt32) {
        let record = at(host)
        record.pointee.peers -= 1
        guard record.pointee.peers == 0 else { return }
        precondition(record.pointee.requests == 0 && record.pointee.activeGrants == 0, "a host with requests goes")
        index.remove(host, hash: hash(record.pointee.high, record.pointee.low, record.pointee.scope))
        records.release(host)
    }

    /// Traps unless records and index agree, and hosts have what their peers have, which is given.
    func checkInvariants(_ sums: [Host]) {
        records.checkInvariants()
        index.checkInvariants()
        var count = 0
        var next = records.live(from: 0)
        while let host = next {
            let record = records[host].pointee
            count += 1
            precondition(find(record.high, record.low, record.scope) == host, "a host is not found")
            let sum = sums[Int(host)]
            precondition(
                sum.peers == record.peers && sum.busyPeers == record.busyPeers && sum.requests == record.requests
                    && sum.heldBytes == record.heldBytes,
                "a host has \(record), and its peers \(sum)")
            next = records.live(from: host + 1)
        }
        precondition(count == index.count, "\(count) hosts, \(index.count) are indexed")
    }
}
