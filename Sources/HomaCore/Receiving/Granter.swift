// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Decides how far each arriving message may be sent.
///
/// At most `overcommitment` messages are *active*: they are granted so much ahead of what has
/// arrived (the window). The rest is *queued*. The shortest remaining message comes first, but
/// every host gets one active message before any gets two. Ranking works on live remaining bytes;
/// every byte that is on its way counts against `maximumIncoming`, also that of messages which
/// need no grants, and not that of senders which have fallen silent. (The kernel implementation
/// differs in these three points.)
///
/// Peers on trial (``Peer/isOnTrial(_:)``) have the places that nobody else wants, the window of one message together,
/// and what they say to have sent, or may send, keeps from others only as much as they have brought.
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
    private let hosts: SlabView<Host>
    private let queue: GrantQueue
    private let active: UnsafeMutablePointer<UInt32>
    private(set) var activeCount = 0
    /// Those of them that are on trial.
    private var activeTrials = 0
    /// Active messages of the host's other shards.
    private var activeElsewhere = 0
    /// Hosts with queued messages, twice the host's number and one more for those on trial: fewest active messages
    /// first, then the shortest message; trials after all others.
    private var hostsQueued: IndexedHeap
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

    init(tuning: Tuning, records: SlabView<RPC>, peers: borrowing PeerStore, maximumPeers: Int) {
        self.tuning = tuning
        self.records = records
        self.peers = peers.view
        hosts = peers.hosts.view
        queue = GrantQueue(records: records)
        active = .allocate(capacity: tuning.overcommitment)
        hostsQueued = IndexedHeap(capacity: 2 * maximumPeers)
        cutoffs = tuning.cutoffs.cutoffs
        limits = tuning.limits(roundTrip: nil)
        let mostIncoming = tuning.maximumIncoming * (tuning.adaptsWindows ? Tuning.largestGrowth : 1)
        claimLimit = tuning.unscheduledBytes
        countLimit = max(UInt32(clamping: tuning.window(active: 1, incoming: mostIncoming)), tuning.unscheduledBytes)
    }

    deinit { active.deallocate() }

    func at(_ slot: UInt32) -> UnsafeMutablePointer<RPC> { records[slot] }

    /// Traps unless the active messages are as many as their hosts count, and those by age are whole.
    func checkInvariants(_ store: borrowing PeerStore) {
        byAge.checkInvariants(records)
        precondition(activeCount <= tuning.overcommitment, "\(activeCount) messages are active")
        for position in 0..<activeCount {
            precondition(at(active[position]).pointee.incoming.grantState == .active, "an inactive message is active")
        }
        var (queued, counted) = (0, 0)
        var next = store.hosts.live(from: 0)
        while let host = next {
            if hosts[host].pointee.queuedGrants != RPCStore.none { queued += 1 }
            if hosts[host].pointee.queuedTrials != RPCStore.none { queued += 1 }
            counted += Int(hosts[host].pointee.activeGrants)
            var own: UInt32 = 0
            for position in 0..<activeCount where self.host(of: active[position]) == host { own += 1 }
            precondition(hosts[host].pointee.activeGrants == own, "a host's active messages are miscounted")
            next = store.hosts.live(from: host + 1)
        }
        precondition(counted == activeCount, "active messages are of no host")
        var trials = 0
        for position in 0..<activeCount where at(active[position]).pointee.incoming.isOnTrial { trials += 1 }
        precondition(trials == activeTrials, "\(trials) active messages are on trial, \(activeTrials) counted")
        precondition(hostsQueued.count == queued, "\(queued) hosts have messages that wait to be active")
        if activeCount < tuning.overcommitment, let entry = hostsQueued.first {
            precondition(
                hosts[entry / 2].pointee.activeGrants >= tuning.activePerHost, "a message waits for a free place")
        }
    }

    // MARK: What happened

    /// The message has buffers; from now on its data is kept.
    mutating func begin(_ slot: UInt32) {
        let message = at(slot)
        message.pointee.incoming.isScheduled = message.pointee.incoming.granted < message.pointee.incoming.length
        message.pointee.incoming.isOnTrial = peers[message.pointee.peer].pointee.isOnTrial(tuning)
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
        count(slot, 0, expected: 0)
        markDue()
    }

    /// The host's other shards grant to so many messages.
    mutating func apply(activeMessages: Int) {
        guard activeMessages != activeElsewhere else { return }
        activeElsewhere = activeMessages
        markDue()
    }

    /// Bytes that may be granted to each active message ahead of what has arrived; those on trial share one such.
    var window: Int {
        let sharing = activeCount - max(0, activeTrials - 1) + activeElsewhere
        return max(leastShare, tuning.window(active: max(1, sharing), incoming: limits.incoming))
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

    /// The same for the message: where its way is slow several grants must be under way, as they wait behind what goes
    /// the other way.
    private func leastStep(for slot: UInt32, window: Int) -> Int {
        let most = most(for: slot)
        let step = leastStep(window: min(window, most))
        return most < tuning.maximumIncoming ? min(step, most / 4) : step
    }

    mutating func markDue() {
        isDue = true
        cursor = 0
    }

    /// Brings the message's share of the total, and of its peer's, up to date.
    mutating func recount(_ slot: UInt32) {
        let message = at(slot)
        let counts = tuning.countsUnscheduled || message.pointee.incoming.isScheduled
        let limit = message.pointee.incoming.isGranted ? countLimit : claimLimit
        let expected = message.pointee.incoming.isStalled ? 0 : min(message.pointee.incoming.outstanding, limit)
        var counted = counts ? expected : 0
        if message.pointee.incoming.isOnTrial { counted = min(counted, proven(message.pointee.incoming)) }
        count(slot, counted, expected: expected)
    }

    /// Bytes that a sender on trial is believed to bring: as many as it has brought.
    private func proven(_ message: IncomingMessage) -> UInt32 { max(tuning.defaultSegment, message.received) }

    private mutating func count(_ slot: UInt32, _ counted: UInt32, expected: UInt32) {
        let message = at(slot)
        totalIncoming += Int(counted) - Int(message.pointee.incoming.counted)
        message.pointee.incoming.counted = counted
        let before = message.pointee.incoming.expected
        guard expected != before else { return }
        peers[message.pointee.peer].pointee.incoming &+= expected &- before
        message.pointee.incoming.expected = expected
    }

    // MARK: Who is active

    private func host(of slot: UInt32) -> UInt32 { peers[at(slot).pointee.peer].pointee.host }

    mutating func enqueue(_ slot: UInt32) {
        let host = hosts[host(of: slot)]
        at(slot).pointee.incoming.isOnTrial = peers[at(slot).pointee.peer].pointee.isOnTrial(tuning)
        if activeCount < tuning.overcommitment, host.pointee.activeGrants < tuning.activePerHost {
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
        let index = host(of: slot)
        at(slot).pointee.incoming.grantState = .queued
        if at(slot).pointee.incoming.isOnTrial {
            queue.insert(slot, root: &hosts[index].pointee.queuedTrials)
        } else {
            queue.insert(slot, root: &hosts[index].pointee.queuedGrants)
        }
        rekey(index)
    }

    private mutating func dequeue(_ slot: UInt32) {
        let index = host(of: slot)
        at(slot).pointee.incoming.grantState = .none
        if at(slot).pointee.incoming.isOnTrial {
            queue.remove(slot, root: &hosts[index].pointee.queuedTrials)
        } else {
            queue.remove(slot, root: &hosts[index].pointee.queuedGrants)
        }
        rekey(index)
    }

    private mutating func activate(_ slot: UInt32) {
        let index = host(of: slot)
        at(slot).pointee.incoming.grantState = .active
        hosts[index].pointee.activeGrants += 1
        active[activeCount] = slot
        activeCount += 1
        if at(slot).pointee.incoming.isOnTrial { activeTrials += 1 }
        reviseLimits()
        rekey(index)
    }

    private mutating func deactivate(_ slot: UInt32) {
        let index = host(of: slot)
        at(slot).pointee.incoming.grantState = .none
        hosts[index].pointee.activeGrants -= 1
        if at(slot).pointee.incoming.isOnTrial { activeTrials -= 1 }
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
        while activeCount < tuning.overcommitment, let entry = hostsQueued.first {
            let host = hosts[entry / 2]
            guard host.pointee.activeGrants < tuning.activePerHost else { return }
            let isOnTrial = entry % 2 == 1
            let best = isOnTrial ? host.pointee.queuedTrials : host.pointee.queuedGrants
            dequeue(best)
            activate(best)
        }
    }

    private mutating func rekey(_ index: UInt32) {
        let host = hosts[index].pointee
        rekey(2 * index, host.queuedGrants, host)
        rekey(2 * index + 1, host.queuedTrials, host)
    }

    /// The order of those that wait: hosts that may not have more are last, before them those on trial.
    private mutating func rekey(_ entry: UInt32, _ best: UInt32, _ host: Host) {
        guard best != RPCStore.none else { return hostsQueued.remove(entry) }
        var key = UInt64(host.activeGrants) << 32 | UInt64(at(best).pointee.incoming.remaining)
        if entry % 2 == 1 { key |= 1 << 62 }
        if host.activeGrants >= tuning.activePerHost { key |= 1 << 63 }
        hostsQueued.set(entry, key: key, tie: at(best).pointee.birth.nanoseconds)
    }

    /// The active message that the candidate displaces, if any: one on trial if the candidate is not, else of the host
    /// with most active messages the one with most bytes left.
    private mutating func victim(for slot: UInt32) -> UInt32? {
        let ownHost = host(of: slot)
        let ownCount = hosts[ownHost].pointee.activeGrants + 1
        let onlyOwn = hosts[ownHost].pointee.activeGrants >= tuning.activePerHost
        let isOnTrial = at(slot).pointee.incoming.isOnTrial
        var worst = RPCStore.none
        var worstCount: UInt32 = 0
        for position in 0..<activeCount {
            let other = active[position]
            let sameHost = host(of: other) == ownHost
            if onlyOwn && !sameHost { continue }
            let otherIsOnTrial = at(other).pointee.incoming.isOnTrial
            if otherIsOnTrial && !isOnTrial { return other }
            if isOnTrial && !otherIsOnTrial { continue }
            let count = sameHost ? ownCount : hosts[host(of: other)].pointee.activeGrants
            if worst == RPCStore.none || count > worstCount || (count == worstCount && queue.outranks(worst, other)) {
                worst = other
                worstCount = count
            }
        }
        guard worst != RPCStore.none else { return nil }
        return worstCount > ownCount || queue.outranks(slot, worst) ? worst : nil
    }

    /// A peer of the host is no longer on trial.
    mutating func reviseTrials(ofHost index: UInt32) {
        for position in 0..<activeCount where host(of: active[position]) == index {
            let message = at(active[position])
            guard message.pointee.incoming.isOnTrial, !peers[message.pointee.peer].pointee.isOnTrial(tuning) else {
                continue
            }
            message.pointee.incoming.isOnTrial = false
            activeTrials -= 1
            recount(active[position])
        }
        let host = hosts[index]
        var still = RPCStore.none
        while host.pointee.queuedTrials != RPCStore.none {
            let slot = host.pointee.queuedTrials
            queue.remove(slot, root: &host.pointee.queuedTrials)
            if peers[at(slot).pointee.peer].pointee.isOnTrial(tuning) {
                queue.insert(slot, root: &still)
            } else {
                at(slot).pointee.incoming.isOnTrial = false
                queue.insert(slot, root: &host.pointee.queuedGrants)
            }
        }
        host.pointee.queuedTrials = still
        rekey(index)
        markDue()
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
        let window = min(
            message.isOnTrial ? max(leastShare, window / max(1, activeTrials)) : window, most(for: slot))
        let wanted = min(Int(message.received) + window, Int(message.length))
        let headroom = room(for: slot)
        let offset = min(wanted, Int(message.granted) + max(0, headroom))
        guard offset > Int(message.granted) else { return nil }
        let step = offset - Int(message.granted)
        return step >= leastStep(for: slot, window: window) || offset == Int(message.length) ? UInt32(offset) : nil
    }

    /// Bytes that may yet be set on their way by the message's peer: of all, and of those that the way from it takes.
    private func room(for slot: UInt32) -> Int {
        let incoming = peers[at(slot).pointee.peer].pointee.incoming
        return min(incomingLimit - totalIncoming, most(for: slot) - Int(incoming))
    }

    private func most(for slot: UInt32) -> Int { Int(peers[at(slot).pointee.peer].pointee.incomingPath.most) }

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
        let room = min(window, room(for: slot))
        guard room > 0, room >= min(lost, leastStep(for: slot, window: self.window)) else { return nil }
        let segment = Int(tuning.defaultSegment)
        let packets = (min(room, Int(tuning.largestGrant)) + segment - 1) / segment
        return UInt32(min(lost, packets * segment))
    }
}
