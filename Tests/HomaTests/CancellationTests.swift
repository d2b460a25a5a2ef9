// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Synchronization
import Testing

private final class Count: Sendable {
    let value = Atomic<Int>(0)
}

extension LoopbackTests {
    @Suite("Cancellation and deadlines reach the server", .timeLimit(.minutes(1)))
    struct CancellationTests {
        @Test("a request whose call is cancelled is abandoned at its server, and an answer to it goes nowhere")
        func abandoned() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    let task = Task { [address = server.address(port: 100)] in
                        await code { _ = try await client.call(address, sending: [1]) }
                    }
                    let request = try await socket.nextRequest()
                    let before = (request.isAbandoned, request.deadline, request.remaining)
                    #expect(!before.0 && before.1 == nil && before.2 == nil)
                    task.cancel()
                    while !request.isAbandoned { try await Task.sleep(for: .milliseconds(1)) }
                    #expect(await task.value == .cancelled)
                    #expect(server.rpcs().isEmpty)
                    #expect(server.statistics.abandonedRequests == 1)
                    #expect(server.statistics.endpoint.requestsCancelled == 1)
                    try request.respond([1])
                    let again = try await socketAnswers(socket, client, server.address(port: 100))
                    #expect(again == [2])
                }
            }
        }

        private func socketAnswers(
            _ socket: HomaSocket, _ client: HomaNode, _ address: HomaAddress
        ) async throws -> [UInt8] {
            async let answer = client.ask(address, [1])
            let request = try await socket.nextRequest()
            let isAbandoned = request.isAbandoned
            #expect(!isAbandoned)
            try request.respond([2])
            return try await answer
        }

        @Test("a handler is cancelled when its client gives up, and others are not", arguments: [true, false])
        func handler(onEngine: Bool) async throws {
            let (begun, begin) = AsyncStream<Void>.makeStream()
            let cancelled = Count()
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                let address = server.address(port: 100)
                try await withHomaNode(loopback()) { client in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask {
                            try await socket.serve(on: onEngine ? .engine : .concurrentPool) { request in
                                guard request.message.copyBytes() == [1] else { return try request.respond([9]) }
                                begin.yield()
                                do { try await Task.sleep(for: .seconds(60)) } catch {
                                    cancelled.value.add(1, ordering: .relaxed)
                                }
                            }
                        }
                        let tasks = (0..<3).map { _ in
                            Task { await code { _ = try await client.call(address, sending: [1]) } }
                        }
                        var started = begun.makeAsyncIterator()
                        for _ in tasks { await started.next() }
                        for (count, task) in tasks.enumerated() {
                            task.cancel()
                            #expect(await task.value == .cancelled)
                            while cancelled.value.load(ordering: .relaxed) <= count {
                                try await Task.sleep(for: .milliseconds(1))
                            }
                            // One at a time, and the others are served.
                            #expect(cancelled.value.load(ordering: .relaxed) == count + 1)
                            for _ in 0..<20 { #expect(try await client.ask(address, [2]) == [9]) }
                        }
                        socket.close()
                        try await group.waitForAll()
                    }
                }
            }
        }

        @Test("cancellation travels on: a call that a handler makes for its client ends with it")
        func chain() async throws {
            try await withHomaNode(loopback()) { back in
                let backSocket = try back.openSocket(port: 100)
                try await withHomaNode(loopback()) { front in
                    let frontSocket = try front.openSocket(port: 100)
                    try await withHomaNode(loopback()) { client in
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            group.addTask { [address = back.address(port: 100)] in
                                try await frontSocket.serve { request in
                                    let answer = try await front.call(
                                        address, sending: [7], deadline: request.remaining)
                                    try request.respond(copying: answer)
                                }
                            }
                            let task = Task { [address = front.address(port: 100)] in
                                await code { _ = try await client.call(address, sending: [1], deadline: .seconds(50)) }
                            }
                            let request = try await backSocket.nextRequest()
                            let stated = request.remaining
                            let remaining = try #require(stated)
                            #expect(remaining > .seconds(5) && remaining < .seconds(50.2))
                            task.cancel()
                            while !request.isAbandoned { try await Task.sleep(for: .milliseconds(1)) }
                            frontSocket.close()
                            try await group.waitForAll()
                        }
                    }
                }
            }
        }

        @Test("a request that is given up while it waits is dropped, and no handler has it")
        func waiting() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                let address = server.address(port: 100)
                try await withHomaNode(loopback()) { client in
                    let kept = Task { try await client.ask(address, [9]) }
                    while server.statistics.endpoint.requestsDelivered < 1 {
                        try await Task.sleep(for: .milliseconds(1))
                    }
                    let tasks = (0..<5).map { number in
                        Task { await code { _ = try await client.call(address, sending: pattern(50_000 + number)) } }
                    }
                    while server.statistics.endpoint.requestsDelivered < 6 {
                        try await Task.sleep(for: .milliseconds(1))
                    }
                    for task in tasks.reversed() { task.cancel() }
                    while server.statistics.unservedRequests < 5 { try await Task.sleep(for: .milliseconds(1)) }
                    #expect(server.statistics.pool.leasesLive == 1, "their buffers are home")
                    let request = try await socket.nextRequest()
                    #expect(request.message.copyBytes() == [9])
                    try request.respond([3])
                    #expect(try await kept.value == [3])
                    #expect(server.statistics.abandonedRequests == 5)
                }
            }
        }

        @Test("the deadline of a call comes with its request, and the server hears when it has passed")
        func deadline() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    let task = Task { [address = server.address(port: 100)] in
                        await code { _ = try await client.call(address, sending: [1], deadline: .milliseconds(200)) }
                    }
                    let request = try await socket.nextRequest()
                    let stated = request.deadline
                    let deadline = try #require(stated)
                    #expect(deadline < server.now + .milliseconds(201))
                    while !request.isAbandoned { try await Task.sleep(for: .milliseconds(1)) }
                    #expect(await task.value == .deadlineExceeded)
                    let remaining = request.remaining
                    #expect(remaining == .zero || server.statistics.endpoint.requestsCancelled == 1)
                    #expect(server.statistics.abandonedRequests == 1)
                }
            }
        }

        @Test(
            "calls that are cancelled at any moment leave nothing behind, and the others are answered",
            arguments: [1, 2])
        func random(shards: Int) async throws {
            var configuration = loopback()
            configuration.shards = shards
            try await withHomaNode(configuration) { server in
                let socket = try server.openSocket(port: 100)
                let address = server.address(port: 100)
                let serving = Task {
                    try await socket.serve(maximumConcurrency: 16) { request in
                        let bytes = request.message.copyBytes()
                        if bytes[0] & 1 == 1 { try await Task.sleep(for: .microseconds(200)) }
                        try request.respond(bytes)
                    }
                }
                try await withHomaNode(loopback()) { client in
                    var random = SeededRandom(seed: 5)
                    for round in 0..<40 {
                        let calls = (0..<24).map { number in
                            Task { try await client.ask(address, [UInt8(number), UInt8(round)]) }
                        }
                        for (number, call) in calls.enumerated() where number % 3 == 0 {
                            if random.next() & 1 == 1 { await Task.yield() }
                            call.cancel()
                        }
                        for (number, call) in calls.enumerated() {
                            let answer = try? await call.value
                            // A call may have been answered before it was cancelled.
                            let isRight = answer == [UInt8(number), UInt8(round)]
                            #expect(isRight || answer == nil && number % 3 == 0)
                        }
                    }
                    #expect(client.rpcs().isEmpty)
                }
                while !server.rpcs().isEmpty { try await Task.sleep(for: .milliseconds(1)) }
                #expect(server.statistics.pool.leasesLive == 0)
                socket.close()
                try await serving.value
            }
        }

        @Test("a shared request says whether it is abandoned until it is answered")
        func shared() async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                let address = node.address(port: 100)
                let given = Task { await code { _ = try await node.call(address, sending: [1]) } }
                let first = SharedHomaRequest.sharing(try await socket.nextRequest())
                given.cancel()
                while !first.isAbandoned { try await Task.sleep(for: .milliseconds(1)) }
                async let answer = node.ask(address, [2])
                let second = SharedHomaRequest.sharing(try await socket.nextRequest())
                try second.respond([5])
                #expect(try await answer == [5])
                // Their record has had another request since.
                #expect(first.isAbandoned && !second.isAbandoned)
            }
        }
    }
}
