// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Hosts that run dcPIM: parallel iterative matching, as inside a switch, between the hosts of a network.
///
/// A sender notifies the receiver of each long message. While the data of one phase are sent, receivers and senders
/// are matched for the next: in each of a few rounds a receiver requests channels from every host that has messages
/// for it, hosts grant what channels they have left, and receivers accept what they have left. In the data phase a
/// receiver sends tokens to its matched senders, paced at the rate of their channels; each token lets one
/// packet go. Short messages are sent at once, and join the matching if something of them is lost.
///
/// Beyond the paper: notifications are repeated until they are answered, so that nothing depends on switches that
/// never drop control packets; and a receiver works out the channels that it requests from what it has not asked for
/// yet and the present phase cannot carry.
struct DCPIMTransport: ~Copyable {
    let hostCount: Int
    let tuning: DCPIMTuning
    let packets: PacketStore
    let messages: MessageLedger
    private(set) var records: UnsafeMutablePointer<DCPIMMessage>
    private var capacity = 256
    private var fresh = 0
    private var freeRecords = DCPIMMessage.none
    private var started: UInt64 = 0
    /// Pairs by receiver and sender.
    private let table: UnsafeMutablePointer<UInt32>
    private(set) var pairs: UnsafeMutablePointer<DCPIMPair>
    private var pairCapacity = 256
    private var pairCount = 0
    let hosts: UnsafeMutablePointer<DCPIMHost>
    var tokens = TokenPool()

    // Of each host.

    /// Short messages not sent completely, by packets left.
    let shorts: UnsafeMutablePointer<LazyTimers>
    /// Messages with tokens.
    let tokened: UnsafeMutablePointer<NumberList>
    let timers: UnsafeMutablePointer<LazyTimers>
    let requests: UnsafeMutablePointer<OfferList>
    let grants: UnsafeMutablePointer<OfferList>
    /// Pairs of the receiver with messages wanted.
    let wanting: UnsafeMutablePointer<NumberList>
    /// Pairs of the receiver with channels in this data phase.
    let matched: UnsafeMutablePointer<NumberList>
    /// Pairs of the receiver with channels in the next.
    let nextMatched: UnsafeMutablePointer<NumberList>

    var counters = DCPIMHostStatistics()

    init(_ scenario: Scenario, _ dcpim: DCPIMConfiguration, packets: PacketStore, messages: MessageLedger) {
        let count = scenario.topology.hostCount
        hostCount = count
        tuning = DCPIMTuning(dcpim, scenario.topology)
        self.packets = packets
        self.messages = messages
        records = .allocate(capacity: capacity)
        table = .allocate(capacity: count * count)
        table.initialize(repeating: DCPIMPair.none, count: count * count)
        pairs = .allocate(capacity: pairCapacity)
        hosts = .allocate(capacity: count)
        shorts = Self.timers(count)
        tokened = Self.numbers(count)
        timers = Self.timers(count)
        requests = Self.offers(count)
        grants = Self.offers(count)
        wanting = Self.numbers(count)
        matched = Self.numbers(count)
        nextMatched = Self.numbers(count)
        for host in 0..<count {
            var seeds = SeededRandom(seed: scenario.seed &* 0xD129_0D3B_3A5B_9F1D ^ 0x6463_5049_4D ^ UInt64(host) << 24)
            (hosts + host).initialize(to: DCPIMHost(random: SeededRandom(seed: seeds.next())))
        }
    }

    private static func timers(_ count: Int) -> UnsafeMutablePointer<LazyTimers> {
        let lists = UnsafeMutablePointer<LazyTimers>.allocate(capacity: count)
        for host in 0..<count { (lists + host).initialize(to: LazyTimers()) }
        return lists
    }

    private static func numbers(_ count: Int) -> UnsafeMutablePointer<NumberList> {
        let lists = UnsafeMutablePointer<NumberList>.allocate(capacity: count)
        for host in 0..<count { (lists + host).initialize(to: NumberList()) }
        return lists
    }

    private static func offers(_ count: Int) -> UnsafeMutablePointer<OfferList> {
        let lists = UnsafeMutablePointer<OfferList>.allocate(capacity: count)
        for host in 0..<count { (lists + host).initialize(to: OfferList()) }
        return lists
    }

    deinit {
        for record in 0..<fresh { records[record].freeBits() }
        records.deallocate()
        table.deallocate()
        pairs.deallocate()
        hosts.deallocate()
        for list in [shorts, timers] {
            list.deinitialize(count: hostCount)
            list.deallocate()
        }
        for list in [tokened, wanting, matched, nextMatched] {
            list.deinitialize(count: hostCount)
            list.deallocate()
        }
        for list in [requests, grants] {
            list.deinitialize(count: hostCount)
            list.deallocate()
        }
    }

    // MARK: Messages

    /// A message, or a response, begins.
    mutating func start(_ message: UInt32, at now: UInt64) {
        let ledger = messages.at(message).pointee
        let count = tuning.frame.packets(of: Int(ledger.length))
        let isShort = count <= tuning.shortPackets
        started += 1
        let index = takeRecord(
            DCPIMMessage(
                token: messages.token(message), sequence: started, start: now, bytes: ledger.length,
                packets: UInt32(count), source: ledger.sender, destination: ledger.receiver, isShort: isShort,
                priority: tuning.priority(packets: count, isShort: isShort), remaining: UInt32(count)))
        if isShort {
            counters.shortMessages += 1
            shorts[Int(ledger.sender)].push(Self.shortKey(records + Int(index)), index)
        } else {
            counters.longMessages += 1
            notify(index, at: now)
        }
    }

    /// Fewest packets left first; of equals the one that began first.
    static func shortKey(_ record: UnsafeMutablePointer<DCPIMMessage>) -> UInt64 {
        UInt64(record.pointee.packets - record.pointee.nextShort) << 40 | record.pointee.sequence & 0xFF_FFFF_FFFF
    }

    private mutating func takeRecord(_ message: DCPIMMessage) -> UInt32 {
        var index = freeRecords
        var generation: UInt32 = 0
        if index != DCPIMMessage.none {
            freeRecords = records[Int(index)].next
            generation = records[Int(index)].generation
        } else {
            if fresh == capacity {
                let larger = UnsafeMutablePointer<DCPIMMessage>.allocate(capacity: capacity * 2)
                larger.moveInitialize(from: records, count: capacity)
                records.deallocate()
                records = larger
                capacity *= 2
            }
            index = UInt32(fresh)
            fresh += 1
        }
        let record = records + Int(index)
        record.initialize(to: message)
        record.pointee.generation = generation
        record.pointee.allocateBits()
        return index
    }

    /// Sender and receiver have done with the message.
    mutating func end(_ index: UInt32) {
        let record = records + Int(index)
        record.pointee.freeBits()
        record.pointee.generation &+= 1
        record.pointee.sequence = 0
        record.pointee.notifyAt = .max
        record.pointee.recoverAt = .max
        record.pointee.next = freeRecords
        freeRecords = index
    }

    /// The pair of a receiver and one of its senders, made when it is first wanted.
    mutating func pair(_ receiver: UInt16, from sender: UInt16) -> UInt32 {
        let place = Int(receiver) * hostCount + Int(sender)
        if table[place] != DCPIMPair.none { return table[place] }
        if pairCount == pairCapacity {
            let larger = UnsafeMutablePointer<DCPIMPair>.allocate(capacity: pairCapacity * 2)
            larger.moveInitialize(from: pairs, count: pairCount)
            pairs.deallocate()
            pairs = larger
            pairCapacity *= 2
        }
        (pairs + pairCount).initialize(to: DCPIMPair(receiver: receiver, sender: sender))
        table[place] = UInt32(pairCount)
        pairCount += 1
        return table[place]
    }

    // MARK: Time

    @inline(__always)
    func deadline(_ number: UInt16) -> UInt64 {
        let host = hosts + Int(number)
        return min(
            host.pointee.receiverStageAt, host.pointee.senderStageAt, host.pointee.tokenAt, timers[Int(number)].first)
    }

    mutating func expireTimers(_ number: UInt16, at now: UInt64) {
        let host = hosts + Int(number)
        if host.pointee.senderStageAt <= now { answerRequests(number, at: now) }
        if host.pointee.receiverStageAt <= now { passStage(number, at: now) }
        if host.pointee.tokenAt <= now { sendTokens(number, at: now) }
        while timers[Int(number)].first <= now {
            let entry = timers[Int(number)].pop()
            // An entry that does not agree with its message is left over from an earlier one.
            let record = records + Int(entry.timer)
            if record.pointee.notifyAt == entry.time, record.pointee.source == number {
                notify(entry.timer, at: now)
            } else if record.pointee.recoverAt == entry.time, record.pointee.destination == number {
                recover(entry.timer, at: now)
            }
        }
    }

    // MARK: Figures

    /// Receiver, sender and channels of every pair that is matched in this data phase, in order; for tests.
    func pairChannels() -> [[Int]] {
        (0..<pairCount).filter { pairs[$0].channels > 0 }
            .map { [Int(pairs[$0].receiver), Int(pairs[$0].sender), pairs[$0].channels] }
            .sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Packets received of each message under way; for tests.
    func receivedPackets() -> [UInt32] { (0..<fresh).filter { records[$0].sequence > 0 }.map { records[$0].received } }

    /// Messages that a sender or a receiver still remembers.
    func recordsInUse() -> Int { (0..<fresh).count { records[$0].sequence > 0 } }

    mutating func statistics() -> DCPIMHostStatistics {
        var sum = counters
        sum.round = Duration(picoseconds: tuning.clock.roundLength)
        sum.dataPhase = Duration(picoseconds: tuning.clock.dataPhase)
        sum.shortMessageBytes = tuning.shortBytes
        sum.windowPackets = tuning.window
        return sum
    }
}
