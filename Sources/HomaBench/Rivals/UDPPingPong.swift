// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import Glibc
public import HomaPosix
import HomaWorkloads

/// The floor under every latency: one datagram to and fro over a plain UDP socket, both ends spinning.
public enum UDPPingPong {
    /// A datagram that has not come back after this many nanoseconds (100 ms) is lost.
    public static let lossTimeout: UInt64 = 100_000_000

    /// Sends datagrams of `bytes` bytes one after the other, each when the last has come back or is lost, and checks
    /// every answer. Spins on the calling thread for `warmUp` and `duration`.
    public static func run(
        server: PeerAddress, bytes: Int = 100, warmUp: Duration = .milliseconds(200),
        duration: Duration = .seconds(1), seed: UInt64 = 1
    ) throws(SystemError) -> LoadResult {
        let client = try UDPPingClient(server: server, bytes: bytes, seed: seed)
        let plan = LoadPlan(
            sizes: .fixed(bytes), pace: .closedLoop(outstanding: 1), warmUp: warmUp, duration: duration, seed: seed)
        var recorder = LoadRecorder(plan: plan, protocolName: "udp")
        let start = MonotonicClock.nanoseconds()
        while true {
            let sent = MonotonicClock.nanoseconds() - start
            guard sent < plan.window.end else { return recorder.finish() }
            recorder.issued(intended: sent, now: sent)
            let (message, outcome) = try client.exchange()
            let now = MonotonicClock.nanoseconds() - start
            switch outcome {
            case .lost: recorder.failed(bytes: bytes, intended: sent, now: now, why: "a datagram did not come back")
            case .intact, .wrong:
                recorder.completed(request: message, intended: sent, now: now, intact: outcome == .intact)
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

    init(server: PeerAddress, bytes: Int, seed: UInt64) throws(SystemError) {
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

    func exchange() throws(SystemError) -> (PatternMessage, Outcome) {
        let key = MessagePattern.key(seed: seed, sequence: sequence)
        let message = PatternMessage(key: key, length: request.count, responseLength: request.count)
        MessagePattern.shared.fill(request, with: message)
        sequence += 1
        guard send(file, request.baseAddress, request.count, 0) >= 0 else { throw .last("send") }
        let deadline = MonotonicClock.nanoseconds() + UDPPingPong.lossTimeout
        var turn = 0
        while true {
            let count = recv(file, answer.baseAddress, answer.count, Int32(MSG_DONTWAIT))
            if count >= 0 {
                let bytes = UnsafeRawBufferPointer(rebasing: answer[..<count])
                if MessagePattern.shared.verify(bytes, is: message) { return (message, .intact) }
                guard isLate(bytes) else { return (message, .wrong) }
            } else {
                guard errno == EAGAIN || errno == EINTR else { throw .last("recv") }
            }
            turn += 1
            if turn % 256 == 0, MonotonicClock.nanoseconds() > deadline { return (message, .lost) }
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
