// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// A client as a server knows it: who it is, and which of its requests have run.
struct Client: BitwiseCopyable {
    /// What it calls itself, the same as long as it lives and wherever it is; 0: nothing, and it is known by its
    /// address.
    let identity: UInt64
    /// The first request by which it became known here.
    let firstID: RPCID
    /// The peer at whose address it is; none when that has been forgotten.
    var peer: UInt32
    /// Its requests that have a record here.
    var rpcs: UInt32 = 0
    var finished = FinishedMemory()
    /// When its last request here ended; while it has none, its place among the idle.
    var idleSince: Instant
    var idleLinks = SlabLinks()

    enum Idle: SlabListKind {
        static func links(of client: UnsafeMutablePointer<Client>) -> UnsafeMutablePointer<SlabLinks> {
            withUnsafeMutablePointer(to: &client.pointee.idleLinks) { $0 }
        }
    }
}

/// All clients of an endpoint, found by identity; a fixed number of records, of which the longest idle is given up for
/// a new one.
///
/// What ran, ran: as long as a client's record exists, none of its requests runs a second time. When a record is given
/// up, so is the certainty about what its client asked for until then; ``completeSince`` says from when on the store
/// knows of every request that ran.
struct ClientStore: ~Copyable {
    static var none: UInt32 { .max }

    private var records: Slab<Client>
    private var index: FlatIndex
    private let key: UInt64
    private var idle = SlabList<Client.Idle>()
    /// Every request that ran here later than this is remembered.
    private(set) var completeSince: Instant

    init(capacity: Int, seed: UInt64, at now: Instant) {
        records = Slab(capacity: capacity)
        index = FlatIndex(capacity: capacity)
        key = seed
        completeSince = now
    }

    deinit {
        var next = records.live(from: 0)
        while let client = next {
            records[client].pointee.finished.reset()
            next = records.live(from: client + 1)
        }
    }

    var count: Int { records.count }
    var highWater: UInt32 { records.highWater }
    func isLive(_ client: UInt32) -> Bool { records.isLive(client) }
    func live(from start: UInt32) -> UInt32? { records.live(from: start) }
    func at(_ client: UInt32) -> UnsafeMutablePointer<Client> { records[client] }

    private func hash(_ identity: UInt64) -> UInt64 {
        let mixed = (identity ^ key) &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ mixed >> 32
    }

    func find(_ identity: UInt64) -> UInt32? {
        let records = SlabView(records)
        return index.find(hash(identity)) { records[$0].pointee.identity == identity }
    }

    /// A new client; nil when every record's client has a request here. Whose record is given up for it, if any, is
    /// told before.
    mutating func add(
        identity: UInt64, peer: UInt32, firstID: RPCID, at now: Instant,
        givingUp: (UnsafeMutablePointer<Client>, UInt32) -> Void
    ) -> UInt32? {
        if records.count == records.capacity {
            guard let oldest = idle.first else { return nil }
            let client = at(oldest)
            givingUp(client, oldest)
            // Of one without an identity nothing is known anyway after a while.
            if client.pointee.identity != 0 { completeSince = max(completeSince, client.pointee.idleSince) }
            remove(oldest)
        }
        guard let added = records.insert(Client(identity: identity, firstID: firstID, peer: peer, idleSince: now))
        else {
            preconditionFailure("no record was left after one was given up")
        }
        if identity != 0 { index.insert(added, hash: hash(identity)) }
        idle.append(added, SlabView(records))
        return added
    }

    /// Forgets a client that has no request here.
    mutating func remove(_ client: UInt32) {
        let record = at(client)
        precondition(record.pointee.rpcs == 0, "a client with requests is forgotten")
        idle.remove(client, SlabView(records))
        if record.pointee.identity != 0 { index.remove(client, hash: hash(record.pointee.identity)) }
        record.pointee.finished.reset()
        records.release(client)
    }

    mutating func addRPC(_ client: UInt32) {
        if at(client).pointee.rpcs == 0 { idle.remove(client, SlabView(records)) }
        at(client).pointee.rpcs += 1
    }

    mutating func removeRPC(_ client: UInt32, at now: Instant) {
        at(client).pointee.rpcs -= 1
        guard at(client).pointee.rpcs == 0 else { return }
        at(client).pointee.idleSince = now
        idle.append(client, SlabView(records))
    }

    /// Traps unless records, index and the list of idle clients agree.
    func checkInvariants() {
        records.checkInvariants()
        index.checkInvariants()
        idle.checkInvariants(SlabView(records))
        var named = 0
        var next = records.live(from: 0)
        while let client = next {
            let record = records[client]
            if record.pointee.identity != 0 {
                named += 1
                precondition(find(record.pointee.identity) == client, "a client is not found")
            }
            precondition(
                record.pointee.idleLinks.isLinked == (record.pointee.rpcs == 0),
                "a client with requests is among the idle")
            next = records.live(from: client + 1)
        }
        precondition(named == index.count, "\(index.count) clients are indexed, \(named) have identities")
    }
}
