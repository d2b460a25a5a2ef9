// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The client's end of one connection: sends requests in order and matches the responses first in, first out.
///
/// Requests are sent straight from the pattern, responses are checked piece by piece as they are read;
/// neither is ever put together in memory.
final class TCPLoadConnection {
    /// A request whose response is awaited.
    struct Outstanding {
        var message: PatternMessage
        /// Nanoseconds since the start of the run that latency counts from.
        var intended: UInt64
        /// The request's bytes, from the time at which the socket can take them until it has.
        var frame: FrameMemory.Frame?
    }

    let file: Int32
    private(set) var outstanding = RingQueue<Outstanding>()
    /// Requests at the end of `outstanding` that have not been sent completely.
    private var unsent = 0
    private let memory: FrameMemory
    /// Bytes of the first of those, with its prefix, that have been sent.
    private var sentBytes = 0
    private var parser = TCPResponseParser()
    private(set) var isBroken = false
    private var isWrittenOff = false
    /// The socket was full; wait until it can be written.
    private(set) var isBlocked = false
    /// The epoll set waits for the socket to become writable.
    var isWatchedForWriting = false

    init(file: Int32, memory: FrameMemory) {
        self.file = file
        self.memory = memory
    }

    deinit { close(file) }

    func enqueue(_ message: PatternMessage, intended: UInt64) {
        outstanding.append(Outstanding(message: message, intended: intended))
        unsent += 1
    }

    /// Sends as much as the socket takes.
    func flush(with gather: TCPGather) {
        isBlocked = false
        while unsent > 0, !isBroken {
            gather.reset()
            var index = outstanding.count - unsent
            var position = sentBytes
            while index < outstanding.count, gather.add(frame(index), from: position) {
                position = 0
                index += 1
            }
            let sent = gather.send(on: file)
            isBroken = sent < 0
            advance(max(0, sent))
            if sent < gather.count {
                isBlocked = true
                return
            }
        }
    }

    /// As a call's over Homa, a request's bytes come into being when they can leave, not when it was due.
    private func frame(_ index: Int) -> FrameMemory.Frame {
        if let frame = outstanding[index].frame { return frame }
        let frame = memory.frame(of: outstanding[index].message)
        outstanding[index].frame = frame
        return frame
    }

    private func advance(_ count: Int) {
        sentBytes += count
        while unsent > 0 {
            guard let frame = outstanding[outstanding.count - unsent].frame, sentBytes >= frame.count else { return }
            memory.recycle(frame)
            sentBytes -= frame.count
            unsent -= 1
        }
    }

    /// Forgets all requests, which nobody waits for any more, and returns them: nil if it has done so before.
    func writeOff() -> [Outstanding]? {
        guard !isWrittenOff else { return nil }
        isWrittenOff = true
        let requests = (0..<outstanding.count).map { outstanding[$0] }
        for case let frame? in requests.suffix(unsent).map(\.frame) { memory.recycle(frame) }
        outstanding = RingQueue()
        unsent = 0
        return requests
    }

    /// Reads what has arrived and reports each finished response.
    func receive(
        into buffer: UnsafeMutableRawBufferPointer, _ finished: (_ request: Outstanding, _ intact: Bool) -> Void
    ) {
        while !isBroken {
            let count = recv(file, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else {
                isBroken = count == 0 || (errno != EAGAIN && errno != EINTR)
                break
            }
            parse(UnsafeRawBufferPointer(rebasing: buffer[..<count]), finished)
            if count < buffer.count { break }
        }
    }

    private func parse(_ bytes: UnsafeRawBufferPointer, _ finished: (Outstanding, Bool) -> Void) {
        var rest = bytes
        while !rest.isEmpty {
            // A response to nothing, or to a request that has not left yet: the stream makes no sense any more.
            guard let request = outstanding.first, outstanding.count > unsent else {
                isBroken = true
                return
            }
            let (taken, intact) = parser.take(rest, expecting: request.message)
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            guard let intact else { continue }
            finished(outstanding.removeFirst(), intact)
        }
    }
}
