// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("One-way messages of the public API", .timeLimit(.minutes(1)))
    struct SendTests {
        @Test("messages arrive whole, once each, and their sender goes on when they have")
        func arrive() async throws {
            try await withHomaNode(loopback()) { receiver in
                let socket = try receiver.openSocket(port: 100)
                try await withHomaNode(loopback()) { sender in
                    let address = receiver.address(port: 100)
                    let lengths = [1, 100, 1500, 65_537, 1_000_000, 1, 500_000]
                    try await sender.meet(address, socket)
                    for (number, length) in lengths.enumerated() {
                        // Nobody takes it yet: to arrive at the node is enough.
                        try await sender.send(pattern(length, seed: number), to: address, deadline: .seconds(20))
                        let request = try await socket.nextRequest()
                        let bytes = request.message.copyBytes()
                        #expect(bytes == pattern(length, seed: number))
                        let isOneWay = request.isOneWay
                        #expect(isOneWay)
                        // An answer goes nowhere, and does no harm.
                        if number % 2 == 0 { try request.respond([1]) }
                    }
                    #expect(sender.rpcs().isEmpty && receiver.rpcs().isEmpty)
                    #expect(receiver.statistics.endpoint.messagesDelivered == 7)
                }
            }
        }

        @Test("the first message to a stranger arrives as a request, and its sender is content with any answer or none")
        func stranger() async throws {
            try await withHomaNode(loopback()) { receiver in
                let socket = try receiver.openSocket(port: 100)
                for answers in [true, false] {
                    try await withHomaNode(loopback()) { sender in
                        let address = receiver.address(port: 100)
                        async let sent: Void = sender.send([1, 2, 3], to: address, deadline: .seconds(20))
                        let request = try await socket.nextRequest()
                        let (isOneWay, bytes) = (request.isOneWay, request.message.copyBytes())
                        #expect(!isOneWay && bytes == [1, 2, 3])
                        if answers { try request.respond([0]) } else { request.decline() }
                        try await sent
                        #expect(sender.rpcs().isEmpty)
                    }
                }
            }
        }

        @Test("a message to a closed port fails, as one that is cancelled or too long does")
        func failures() async throws {
            try await withEcho { node, server in
                try await withHomaNode(loopback()) { sender in
                    _ = try await sender.ask(server, [1])
                    let closed = node.address(port: 101)
                    #expect(await code { try await sender.send([1], to: closed) } == .noSuchPort)
                    #expect(await code { try await sender.send([], to: server) } == .messageEmpty)
                    let long = [UInt8](repeating: 0, count: 1_000_001)
                    #expect(await code { try await sender.send(long, to: server) } == .messageTooLong)
                    let task = Task {
                        withUnsafeCurrentTask { $0?.cancel() }
                        return await code { try await sender.send([1], to: server) }
                    }
                    #expect(await task.value == .cancelled)
                }
            }
        }
    }
}

extension HomaNode {
    /// Makes the two nodes known to each other, once.
    fileprivate func meet(_ server: HomaAddress, _ socket: HomaSocket) async throws {
        async let answer = ask(server, [9])
        try await socket.nextRequest().respond([9])
        _ = try await answer
    }
}
