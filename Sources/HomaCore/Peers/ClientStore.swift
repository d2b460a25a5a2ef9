// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// A client as a server knows it: who it is, and which of its requests have run.
struct Client: BitwiseCopyable {
    /// What it calls itself, the same as long as it lives and wherever it is; 0: nothing, and it is known by its
    /// address.
    let identity: UInt64
    /// It had not used this identifier, nor any above, when it first showed that it hears us; 0 if what it used before
    /// does not matter, the greatest number if it has shown nothing yet.
    var newFrom: UInt64
    /// The peer at whose address it was last; `UInt32.max` when that has been forgotten, or somebody else is there.
    var peer = UInt32.max
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
/// knows of every request that ran. Tokens that were given out before are worth nothing then (``tokenMask``), and that
/// happens once in a second at most, so that a client's token lasts until it has shown it: rather is a new client
/// refused.
struct ClientStore: ~Copyable {
    static var none: UInt32 { .max }

    private var records: Slab<Client>
    private var index: FlatIndex
    private let key: UInt64
    private let life: HostLife
    private var idle = SlabList<Client.Idle>()
    /// Every request that ran here later than this is remembered.
    private(set) var completeSince: Instant
    /// How often that has changed.
    private var epoch: UInt32 = 0
    /// What tells the tokens that hold now from those that were given out before ``completeSince``.
    private(set) var tokenMask: UInt32 = 0

    private static var leastEpoch: UInt64 { 1_000_000_000 }

    init(capacity: Int, seed: UInt64, life: HostLife, at now: Instant) {
        records = Slab(capacity: capacity)
        index = FlatIndex(capacity: capacity)
        key = seed
        self.life = life
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

    /// A new client; nil when no record can be given up for it now. Whose record is, if any, is told before.
    mutating func add(
        identity: UInt64, newFrom: UInt64, at now: Instant,
        givingUp: (UnsafeMutablePointer<Client>) -> Void
    ) -> UInt32? {
        if records.count == records.capacity {
            guard let oldest = idle.first else { return nil }
            let client = at(oldest)
            // Of one without an identity nothing is known anyway after a while.
            if client.pointee.identity != 0, client.pointee.idleSince > completeSince {
                guard beginEpoch(forgetting: client.pointee.idleSince, at: now) else { return nil }
            }
            givingUp(client)
            remove(oldest)
        }
        guard let added = records.insert(Client(identity: identity, newFrom: newFrom, idleSince: now))
        else {
            preconditionFailure("no record was left after one was given up")
        }
        if identity != 0 { index.insert(added, hash: hash(identity)) }
        idle.append(added, SlabView(records))
        return added
    }

    /// The memory begins a second ago, if it is older and what is to be forgotten as well.
    private mutating func beginEpoch(forgetting end: Instant, at now: Instant) -> Bool {
        let begin = Instant(nanoseconds: now.nanoseconds - min(now.nanoseconds, Self.leastEpoch))
        guard end <= begin, begin.nanoseconds(since: min(begin, completeSince)) >= Self.leastEpoch else { return false }
        completeSince = begin
        epoch += 1
        tokenMask = life.tokenMask(epoch: epoch)
        return true
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
