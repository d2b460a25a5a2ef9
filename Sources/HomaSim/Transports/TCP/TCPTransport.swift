// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Hosts that run TCP: NewReno, CUBIC or DCTCP.
///
/// Each connection is one stream in one direction, made when the first message wants it, as if it had been there for
/// long: no handshake, but a round trip that one has measured. Acknowledgements travel alone. A message is delivered
/// when all bytes of the stream up to its last one have arrived, so it waits for whatever is before it.
struct TCPTransport: ~Copyable {
    static let none = UInt32.max

    let hostCount: Int
    let tuning: TCPTuning
    let packets: PacketStore
    let messages: MessageLedger
    let isRPC: Bool
    private let lanes: Int
    /// Connections by sender, receiver and lane; a lane is one of the pool, for requests or for responses.
    private let table: UnsafeMutablePointer<UInt32>
    private(set) var senders: UnsafeMutablePointer<TCPSender>
    private(set) var receivers: UnsafeMutablePointer<TCPReceiver>
    private(set) var connectionCount = 0
    private var capacity = 64
    let hosts: UnsafeMutablePointer<TCPHost>
    let timers: UnsafeMutablePointer<LazyTimers>
    var ranges = RangePool()
    var streams: StreamMessages
    var counters = TCPHostStatistics()
    var windowSum = 0.0
    var windowCount: UInt64 = 0

    init(_ scenario: Scenario, _ tcp: TCPConfiguration, packets: PacketStore, messages: MessageLedger) {
        hostCount = scenario.topology.hostCount
        tuning = TCPTuning(tcp, scenario.topology)
        self.packets = packets
        self.messages = messages
        streams = StreamMessages(messages)
        if case .rpc = scenario.traffic.mode { isRPC = true } else { isRPC = false }
        lanes = tcp.connectionsPerPair * (isRPC ? 2 : 1)
        table = .allocate(capacity: hostCount * hostCount * lanes)
        table.initialize(repeating: Self.none, count: hostCount * hostCount * lanes)
        senders = .allocate(capacity: capacity)
        receivers = .allocate(capacity: capacity)
        hosts = .allocate(capacity: hostCount)
        hosts.initialize(repeating: TCPHost(), count: hostCount)
        timers = .allocate(capacity: hostCount)
        for host in 0..<hostCount { (timers + host).initialize(to: LazyTimers()) }
        counters.minimumRTO = tcp.minimumRTO
    }

    deinit {
        table.deallocate()
        senders.deallocate()
        receivers.deallocate()
        hosts.deallocate()
        timers.deinitialize(count: hostCount)
        timers.deallocate()
    }

    // MARK: Messages

    /// A message, or a response, is written to one of the connections between its hosts.
    mutating func start(_ message: UInt32, at now: UInt64) {
        let record = messages.at(message).pointee
        let connection = connection(from: record.sender, to: record.receiver, answers: record.isAnswering)
        let sender = senders + Int(connection)
        if sender.pointee.end == sender.pointee.acknowledged { wakeUp(sender, at: now) }
        sender.pointee.end += UInt64(record.length)
        streams.append(messages.token(message), end: sender.pointee.end, to: &sender.pointee.messages)
        enlist(connection)
    }

    /// The one with the fewest bytes outstanding; of equal ones the first, so that few are used when few will do.
    private mutating func connection(from source: UInt16, to destination: UInt16, answers: Bool) -> UInt32 {
        let pool = isRPC ? lanes / 2 : lanes
        let first = (Int(source) * hostCount + Int(destination)) * lanes + (answers ? pool : 0)
        var best = first
        var least = UInt64.max
        for place in first..<first + pool {
            let one = table[place]
            let backlog =
                one == Self.none ? 0 : senders[Int(one)].end - senders[Int(one)].acknowledged
            if backlog < least { (best, least) = (place, backlog) }
            if least == 0 { break }
        }
        if table[best] == Self.none { table[best] = connect(source, destination) }
        return table[best]
    }

    private mutating func connect(_ source: UInt16, _ destination: UInt16) -> UInt32 {
        if connectionCount == capacity { grow() }
        let roundTrip = RoundTripEstimate(
            firstSample: tuning.handshake, minimum: tuning.minimumRTO, maximum: tuning.maximumRTO)
        var window = CongestionWindow(initial: tuning.initialWindow)
        window.noteRoundTrip(tuning.handshake, tuning)
        (senders + connectionCount).initialize(
            to: TCPSender(source: source, destination: destination, window: window, roundTrip: roundTrip))
        (receivers + connectionCount).initialize(to: TCPReceiver())
        connectionCount += 1
        return UInt32(connectionCount - 1)
    }

    private mutating func grow() {
        let moreSenders = UnsafeMutablePointer<TCPSender>.allocate(capacity: capacity * 2)
        moreSenders.moveInitialize(from: senders, count: connectionCount)
        senders.deallocate()
        senders = moreSenders
        let moreReceivers = UnsafeMutablePointer<TCPReceiver>.allocate(capacity: capacity * 2)
        moreReceivers.moveInitialize(from: receivers, count: connectionCount)
        receivers.deallocate()
        receivers = moreReceivers
        capacity *= 2
    }

    /// Something is written to a connection that had nothing outstanding.
    private mutating func wakeUp(_ sender: UnsafeMutablePointer<TCPSender>, at now: UInt64) {
        let idle = now - min(now, sender.pointee.lastSent)
        sender.pointee.window.skip(idle, at: now, tuning)
        let timeouts = idle / sender.pointee.roundTrip.timeout
        guard tuning.restartsAfterIdle, timeouts > 0, sender.pointee.window.bytes > tuning.initialWindow else { return }
        sender.pointee.window.decay(timeouts: timeouts, tuning)
        counters.restartsAfterIdle += 1
    }

    // MARK: Figures

    mutating func statistics() -> TCPHostStatistics {
        var sum = counters
        sum.connections = UInt64(connectionCount)
        sum.meanWindowSegments = windowCount > 0 ? windowSum / Double(windowCount) / Double(tuning.segment) : 0
        return sum
    }
}
