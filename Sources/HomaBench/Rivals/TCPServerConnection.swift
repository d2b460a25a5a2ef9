// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The server's end of one connection: takes requests apart, answers them in order.
///
/// A request is answered once it has arrived completely, as RPC servers do. Short responses are gathered
/// and leave with one call per batch read, or each with its own; a long echo leaves straight from the receive
/// buffer, and only what the socket does not take is copied.
final class TCPServerConnection {
    /// What the event loop has to do with the connection.
    enum State: Equatable {
        case open(wantsRead: Bool, wantsWrite: Bool)
        case closed
    }

    /// Responses up to this many bytes are gathered by copying.
    private static let gatherLimit = 16_384
    /// While more response bytes than this wait, nothing more is read.
    private static let outputLimit = 8_000_000
    private static let readSize = 65_536

    let file: Int32
    private let maximumLength: Int
    private let writesEach: Bool
    private let pattern = MessagePattern.shared
    private let input = ByteQueue(capacity: 262_144)
    private let output = ByteQueue(capacity: 65_536)
    private var broken = false

    init(file: Int32, maximumLength: Int, writesEach: Bool) {
        self.file = file
        self.maximumLength = maximumLength
        self.writesEach = writesEach
    }

    deinit { close(file) }

    private var state: State {
        broken ? .closed : .open(wantsRead: output.count <= Self.outputLimit, wantsWrite: output.count > 0)
    }

    /// Reads what has arrived, answers what is complete.
    func receive() -> State {
        while !broken, output.count <= Self.outputLimit {
            let room = input.reserve(Self.readSize)
            let count = recv(file, room.baseAddress, room.count, Int32(MSG_DONTWAIT))
            guard count > 0 else {
                broken = count == 0 || (errno != EAGAIN && errno != EINTR)
                break
            }
            input.commit(count)
            answerAll()
            flush()
            if count < room.count { break }
        }
        return state
    }

    /// Sends what waits.
    func send() -> State {
        flush()
        return state
    }

    private func answerAll() {
        while !broken, input.count >= TCPFrame.prefixLength {
            let bytes = input.bytes
            let length = TCPFrame.readPrefix(bytes.baseAddress.unsafelyUnwrapped)
            guard length >= 1, length <= maximumLength else {
                broken = true
                return
            }
            let frame = TCPFrame.prefixLength + length
            guard bytes.count >= frame else {
                _ = input.reserve(frame - bytes.count)
                return
            }
            answer(UnsafeRawBufferPointer(rebasing: bytes[TCPFrame.prefixLength..<frame]))
            input.consume(frame)
            if writesEach { flush() }
        }
    }

    private func answer(_ request: UnsafeRawBufferPointer) {
        guard let message = PatternMessage(request: request, maximumLength: maximumLength) else {
            broken = true
            return
        }
        let response = message.response
        let isEcho = response.length == request.count
        let copied = isEcho && request.count > Self.gatherLimit ? 0 : response.length
        let target = output.reserve(TCPFrame.prefixLength + copied)
        TCPFrame.writePrefix(response.length, into: target.baseAddress.unsafelyUnwrapped)
        output.commit(TCPFrame.prefixLength)
        guard copied > 0 else { return sendDirectly(request) }
        let body = UnsafeMutableRawBufferPointer(rebasing: target[TCPFrame.prefixLength...].prefix(copied))
        if isEcho { body.copyMemory(from: request) } else { pattern.fill(body, with: response) }
        output.commit(copied)
    }

    /// Sends what waits and then `payload`, in one call; queues what is not taken.
    private func sendDirectly(_ payload: UnsafeRawBufferPointer) {
        let waiting = output.bytes
        var vectors = (
            iovec(iov_base: UnsafeMutableRawPointer(mutating: waiting.baseAddress), iov_len: waiting.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: payload.baseAddress), iov_len: payload.count)
        )
        let sent = withUnsafeMutablePointer(to: &vectors) { pointer in
            pointer.withMemoryRebound(to: iovec.self, capacity: 2) { sendVectors(file, $0, 2) }
        }
        broken = broken || sent < 0
        let taken = max(0, sent)
        let fromQueue = min(taken, waiting.count)
        output.consume(fromQueue)
        output.append(UnsafeRawBufferPointer(rebasing: payload[(taken - fromQueue)...]))
    }

    private func flush() {
        while !broken, output.count > 0 {
            let waiting = output.bytes
            let sent = Glibc.send(file, waiting.baseAddress, waiting.count, Int32(MSG_NOSIGNAL))
            if sent > 0 { output.consume(sent) }
            if sent < waiting.count {
                broken = sent < 0 && errno != EAGAIN && errno != EINTR
                return
            }
        }
    }
}

/// Sends from several places with one call. Returns the bytes taken (0 when the socket is full), -1 when it is broken.
func sendVectors(_ file: Int32, _ vectors: UnsafeMutablePointer<iovec>, _ count: Int) -> Int {
    var header = msghdr()
    header.msg_iov = vectors
    header.msg_iovlen = count
    let sent = sendmsg(file, &header, Int32(MSG_NOSIGNAL))
    if sent >= 0 { return sent }
    return errno == EAGAIN || errno == EINTR ? 0 : -1
}
