// SPDX-License-Identifier: Apache-2.0

public import Homa
import HomaBase

/// The server side of a load: answers as each request asks for, never blocking.
public enum HomaEcho {
    /// Echoes a request, or answers with as many bytes as its header asks for. A request that contradicts
    /// itself is dropped, and its client is told.
    public static func answer(_ request: consuming HomaRequest, framing: MessageFraming = .pattern) {
        let message = request.message
        guard framing == .pattern else {
            if let response = HomaBuffer(answering: message) { try? request.respond(response) }
            return
        }
        guard let pattern = header(of: message) else { return }
        let response = pattern.response
        // The response to a client that has gone goes nowhere; that is no error of the server's.
        if response.length == message.count {
            try? request.respondWithRequest()
        } else {
            try? request.respond(HomaBuffer(response))
        }
    }

    private static func header(of message: HomaMessage) -> PatternMessage? {
        message.withFront {
            PatternMessage(front: $0, count: message.count, maximumLength: HomaLimits.maximumMessageLength)
        }
    }
}

extension HomaBuffer {
    /// What answers a request of `cp-node`; nil when it has no header, or one that says another length.
    init?(answering message: HomaMessage) {
        let header = message.withFront { front in
            front.count < MessageFraming.cpNode.headerLength
                ? nil
                : (length: front.loadUnaligned(as: UInt32.self).littleEndian, flags: front[10])
        }
        guard let header, header.length == UInt32(message.count) else { return nil }
        let isShort = header.flags & 2 != 0
        let count = isShort ? min(message.count, MessageFraming.shortResponse) : message.count
        self.init(count: count) { output in
            output.withUnsafeMutableBytes { target, initialized in
                var done = 0
                message.withFragments { fragment in
                    fragment.withUnsafeBytes { bytes in
                        let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(count - done))
                        UnsafeMutableRawBufferPointer(rebasing: target[done...]).copyMemory(from: part)
                        done += part.count
                    }
                }
                target.storeBytes(of: UInt32(count).littleEndian, as: UInt32.self)
                target[10] = header.flags | 4
                initialized = count
            }
        }
    }

    /// A buffer with the bytes of a pattern message.
    init(_ message: PatternMessage) {
        self.init(count: message.length) { message.write(to: &$0) }
    }
}

extension PatternMessage {
    /// Appends the message's bytes, for which there must be room.
    func write(to output: inout OutputRawSpan) {
        output.withUnsafeMutableBytes { bytes, initialized in
            MessagePattern.shared.fill(UnsafeMutableRawBufferPointer(rebasing: bytes[..<length]), with: self)
            initialized = length
        }
    }
}

extension HomaMessage {
    /// Shows the first fragment, in which every header lies: it is a whole bpage when there are others.
    fileprivate func withFront<Result>(_ body: (UnsafeRawBufferPointer) -> Result?) -> Result? {
        var result: Result?
        var isFirst = true
        withFragments { fragment in
            guard isFirst else { return }
            isFirst = false
            result = fragment.withUnsafeBytes(body)
        }
        return result
    }

    /// True when the message is exactly `expected`.
    func matches(_ expected: PatternMessage) -> Bool {
        guard count == expected.length else { return false }
        var offset = 0
        var isIntact = true
        withFragments { fragment in
            fragment.withUnsafeBytes { bytes in
                isIntact = isIntact && MessagePattern.shared.matches(bytes, at: offset, of: expected)
                offset += bytes.count
            }
        }
        return isIntact
    }
}

extension HomaEcho {
    /// Homa port of a node whose UDP port is no valid server port.
    package static var fallbackPort: UInt16 { 99 }

    /// What clients write to reach a server that was started with UDP port 0.
    package static func address(host: String, udpPort: UInt16) -> String {
        udpPort < HomaLimits.firstClientPort ? "\(host):\(udpPort)" : "\(host):\(udpPort)/\(fallbackPort)"
    }
}
