// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Synchronization
import Testing

/// Counts how many are inside at once.
private final class ConcurrencyMeter: Sendable {
    private let counts = Mutex((inside: 0, most: 0))

    var most: Int { counts.withLock { $0.most } }

    func enter() {
        counts.withLock {
            $0.inside += 1
            $0.most = max($0.most, $0.inside)
        }
    }

    func leave() { counts.withLock { $0.inside -= 1 } }
}

extension LoopbackTests {
    @Suite("Serving", .timeLimit(.minutes(1)))
    struct ServeTests {
        @Test(
            "handlers on the pool and on the node's thread answer",
            arguments: [HomaSocket.HandlerPlace.concurrentPool, .engine])
        func places(place: HomaSocket.HandlerPlace) async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await socket.serve(on: place) { try $0.respondWithRequest() } }
                    for seed in 0..<50 {
                        let bytes = pattern(700 * seed + 1, seed: seed)
                        let answer1 = try await node.ask(node.address(port: 100), bytes)
                        #expect(answer1 == bytes)
                    }
                    socket.close()
                }
            }
        }

        @Test("the everyday form of a server and its client")
        func everyday() async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                let serving = Task {
                    try await socket.serve { request in
                        let message = request.message
                        try request.respond(copying: message)
                    }
                }
                let reply = try await node.call(
                    "127.0.0.1:\(node.udpPort)/100", sending: pattern(40), deadline: .seconds(5))
                let last = reply.withContiguousBytes { $0.unsafeLoad(fromByteOffset: 39, as: UInt8.self) }
                #expect(last == pattern(40)[39])
                socket.close()
                try await serving.value
            }
        }

        @Test("no more handlers run at once than allowed")
        func concurrencyLimit() async throws {
            let meter = ConcurrencyMeter()
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await socket.serve(maximumConcurrency: 3) { request in
                            meter.enter()
                            try await node.sleep(for: .milliseconds(2))
                            meter.leave()
                            try request.respond([1])
                        }
                    }
                    try await withThrowingTaskGroup(of: Void.self) { calls in
                        for _ in 0..<30 {
                            calls.addTask { _ = try await node.call(node.address(port: 100), sending: [1]) }
                        }
                        try await calls.waitForAll()
                    }
                    socket.close()
                }
            }
            #expect((1...3).contains(meter.most))
        }

        @Test("a handler that throws drops its request and serving goes on")
        func throwingHandler() async throws {
            struct Failure: Error {}
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await socket.serve { request in
                            if request.message.copyBytes() == [0] { throw Failure() }
                            try request.respond([1])
                        }
                    }
                    let address = node.address(port: 100)
                    #expect(await code { _ = try await node.call(address, sending: [0]) } == .requestDropped)
                    let answer2 = try await node.ask(address, [1])
                    #expect(answer2 == [1])
                    socket.close()
                }
            }
        }

        @Test("cancelling a serving task ends it; the port stays open until the socket goes")
        func cancellation() async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                let pool = Task { await code { try await socket.serve { try $0.respond([1]) } } }
                let inline = Task { await code { try await socket.serveInline { try? $0.respond([2]) } } }
                let next = Task { await code { _ = try await socket.nextRequest() } }
                try await Task.sleep(for: .milliseconds(20))
                for task in [pool, inline, next] { task.cancel() }
                for task in [pool, inline, next] { #expect(await task.value == .cancelled) }
                #expect(await code { _ = try node.openSocket(port: 100) } == .portInUse)
            }
        }

        @Test("closing a socket declines what nobody has taken and frees the port")
        func close() async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                let address = node.address(port: 100)
                let call = Task { await code { _ = try await node.call(address, sending: [1]) } }
                while node.statistics.endpoint.requestsDelivered == 0 { try await Task.sleep(for: .milliseconds(1)) }
                socket.close()
                #expect(await call.value == .requestDropped)
                let again = try node.openSocket(port: 100)
                #expect(await code { _ = try await socket.nextRequest() } == .socketClosed)
                again.close()
            }
        }

        @Test("a socket that goes away closes its port")
        func socketScope() async throws {
            try await withHomaNode(loopback()) { node in
                do { _ = try node.openSocket(port: 100) }
                let socket = try node.openSocket(port: 100)
                socket.close()
                #expect(await code { _ = try node.openSocket(port: 0x8000) } == .invalidPort)
            }
        }

        @Test("requests that wait when an inline handler begins are served")
        func inlineAfterArrival() async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                let call = Task { try await node.ask(node.address(port: 100), [3]) }
                while node.statistics.endpoint.requestsDelivered == 0 { try await Task.sleep(for: .milliseconds(1)) }
                let serving = Task { try await socket.serveInline { try? $0.respondWithRequest() } }
                let answer3 = try await call.value
                #expect(answer3 == [3])
                socket.close()
                try await serving.value
            }
        }

        @Test("the request names its client and its bytes are lent")
        func requestFacts() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    async let reply = client.ask(server.address(port: 100), pattern(10))
                    let request = try await socket.nextRequest()
                    #expect(request.client.node == client.localAddress)
                    #expect(request.client.port >= 0x8000)
                    #expect(request.id.isServerSide)
                    #expect(request.message.copyBytes() == pattern(10))
                    #expect(server.rpcs().first?.phase == .inService)
                    try request.respond(copying: [1, 2, 3].span)
                    let answer = try await reply
                    #expect(answer == [1, 2, 3])
                }
            }
        }
    }
}
