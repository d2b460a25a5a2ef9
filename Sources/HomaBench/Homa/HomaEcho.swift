// SPDX-License-Identifier: Apache-2.0

public import Homa
import HomaBase

/// The server side of a load: answers as each request asks for, never blocking.
public enum HomaEcho {
    /// Echoes a request, or answers with as many bytes as its header asks for. A request that contradicts
    /// itself is dropped, and its client is told.
    public static func answer(_ request: consuming HomaRequest) {
        let message = request.message
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
        // The header lies in the first fragment, which is a whole bpage when there are others.
        var header: PatternMessage?
        var isFirst = true
        message.withFragments { fragment in
            guard isFirst else { return }
            isFirst = false
            header = fragment.withUnsafeBytes {
                PatternMessage(front: $0, count: message.count, maximumLength: HomaLimits.maximumMessageLength)
            }
        }
        return header
    }
}

extension HomaBuffer {
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
