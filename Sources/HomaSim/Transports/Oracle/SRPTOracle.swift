// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Hosts that obey an all-knowing scheduler: the yardstick for how well any transport could do.
///
/// The scheduler knows every message the moment it begins. Whenever one begins or has been sent, it goes through all
/// messages by the time that they still need on a host link (equal ones: the one that began first, then the
/// lower number), and lets each one send whose sender and receiver no message before it has taken. The others
/// stop where they are, even in the middle of a packet, and lose nothing by it. A message needs the time of its
/// frames on a host link, headers and gaps included; its last byte reaches the receiver as much later as it would on
/// an idle network. There are no control packets, no packets in the simulated network, hence no queues, and the
/// fabric never stands in the way. It is the greedy schedule that pFabric and Homa were compared with, not an optimum,
/// for none is known. Frames are those of the SIGCOMM 2018 simulations.
struct SRPTOracle: ~Copyable {
    private struct Entry: BitwiseCopyable {
        /// Picoseconds of a host link that the message still needs.
        var remaining: UInt64
        var start: UInt64
        var message: UInt32
        var sender: UInt16
        var receiver: UInt16
        var isSending = false

        func outranks(_ other: Entry) -> Bool {
            if remaining != other.remaining { return remaining < other.remaining }
            return start == other.start ? message < other.message : start < other.start
        }
    }

    private struct Arrival: BitwiseCopyable {
        var time: UInt64
        var message: UInt32
    }

    private let frame = FrameFormat.sigcomm2018
    private let picosecondsPerKiB: UInt64
    private let idle: IdleNetwork
    private let messages: MessageLedger
    /// Everything with bytes left to send, nearly in order since the last time.
    private var entries: [Entry] = []
    private var matchedAt: UInt64 = 0
    /// Per host: when the message that it sends has been sent.
    private var until: [UInt64]
    private var takenSender: [UInt64]
    private var takenReceiver: [UInt64]
    private var round: UInt64 = 0
    /// Per host: messages sent to it and not yet there, soonest last.
    private var arrivals: [[Arrival]]
    private var wakes: [UInt16] = []

    init(_ scenario: Scenario, messages: MessageLedger) {
        let count = scenario.topology.hostCount
        self.messages = messages
        picosecondsPerKiB = Port.picosecondsPerKiB(bitsPerSecond: scenario.topology.hostRate.bitsPerSecond)
        idle = IdleNetwork(scenario.topology, frame: frame)
        until = Array(repeating: .max, count: count)
        takenSender = Array(repeating: 0, count: count)
        takenReceiver = Array(repeating: 0, count: count)
        arrivals = Array(repeating: [], count: count)
    }

    // MARK: What a transport provides

    mutating func start(_ message: UInt32, at now: UInt64) {
        let record = messages.at(message).pointee
        progress(to: now)
        entries.append(
            Entry(
                remaining: linkTime(Int(record.length)), start: record.start, message: message,
                sender: record.sender, receiver: record.receiver))
        match(at: now)
    }

    func deadline(_ host: UInt16) -> UInt64 {
        min(until[Int(host)], arrivals[Int(host)].last?.time ?? .max)
    }

    mutating func expireTimers(_ host: UInt16, at now: UInt64) {
        while let first = arrivals[Int(host)].last, first.time <= now {
            arrivals[Int(host)].removeLast()
            messages.delivered(messages.token(first.message))
        }
        guard until[Int(host)] <= now else { return }
        progress(to: now)
        retire(at: now)
        match(at: now)
    }

    /// A host whose timer must be set anew.
    mutating func nextWake() -> UInt16? { wakes.popLast() }

    // MARK: The schedule

    private func linkTime(_ bytes: Int) -> UInt64 {
        (UInt64(frame.wireBytes(message: bytes)) * picosecondsPerKiB + 1023) >> 10
    }

    /// Accounts what has been sent since the last time.
    private mutating func progress(to now: UInt64) {
        let elapsed = now - matchedAt
        matchedAt = now
        guard elapsed > 0 else { return }
        for index in entries.indices where entries[index].isSending {
            entries[index].remaining -= min(elapsed, entries[index].remaining)
        }
    }

    /// Messages that have been sent are on their way to the receiver.
    private mutating func retire(at now: UInt64) {
        var kept = 0
        for index in entries.indices {
            let entry = entries[index]
            if entry.remaining > 0 {
                entries[kept] = entry
                kept += 1
            } else {
                until[Int(entry.sender)] = .max
                depart(entry, at: now)
            }
        }
        entries.removeLast(entries.count - kept)
    }

    private mutating func depart(_ entry: Entry, at now: UInt64) {
        let bytes = Int(messages.at(entry.message).pointee.length)
        messages.sent(messages.token(entry.message), bytes: UInt32(bytes))
        let best = idle.picoseconds(bytes: bytes, from: Int(entry.sender), to: Int(entry.receiver))
        let arrival = Arrival(time: now + best - min(best, linkTime(bytes)), message: entry.message)
        let list = arrivals[Int(entry.receiver)]
        var place = list.count
        while place > 0, list[place - 1].time <= arrival.time { place -= 1 }
        arrivals[Int(entry.receiver)].insert(arrival, at: place)
        wakes.append(entry.receiver)
    }

    private mutating func match(at now: UInt64) {
        sort()
        round += 1
        for index in entries.indices {
            let sender = Int(entries[index].sender)
            let receiver = Int(entries[index].receiver)
            let isFree = takenSender[sender] != round && takenReceiver[receiver] != round
            entries[index].isSending = isFree
            guard isFree else { continue }
            takenSender[sender] = round
            takenReceiver[receiver] = round
            let end = now + entries[index].remaining
            if until[sender] != end {
                until[sender] = end
                wakes.append(UInt16(sender))
            }
        }
        for host in until.indices where takenSender[host] != round { until[host] = .max }
    }

    /// By insertion: what changed since the last time is few messages, or little.
    private mutating func sort() {
        entries.withUnsafeMutableBufferPointer { list in
            var index = 1
            while index < list.count {
                let entry = list[index]
                var place = index
                while place > 0, entry.outranks(list[place - 1]) {
                    list[place] = list[place - 1]
                    place -= 1
                }
                list[place] = entry
                index += 1
            }
        }
    }
}
