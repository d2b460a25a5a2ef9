// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Decides how far each arriving message may be sent.
///
/// At most `overcommitment` messages are *active*: they are granted so much ahead of what has
/// arrived (the window). The rest is *queued*. The shortest remaining message comes first, but
/// every peer gets one active message before any gets two. Ranking works on live remaining bytes;
/// every byte that is on its way counts against `maximumIncoming`, also that of messages which
/// need no grants, and not that of senders which have fallen silent. (The kernel implementation
/// differs in these three points.)
struct Granter: ~Copyable {
    /// Raise the limit of the message in `slot` to `offset`.
    struct Grant {
        var slot: UInt32
        /// The limit so far.
        var from: UInt32
        var offset: UInt32
        var priority: UInt8
        var isForOldest: Bool
        /// To be asked for instead: at most `offset` bytes of those that are lost.
        var isForLost = false
    }

    let tuning: Tuning
    private let records: SlabView<RPC>
    private let peers: SlabView<Peer>
    private let queue: GrantQueue
    private let active: UnsafeMutablePointer<UInt32>
    private(set) var activeCount = 0
    /// Active messages of the host's other shards.
    private var activeElsewhere = 0
    /// Peers with queued messages: fewest active messages first, then the shortest message.
    private var peersQueued: IndexedHeap
    /// Bytes on their way, over all messages.
    private(set) var totalIncoming = 0
    /// Grantable messages by age.
    private var byAge = SlabList<RPC.Grantable>()
    /// Bytes the oldest message has earned.
    private var oldestCredit = 0.0
    /// Something changed since grants were last worked out; `cursor` is the next rank to look at.
    private(set) var isDue = false
    var cursor = 0
    /// What senders are told of unscheduled levels; here for the tails of messages.
    var cutoffs: InlineArray<8, UInt32>
    /// No message counts for more than this, and none that was never granted anything for more than its sender may send
    /// of its own accord, whatever it claims to have sent.
    private let countLimit: UInt32
    private let claimLimit: UInt32
    /// As the peers of the active messages are far away.
    private(set) var limits: WindowLimits

    init(tuning: Tuning, records: SlabView<RPC>, peers: SlabView<Peer>, maximumPeers: Int) {
        self.tuning = tuning
        self.records = records
        self.peers = peers
        queue = GrantQueue(records: records)
        active = .allocate(capacity: tuning.overcommitment)
        peersQueued = IndexedHeap(capacity: maximumPeers)
        cutoffs = tuning.cutoffs.cutoffs
        limits = tuning.limits(roundTrip: nil)
        let mostIncoming = tuning.maximumIncoming * (tuning.adaptsWindows ? Tuning.largestGrowth : 1)
        claimLimit = tuning.unscheduledBytes
        countLimit = max(UInt32(clamping: tuning.window(active: 1, incoming: mostIncoming)), tuning.unscheduledBytes)
    }

    deinit { active.deallocate() }

    func at(_ slot: UInt32) -> UnsafeMutablePointer<RPC> { records[slot] }

    /// Traps unless the active messages are as many as their peers count, and those by age are whole.
    func checkInvariants(_ store: borrowing PeerStore) {
        byAge.checkInvariants(records)
        precondition(activeCount <= tuning.overcommitment, "\(activeCount) messages are active")
        for position in 0..<activeCount {
            precondition(at(active[position]).pointee.incoming.grantState == .active, "an inactive message is active")
        }
        var queued = 0
        var next = store.live(from: 0)
        while let peer = next {
            if peers[peer].pointee.queuedGrants != RPCStore.none { queued += 1 }
            next = store.live(from: peer + 1)
        }
        precondition(peersQueued.count == queued, "\(queued) peers have messages that wait to be active")
    }

    // MARK: What happened

    /// The message has buffers; from now on its data is kept.
    mutating func begin(_ slot: UInt32) {
        let message = at(slot)
        message.pointee.incoming.isScheduled = message.pointee.incoming.granted < message.pointee.incoming.length
        recount(slot)
        if message.pointee.incoming.needsGrants {
            linkByAge(slot)
            enqueue(slot)
        }
        markDue()
    }

    /// New bytes of the message are here; call before the record is changed and after.
    mutating func willReceive(_ slot: UInt32) {
        if at(slot).pointee.incoming.grantState == .queued { dequeue(slot) }
    }

    mutating func didReceive(_ slot: UInt32, bytes: UInt32) {
        let message = at(slot)
        if message.pointee.incoming.isStalled, message.pointee.incoming.keepsPace {
            message.pointee.incoming.isStalled = false
            if message.pointee.incoming.needsGrants { linkByAge(slot) }
        }
        recount(slot)
        if message.pointee.incoming.needsGrants, message.pointee.incoming.grantState == .none,
            !message.pointee.incoming.isStalled
        {
            enqueue(slot)
        }
        oldestCredit += Double(bytes) * tuning.fifoGrantFraction
        markDue()
    }

    /// The sender is silent, or brings next to nothing: its bytes no longer hold back others.
    mutating func stall(_ slot: UInt32) {
        guard !at(slot).pointee.incoming.isStalled else { return }
        at(slot).pointee.incoming.isStalled = true
        leave(slot)
        unlinkByAge(slot)
        recount(slot)
        markDue()
    }

    /// The message is complete or its RPC ends.
    mutating func end(_ slot: UInt32) {
        leave(slot)
        unlinkByAge(slot)
        count(slot, 0)
        markDue()
    }

    /// The host's other shards grant to so many messages.
    mutating func apply(activeMessages: Int) {
        guard activeMessages != activeElsewhere else { return }
        activeElsewhere = activeMessages
        markDue()
    }

    /// Bytes that may be granted to each active message ahead of what has arrived.
    var window: Int {
        max(leastShare, tuning.window(active: max(1, activeCount + activeElsewhere), incoming: limits.incoming))
    }

    /// A packet: no share is less, among however many messages and shards all of it is shared.
    private var leastShare: Int { min(Int(tuning.defaultSegment), limits.incoming) }

    /// Bytes that may be on their way to this shard: of the host's, as many parts as it has of the active messages.
    var incomingLimit: Int {
        guard activeElsewhere > 0 else { return limits.incoming }
        return max(leastShare, limits.incoming * max(1, activeCount) / (max(1, activeCount) + activeElsewhere))
    }

    /// The least by which a grant raises a limit, short of the message's end.
    ///
    /// Where nothing is on its way, `most` may be granted: so the step is never more, or nothing would ever be granted.
    /// It is half of that where the configured step is too large, so that the sender need not run dry for each grant.
    func leastStep(window: Int) -> Int {
        let most = min(window, incomingLimit)
        return Int(limits.increment) <= most ? Int(limits.increment) : max(1, most / 2)
    }

    mutating func markDue() {
        isDue = true
        cursor = 0
    }

    /// Brings the message's share of the total up to date.
    mutating func recount(_ slot: UInt32) {
        let message = at(slot)
        let counts = tuning.countsUnscheduled || message.pointee.incoming.isScheduled
        let limit = message.pointee.incoming.isGranted ? countLimit : claimLimit
        let now = message.pointee.incoming.isStalled || !counts ? 0 : min(message.pointee.incoming.outstanding, limit)
        count(slot, now)
    }

    private mutating func count(_ slot: UInt32, _ now: UInt32) {
        let message = at(slot)
        let before = message.pointee.incoming.counted
        guard now != before else { return }
        totalIncoming += Int(now) - Int(before)
        peers[message.pointee.peer].pointee.incoming &+= now &- before
        message.pointee.incoming.counted = now
    }

    // MARK: Who is active

    mutating func enqueue(_ slot: UInt32) {
        let peer = peers[at(slot).pointee.peer]
        if activeCount < tuning.overcommitment && peer.pointee.activeGrants < tuning.activePerPeer {
            return activate(slot)
        }
        if let victim = victim(for: slot) {
            deactivate(victim)
            wait(victim)
            return activate(slot)
        }
        wait(slot)
    }

    private mutating func wait(_ slot: UInt32) {
        let index = at(slot).pointee.peer
        at(slot).pointee.incoming.grantState = .queued
        queue.insert(slot, root: &peers[index].pointee.queuedGrants)
        rekey(index)
    }

    private mutating func dequeue(_ slot: UInt32) {
        let index = at(slot).pointee.peer
        at(slot).pointee.incoming.grantState = .none
        queue.remove(slot, root: &peers[index].pointee.queuedGrants)
        rekey(index)
    }

    private mutating func activate(_ slot: UInt32) {
        let index = at(slot).pointee.peer
        at(slot).pointee.incoming.grantState = .active
        peers[index].pointee.activeGrants += 1
        active[activeCount] = slot
        activeCount += 1
        reviseLimits()
        rekey(index)
    }

    private mutating func deactivate(_ slot: UInt32) {
        let index = at(slot).pointee.peer
        at(slot).pointee.incoming.grantState = .none
        peers[index].pointee.activeGrants -= 1
        var position = 0
        while active[position] != slot { position += 1 }
        activeCount -= 1
        while position < activeCount {
            active[position] = active[position + 1]
            position += 1
        }
        reviseLimits()
        rekey(index)
    }

    /// Takes the message out, active or queued, and lets others take its place.
    mutating func leave(_ slot: UInt32) {
        switch at(slot).pointee.incoming.grantState {
        case .none: return
        case .queued: dequeue(slot)
        case .active:
            deactivate(slot)
            refill()
        }
    }

    private mutating func refill() {
        while activeCount < tuning.overcommitment, let index = peersQueued.first {
            let peer = peers[index]
            guard peer.pointee.activeGrants < tuning.activePerPeer else { return }
            let best = peer.pointee.queuedGrants
            dequeue(best)
            activate(best)
        }
    }

    private mutating func rekey(_ index: UInt32) {
        let peer = peers[index]
        let best = peer.pointee.queuedGrants
        guard best != RPCStore.none else { return peersQueued.remove(index) }
        let key = UInt64(peer.pointee.activeGrants) << 32 | UInt64(at(best).pointee.incoming.remaining)
        peersQueued.set(index, key: key, tie: at(best).pointee.birth.nanoseconds)
    }

    /// The active message that the candidate displaces, if any: of the peer with most active
    /// messages, the one with most bytes left.
    private mutating func victim(for slot: UInt32) -> UInt32? {
        let ownPeer = at(slot).pointee.peer
        let ownCount = peers[ownPeer].pointee.activeGrants + 1
        let onlyOwn = peers[ownPeer].pointee.activeGrants >= tuning.activePerPeer
        var worst = RPCStore.none
        var worstCount: UInt32 = 0
        for position in 0..<activeCount {
            let other = active[position]
            let samePeer = at(other).pointee.peer == ownPeer
            if onlyOwn && !samePeer { continue }
            let count = samePeer ? ownCount : peers[at(other).pointee.peer].pointee.activeGrants
            if worst == RPCStore.none || count > worstCount || (count == worstCount && queue.outranks(worst, other)) {
                worst = other
                worstCount = count
            }
        }
        guard worst != RPCStore.none else { return nil }
        return worstCount > ownCount || queue.outranks(slot, worst) ? worst : nil
    }

    /// Active messages, or what is known of their peers, are others: the farthest peer of those decides how much may be
    /// on its way.
    mutating func reviseLimits() {
        guard tuning.adaptsWindows, activeCount > 0 else { return }
        var farthest: UInt64 = 0
        for position in 0..<activeCount {
            farthest = max(farthest, peers[at(active[position]).pointee.peer].pointee.knownRoundTrip ?? 0)
        }
        limits = tuning.limits(roundTrip: farthest == 0 ? nil : farthest)
    }

    // MARK: What to grant

    /// The next grant to send, or nil when none is due. The record is brought up to date.
    mutating func nextGrant() -> Grant? {
        guard isDue else { return nil }
        if cursor == 0 { sortActive() }
        while cursor < activeCount {
            let slot = active[cursor]
            let rank = cursor
            cursor += 1
            if at(slot).pointee.incoming.lost > 0 {
                guard let bytes = lostAllowance(for: slot) else { continue }
                // What else may be sent is seen when this is asked for.
                cursor = rank
                return Grant(
                    slot: slot, from: 0, offset: bytes, priority: priority(for: slot, rank: rank), isForOldest: false,
                    isForLost: true)
            }
            if let wanted = target(for: slot) {
                let priority = priority(for: slot, rank: rank)
                let granted = at(slot).pointee.incoming.granted
                let offset = wanted - granted > tuning.largestGrant ? granted + tuning.largestGrant : wanted
                raise(slot, to: offset)
                // The rest of it comes in grants of its own.
                if offset < wanted { cursor = rank }
                return Grant(slot: slot, from: granted, offset: offset, priority: priority, isForOldest: false)
            }
        }
        if let grant = oldestGrant() { return grant }
        isDue = false
        cursor = 0
        return nil
    }

    /// Live ranking: few entries, nearly sorted from the last time.
    private mutating func sortActive() {
        var index = 1
        while index < activeCount {
            let slot = active[index]
            var position = index
            while position > 0, queue.outranks(slot, active[position - 1]) {
                active[position] = active[position - 1]
                position -= 1
            }
            active[position] = slot
            index += 1
        }
    }

    private mutating func target(for slot: UInt32) -> UInt32? {
        let message = at(slot).pointee.incoming
        let window = window
        let wanted = min(Int(message.received) + window, Int(message.length))
        let headroom = incomingLimit - totalIncoming
        let offset = min(wanted, Int(message.granted) + max(0, headroom))
        guard offset > Int(message.granted) else { return nil }
        let step = offset - Int(message.granted)
        return step >= leastStep(window: window) || offset == Int(message.length) ? UInt32(offset) : nil
    }

    /// With fewer active messages than levels the lowest levels are used, which leaves room above
    /// for shorter messages that come later.
    private mutating func priority(for slot: UInt32, rank: Int) -> UInt8 {
        let message = at(slot)
        let left = message.pointee.incoming.length - message.pointee.incoming.granted + message.pointee.incoming.lost
        if left <= tuning.boostedTail { return cutoffs.level(length: left) }
        let highest = tuning.maximumScheduledPriority
        return UInt8(max(0, highest - rank - max(0, highest + 1 - activeCount)))
    }

    private mutating func raise(_ slot: UInt32, to offset: UInt32) {
        at(slot).pointee.incoming.granted = offset
        at(slot).pointee.incoming.isGranted = true
        recount(slot)
        guard !at(slot).pointee.incoming.needsGrants else { return }
        leave(slot)
        unlinkByAge(slot)
        cursor = 0
    }

    // MARK: The oldest message

    private mutating func oldestGrant() -> Grant? {
        guard oldestCredit >= Double(limits.oldest) else { return nil }
        guard let slot = oldestUnserved() else {
            oldestCredit = min(oldestCredit, Double(limits.oldest))
            return nil
        }
        oldestCredit -= Double(limits.oldest)
        let message = at(slot).pointee.incoming
        if message.lost > 0 {
            return Grant(
                slot: slot, from: 0, offset: min(message.lost, limits.oldest), priority: tuning.highPriority,
                isForOldest: true, isForLost: true)
        }
        let offset = min(message.granted + limits.oldest, message.length)
        raise(slot, to: offset)
        return Grant(
            slot: slot, from: message.granted, offset: offset, priority: tuning.highPriority, isForOldest: true)
    }

    /// The oldest message whose sender makes use of what it was given; looks at a few only.
    private mutating func oldestUnserved() -> UInt32? {
        let limit = window + 2 * Int(limits.oldest)
        var next = byAge.first
        var looked = 0
        while let slot = next, looked < 8 {
            let message = at(slot).pointee.incoming
            if Int(message.outstanding) < limit, message.granted < message.length || message.lost > 0 { return slot }
            next = byAge.next(after: slot, records)
            looked += 1
        }
        return nil
    }

    /// Nearly always the message is the youngest. One that waited for buffers, or was silent, finds
    /// its place among the few oldest, which is where age matters, or else goes last.
    mutating func linkByAge(_ slot: UInt32) {
        guard let youngest = byAge.last, at(slot).pointee.birth < at(youngest).pointee.birth else {
            return byAge.append(slot, records)
        }
        var next = byAge.first
        var looked = 0
        while looked < 8, let other = next, at(other).pointee.birth <= at(slot).pointee.birth {
            next = byAge.next(after: other, records)
            looked += 1
        }
        if looked < 8, let next { byAge.insert(slot, before: next, records) } else { byAge.append(slot, records) }
    }

    mutating func unlinkByAge(_ slot: UInt32) {
        if at(slot).pointee.incoming.ageLinks.isLinked { byAge.remove(slot, records) }
    }
}

/// Bytes known to be lost, in the granter's books: not under way, and to be asked for before anything is granted.
extension Granter {
    /// So many bytes of the message are now taken for lost and not asked for; `missing` of those taken for lost have
    /// not come.
    mutating func lose(_ slot: UInt32, bytes: UInt32, missing: UInt32) {
        let message = at(slot)
        message.pointee.incoming.lost = bytes
        message.pointee.incoming.missing = missing
        if missing > 0 { message.pointee.incoming.isScheduled = true }
        settle(slot)
    }

    /// The sender of a silent message has said how much it sent: it is no longer silent.
    mutating func hear(_ slot: UInt32) {
        guard at(slot).pointee.incoming.isStalled else { return }
        at(slot).pointee.incoming.isStalled = false
        if at(slot).pointee.incoming.needsGrants { linkByAge(slot) }
    }

    /// So many of them have been asked for: they are under way.
    mutating func asked(_ slot: UInt32, bytes: UInt32) {
        at(slot).pointee.incoming.lost -= bytes
        settle(slot)
    }

    /// A message that needed no grants may now, and the reverse.
    private mutating func settle(_ slot: UInt32) {
        let message = at(slot)
        recount(slot)
        // What is silent stays out until it is heard of; then `didReceive` brings it in.
        if message.pointee.incoming.needsGrants, !message.pointee.incoming.isStalled {
            if !message.pointee.incoming.ageLinks.isLinked { linkByAge(slot) }
            if message.pointee.incoming.grantState == .none { enqueue(slot) }
        } else {
            leave(slot)
            unlinkByAge(slot)
        }
        markDue()
    }

    /// How many lost bytes of an active message may now be asked for, in whole packets; nil: none.
    mutating func lostAllowance(for slot: UInt32) -> UInt32? {
        let message = at(slot)
        let lost = Int(message.pointee.incoming.lost)
        let window = window - Int(message.pointee.incoming.outstanding)
        let room = min(window, incomingLimit - totalIncoming)
        guard room > 0, room >= min(lost, leastStep(window: self.window)) else { return nil }
        let segment = Int(tuning.defaultSegment)
        let packets = (min(room, Int(tuning.largestGrant)) + segment - 1) / segment
        return UInt32(min(lost, packets * segment))
    }
}
