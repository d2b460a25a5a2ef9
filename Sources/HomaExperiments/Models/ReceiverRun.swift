// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaScenarios
import HomaWorkloads

/// A model of a receiver at work, a few packets at a time.
struct ReceiverRun: ~Copyable {
    /// Plain numbers: a copy must cost nothing.
    private struct Message {
        var length: Int
        var arrival: UInt64
        var received = 0
        /// Bytes that there is memory for.
        var provided = 0
        var waited = false

        var rest: Int { length - received }
    }

    /// Packets of a message that come together: the train that a sender's card takes at once.
    private static let train = 8

    private let model: ReceiverModel
    private var memory: ReceiverMemory
    private var messages: [Message] = []
    /// What each message holds.
    private var holdings: [[ReceiverMemory.Holding]] = []
    /// Messages with bytes to come, the least remaining first.
    private var active: [Int] = []
    private var turn = 0
    /// Messages without memory: in the order of arrival, and, where the policy has it, shortest first.
    private var line: [Int] = []
    private var lineHead = 0
    private var shortest: WaitingQueue
    /// Messages that may begin again, and those that the application holds, in the order of their times.
    private var resuming = TimedQueue()
    private var held = TimedQueue()
    private var nextArrival = 0
    private var now: UInt64 = 0
    private var deadlockedAt: UInt64?
    private var liveBytes = 0
    private var meter = ReceiverMeter()

    init(_ model: ReceiverModel) {
        self.model = model
        memory = ReceiverMemory(model)
        shortest = WaitingQueue(capacity: model.messages)
        let sizes = model.sizes
        var random = SeededRandom(seed: model.seed)
        let seconds = Self.meanWireNanoseconds(sizes, model) / model.load / 1e9
        var arrivals = PoissonArrivals(perSecond: 1 / seconds, seed: model.seed &+ 0x9E37_79B9)
        var time: UInt64 = 0
        for _ in 0..<model.messages {
            if !model.isBurst { time += arrivals.nextGap() }
            messages.append(Message(length: sizes.sample(using: &random), arrival: time))
        }
        holdings = Array(repeating: [], count: messages.count)
    }

    private static func meanWireNanoseconds(_ sizes: SizeDistribution, _ model: ReceiverModel) -> Double {
        let points = 4_000
        let all = (0..<points).map { model.wireNanoseconds(sizes.quantile((Double($0) + 0.5) / Double(points))) }
        return all.reduce(0, +) / Double(points)
    }

    /// Runs to the end: all messages complete, or none can ever be.
    mutating func result() -> JSONValue {
        while step() {}
        let pieces = messages.map { memory.pieces($0.length) }
        return meter.json(
            model, memory, seconds: Double(now) / 1e9, pieces: pieces, waited: messages.count { $0.waited },
            deadlockedAt: deadlockedAt)
    }

    /// False at the end.
    private mutating func step() -> Bool {
        while nextArrival < messages.count, messages[nextArrival].arrival <= now {
            arrive(nextArrival)
            nextArrival += 1
        }
        while let index = resuming.pop(notAfter: now) { activate(index) }
        while let index = held.pop(notAfter: now) { release(index) }
        if receiveTrain() { return true }
        let arrival = nextArrival < messages.count ? messages[nextArrival].arrival : .max
        let next = min(arrival, resuming.next, held.next)
        guard next != .max else {
            if meter.completed < messages.count { deadlockedAt = now }
            return false
        }
        now = max(now, next)
        return true
    }

    // MARK: Memory

    private mutating func arrive(_ index: Int) {
        let length = messages[index].length
        liveBytes += length
        let mustWait: Bool
        switch model.policy {
        case .shortestFirst: mustWait = shortest.mustWait(length: length)
        case .firstCome: mustWait = lineHead < line.count
        case .pageByPage:
            activate(index)
            return
        }
        if !mustWait, provide(index, length) {
            if shortest.count > 0 { shortest.overtook(length: length) }
            activate(index)
            return
        }
        messages[index].waited = true
        if model.policy == .shortestFirst { shortest.insert(UInt32(index), length: length) } else { line.append(index) }
    }

    /// Memory for so many more bytes.
    private mutating func provide(_ index: Int, _ bytes: Int) -> Bool {
        guard let holding = memory.take(bytes, at: now) else { return false }
        holdings[index].append(holding)
        messages[index].provided += bytes
        meter.observe(memory, liveBytes: liveBytes)
        return true
    }

    private mutating func release(_ index: Int) {
        for holding in holdings[index] { memory.give(back: holding) }
        holdings[index] = []
        liveBytes -= messages[index].length
        serveWaiting()
    }

    private mutating func serveWaiting() {
        while let next = shortest.next(), provide(Int(next), messages[Int(next)].length) {
            shortest.served(next)
            resuming.push(Int(next), at: now + ReceiverModel.askAgainNanoseconds)
        }
        while lineHead < line.count, provide(line[lineHead], messages[line[lineHead]].length) {
            resuming.push(line[lineHead], at: now + ReceiverModel.askAgainNanoseconds)
            lineHead += 1
        }
    }

    // MARK: The link

    private mutating func activate(_ index: Int) {
        let rest = messages[index].rest
        var low = 0
        var high = active.count
        while low < high {
            let middle = (low + high) / 2
            if messages[active[middle]].rest <= rest { low = middle + 1 } else { high = middle }
        }
        active.insert(index, at: low)
    }

    /// One train of one of the shortest messages, in turn; with pages taken as packets come, of the shortest that find
    /// memory. False when nothing can be received.
    private mutating func receiveTrain() -> Bool {
        var tried = 0
        let width = model.policy == .pageByPage ? active.count : min(model.together, active.count)
        while tried < width {
            // Beyond the usual number only when all before are stuck without memory.
            let place = tried < model.together ? (turn + tried) % min(model.together, active.count) : tried
            tried += 1
            let index = active[place]
            guard hasMemory(index) else { continue }
            turn = (place + 1) % max(1, min(model.together, active.count))
            receive(index, place)
            return true
        }
        return false
    }

    private mutating func hasMemory(_ index: Int) -> Bool {
        let message = messages[index]
        guard message.received == message.provided else { return true }
        let found = provide(index, min(model.bpageBytes, message.length - message.provided))
        if !found { messages[index].waited = true }
        return found
    }

    private mutating func receive(_ index: Int, _ place: Int) {
        let message = messages[index]
        let bytes = min(Self.train * model.packetBytes, message.provided - message.received)
        now += UInt64(model.wireNanoseconds(bytes).rounded())
        messages[index].received += bytes
        guard messages[index].received == message.length else { return }
        active.remove(at: place)
        let least = model.wireNanoseconds(message.length) + ReceiverModel.leastNanoseconds
        let taken = Double(now - message.arrival) + ReceiverModel.leastNanoseconds
        meter.complete(slowdown: taken / least)
        held.push(index, at: now + UInt64(model.holdMicroseconds * 1000))
    }
}

/// Numbers with times that never decrease from push to push.
struct TimedQueue {
    private var entries: [(time: UInt64, index: Int)] = []
    private var head = 0

    var next: UInt64 { head < entries.count ? entries[head].time : .max }

    mutating func push(_ index: Int, at time: UInt64) { entries.append((time, index)) }

    mutating func pop(notAfter now: UInt64) -> Int? {
        guard head < entries.count, entries[head].time <= now else { return nil }
        head += 1
        return entries[head - 1].index
    }
}
