// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Synchronization
import Testing

@testable import HomaIO

extension LoopbackTests {
    @Suite("Calls that wait for admission", .timeLimit(.minutes(1)))
    struct AdmissionTests {
        /// One request of 100 KB is under way at a time, however long its answer takes.
        private static var narrow: HomaConfiguration {
            var configuration = loopback()
            configuration.endpoint.bytesUnderWayPerPeer = 100_000
            configuration.endpoint.adaptsWindows = false
            configuration.endpoint.resendAfter = .seconds(10)
            configuration.endpoint.resendIntervalLimit = .seconds(10)
            configuration.endpoint.timeout = .seconds(40)
            return configuration
        }

        private static func waitUntil(_ condition: () -> Bool) async throws {
            while !condition() { try await Task.sleep(for: .milliseconds(1)) }
        }

        @Test("the bytes of a call that waits come into being at its turn, and those of one given up never")
        func bytes() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                let address = server.address(port: 100)
                try await withHomaNode(Self.narrow) { client in
                    let caller = Caller(client, address)
                    let first = Task { await caller.call(1) }
                    let request = try await socket.nextRequest()
                    let (second, third) = (Task { await caller.call(2) }, Task { await caller.call(3) })
                    try await Self.waitUntil { client.statistics.endpoint.callsQueued == 2 }
                    second.cancel()
                    #expect(await second.value.code == .cancelled)
                    #expect(caller.filled == [1])
                    try request.respond([7])
                    #expect(await first.value.reply == [7])
                    let last = try await socket.nextRequest()
                    let isIntact = last.message.copyBytes() == [UInt8](repeating: 3, count: 100_003)
                    #expect(isIntact)
                    try last.respond([8])
                    #expect(await third.value.reply == [8])
                    #expect(caller.filled == [1, 3])
                }
            }
        }

        @Test("an array that waits is shared, not copied, and arrives as it was when it was handed over")
        func arrays() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                let address = server.address(port: 100)
                try await withHomaNode(Self.narrow) { client in
                    var bytes = [UInt8](repeating: 1, count: 100_000)
                    let first = Task { [bytes] in try await client.call(address, sending: bytes).copyBytes() }
                    let request = try await socket.nextRequest()
                    let second = Task { [bytes] in try await client.call(address, sending: bytes).copyBytes() }
                    try await Self.waitUntil { client.statistics.endpoint.callsQueued == 1 }
                    bytes[99_999] = 2
                    try request.respond([7])
                    let last = try await socket.nextRequest()
                    let isIntact = last.message.copyBytes() == [UInt8](repeating: 1, count: 100_000)
                    #expect(isIntact)
                    try last.respond([8])
                    #expect(try await first.value == [7])
                    #expect(try await second.value == [8])
                }
            }
        }

        @Test("bytes that the closure leaves out are zero, and a length that no message has is refused at once")
        func shortFill() async throws {
            try await withEcho { _, server in
                try await withHomaNode(loopback()) { client in
                    let reply = try await client.call(server, count: 10) { $0.append(7, as: UInt8.self) }
                    #expect(reply.copyBytes() == [7, 0, 0, 0, 0, 0, 0, 0, 0, 0])
                    for (count, expected) in [(0, HomaError.Code.messageEmpty), (1_000_001, .messageTooLong)] {
                        #expect(
                            await code { _ = try await client.call(server, count: count) { _ in } } == expected)
                    }
                }
            }
        }

        @Test("memory of messages that have left is kept up to a limit, and what is beyond goes back")
        func keptMemory() {
            let buffers = (0..<100).map { _ in OutgoingBuffer(count: 1_000_000) { _ in } }
            withExtendedLifetime(buffers) {}
            #expect(BufferMemory.keptByteCount <= BufferMemory.keptLimit)
        }
    }
}

/// Makes calls of about 100 KB and notes whose bytes came into being.
private final class Caller: Sendable {
    private let client: HomaNode
    private let server: HomaAddress
    private let order = Mutex<[Int]>([])

    init(_ client: HomaNode, _ server: HomaAddress) {
        self.client = client
        self.server = server
    }

    var filled: [Int] { order.withLock { $0 } }

    func call(_ number: Int) async -> (code: HomaError.Code?, reply: [UInt8]) {
        do {
            let reply = try await client.call(server, count: 100_000 + number) { [self] output in
                order.withLock { $0.append(number) }
                output.append(repeating: UInt8(number), count: 100_000 + number, as: UInt8.self)
            }
            return (nil, reply.copyBytes())
        } catch {
            return (error.code, [])
        }
    }
}
