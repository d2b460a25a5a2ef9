// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import Glibc

/// The floor under every latency: one datagram to and fro over a plain UDP socket, both ends spinning.
public enum UDPPingPong {
    /// What a ping-pong measured.
    public struct Result: Sendable {
        /// Round trips in the measured window.
        public var latency = LatencyRecorder()
        /// Datagrams that did not come back within `lossTimeout`.
        public var lost: UInt64 = 0
        /// Answers with wrong bytes.
        public var verificationFailures: UInt64 = 0
    }

    /// A datagram that has not come back after this many nanoseconds (100 ms) is lost.
    public static let lossTimeout: UInt64 = 100_000_000

    /// Sends datagrams of `bytes` bytes one after the other, each when the last has come back, and checks every
    /// answer. Spins on the calling thread for `warmUp` and `duration`.
    public static func run(
        server: PeerAddress, bytes: Int = 100, warmUp: Duration = .milliseconds(200),
        duration: Duration = .seconds(1), seed: UInt64 = 1
    ) throws(SocketError) -> Result {
        let client = try UDPPingClient(server: server, bytes: bytes, seed: seed)
        let window = MeasurementWindow(warmUp: warmUp, duration: duration)
        let start = MonotonicClock.now()
        var result = Result()
        while true {
            let sent = MonotonicClock.now() - start
            guard sent < window.end else { return result }
            switch try client.exchange() {
            case .intact where window.contains(sent):
                result.latency.record(nanoseconds: MonotonicClock.now() - start - sent)
            case .intact: break
            case .wrong: result.verificationFailures += 1
            case .lost: result.lost += 1
            }
        }
    }
}

/// The client's socket and its two buffers.
private final class UDPPingClient {
    enum Outcome { case intact, wrong, lost }

    private let file: Int32
    private let seed: UInt64
    private let request: UnsafeMutableRawBufferPointer
    private let answer: UnsafeMutableRawBufferPointer
    private var sequence: UInt64 = 0

    init(server: PeerAddress, bytes: Int, seed: UInt64) throws(SocketError) {
        file = try Sockets.datagram(connectedTo: server)
        self.seed = seed
        request = .allocate(byteCount: bytes, alignment: 64)
        answer = .allocate(byteCount: 65_536, alignment: 64)
    }

    deinit {
        close(file)
        request.deallocate()
        answer.deallocate()
    }

    func exchange() throws(SocketError) -> Outcome {
        let key = MessagePattern.key(seed: seed, sequence: sequence)
        let message = PatternMessage(key: key, length: request.count, responseLength: request.count)
        MessagePattern.shared.fill(request, with: message)
        sequence += 1
        guard send(file, request.baseAddress, request.count, 0) >= 0 else { throw .last("send") }
        let deadline = MonotonicClock.now() + UDPPingPong.lossTimeout
        var turn = 0
        while true {
            let count = recv(file, answer.baseAddress, answer.count, Int32(MSG_DONTWAIT))
            if count >= 0 {
                let bytes = UnsafeRawBufferPointer(rebasing: answer[..<count])
                if MessagePattern.shared.verify(bytes, is: message) { return .intact }
                guard isLate(bytes) else { return .wrong }
            } else {
                guard errno == EAGAIN || errno == EINTR else { throw .last("recv") }
            }
            turn += 1
            if turn % 256 == 0, MonotonicClock.now() > deadline { return .lost }
        }
    }

    /// True for the intact answer to an earlier datagram that was given up: another message, all of it right.
    private func isLate(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count == request.count, bytes.count > PatternMessage.headerLength,
            let other = PatternMessage(request: bytes, maximumLength: bytes.count)
        else { return false }
        return MessagePattern.shared.verify(bytes, is: other)
    }
}
