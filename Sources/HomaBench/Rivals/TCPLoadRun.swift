// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaPosix

/// One run of a plan over TCP. Lives on one thread.
final class TCPLoadRun {
    /// Up to this many connections are polled by reading them; with more, epoll finds the ready ones faster.
    private static let directLimit = 4
    /// In so many turns of direct polling, one asks the epoll set which full sockets can be written again.
    private static let directTurns = 64
    private static let bufferSize = 262_144

    private let plan: LoadPlan
    /// The plan's connections to its first server, then those to its second, …
    private let connections: [TCPLoadConnection]
    private let byFile: [Int32: TCPLoadConnection]
    private let spin: Bool
    private let writesEach: Bool
    private let epoll: PollSet
    private let gather = TCPGather()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 64)

    private let start = MonotonicClock.nanoseconds()
    private let end: UInt64
    private let isClosedLoop: Bool
    private var sequence: RequestSequence
    private var next: ScheduledRequest
    /// The waiting of `next` for room under the cap has been counted.
    private var nextHitCap = false
    private var outstanding = 0
    private var recorder: LoadRecorder
    private var turn = 0

    init(plan: LoadPlan, connections: [TCPLoadConnection], options: TCPLoadClient.Options)
        throws(SystemError)
    {
        self.plan = plan
        self.connections = connections
        spin = options.spin
        writesEach = options.writesEach
        byFile = Dictionary(uniqueKeysWithValues: connections.map { ($0.file, $0) })
        epoll = try PollSet()
        for connection in connections { try epoll.add(connection.file, .readable) }
        end = plan.window.end
        if case .closedLoop = plan.pace { isClosedLoop = true } else { isClosedLoop = false }
        sequence = plan.makeSequence()
        next = sequence.next()
        recorder = LoadRecorder(plan: plan, protocolName: "tcp")
    }

    deinit { buffer.deallocate() }

    private func now() -> UInt64 { MonotonicClock.nanoseconds() - start }

    func run() -> LoadResult {
        let deadline = end + plan.drain.wholeNanoseconds
        var time = now()
        while connections.contains(where: { !$0.isBroken }) {
            issueDue(time)
            if time >= deadline || (time >= end && outstanding == 0 && nothingIsDue) { break }
            turn &+= 1
            for connection in connections where !connection.isBlocked { connection.flush(with: gather) }
            poll(time, deadline: deadline)
            writeOffBroken()
            time = now()
        }
        return close()
    }

    /// True when every request that the plan has up to its end has been issued.
    private var nothingIsDue: Bool { isClosedLoop || next.intended >= end }

    // MARK: Sending

    private func issueDue(_ time: UInt64) {
        while isClosedLoop ? time < end : next.intended <= time && next.intended < end {
            guard outstanding < plan.outstandingLimit else {
                if !isClosedLoop, !nextHitCap { recorder.capHit() }
                nextHitCap = true
                return
            }
            let intended = isClosedLoop ? time : next.intended
            if let connection = leastLoaded(next.target) {
                connection.enqueue(plan.message(for: next), intended: intended)
                if writesEach, !connection.isBlocked { connection.flush(with: gather) }
                recorder.issued(intended: intended, now: time)
                outstanding += 1
            } else if connections.allSatisfy(\.isBroken) {
                return
            } else {
                recorder.issued(intended: intended, now: time)
                recorder.failed(
                    bytes: next.bytes, intended: intended, now: time, why: "all connections to the server are broken")
            }
            next = sequence.next()
            nextHitCap = false
        }
    }

    /// The unbroken connection to a server with the fewest requests outstanding.
    private func leastLoaded(_ target: Int) -> TCPLoadConnection? {
        guard connections.count > 1 else { return connections[0].isBroken ? nil : connections[0] }
        return connections[target * plan.connections..<(target + 1) * plan.connections].lazy.filter { !$0.isBroken }
            .min { $0.outstanding.count < $1.outstanding.count }
    }

    // MARK: Receiving

    private func poll(_ time: UInt64, deadline: UInt64) {
        if spin, connections.count <= Self.directLimit, turn % Self.directTurns != 0 {
            for connection in connections where connection.outstanding.count > 0 { receive(connection) }
            return
        }
        for connection in connections where connection.isBlocked != connection.isWatchedForWriting {
            let interest: PollSet.Interest = connection.isBlocked ? [.readable, .writable] : .readable
            connection.isWatchedForWriting = connection.isBlocked
            // A failure means that the socket is gone, which the next read reports.
            try? epoll.modify(connection.file, interest)
        }
        epoll.wait(nanoseconds: spin ? 0 : sleepTime(time, deadline: deadline)) { file, ready in
            guard let connection = byFile[file] else { return }
            if ready.contains(.writable) { connection.flush(with: gather) }
            if ready != .writable { receive(connection) }
        }
    }

    /// Nanoseconds until something is to be done even if nothing arrives; at least 1.
    private func sleepTime(_ time: UInt64, deadline: UInt64) -> UInt64 {
        var wake = time < end ? end : deadline
        if !isClosedLoop, !nextHitCap { wake = min(wake, max(next.intended, time + 1)) }
        return max(1, wake > time ? wake - time : 1)
    }

    private func receive(_ connection: TCPLoadConnection) {
        connection.receive(into: buffer) { request, intact in
            outstanding -= 1
            recorder.completed(request: request.message, intended: request.intended, now: now(), intact: intact)
        }
    }

    /// Counts what was outstanding on connections that have broken, in whichever direction it was noticed. One
    /// that breaks with nothing outstanding is an error as well: the load goes on without it.
    private func writeOffBroken() {
        for connection in connections where connection.isBroken {
            guard let lost = connection.writeOff() else { continue }
            outstanding -= lost.count
            let time = now()
            for request in lost {
                recorder.failed(bytes: request.message.length, intended: request.intended, now: time, why: Self.broken)
            }
            if lost.isEmpty { recorder.failed(why: Self.broken) }
        }
    }

    private static let broken = "a connection to the server broke"

    // MARK: The end

    private func close() -> LoadResult {
        let time = now()
        for connection in connections {
            for request in connection.writeOff() ?? [] {
                recorder.unfinished(bytes: request.message.length, intended: request.intended, now: time)
            }
        }
        while !isClosedLoop, next.intended < end {
            recorder.abandoned(bytes: next.bytes, intended: next.intended, now: time)
            next = sequence.next()
        }
        return recorder.finish()
    }
}
