// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("Tasks on the node's thread", .timeLimit(.minutes(1)))
    struct ExecutorTests {
        @Test("calls made there work, many and nested")
        func calls() async throws {
            try await withEcho { _, server in
                try await withHomaNode(loopback()) { client in
                    let total = try await client.withEngineExecutor {
                        try await withThrowingTaskGroup(of: Int.self) { group in
                            for index in 1...100 {
                                group.addTask { try await client.call(server, sending: pattern(index)).count }
                            }
                            return try await group.reduce(0, +)
                        }
                    }
                    #expect(total == 5050)
                    #expect(client.statistics.jobs > 100)
                }
            }
        }

        @Test(
            "a call made there can be given up, at once or later, whether the node sleeps or not",
            arguments: [HomaConfiguration.Spin.never, .forever], [0, 300, 20_000])
        func cancels(spin: HomaConfiguration.Spin, microseconds: Int) async throws {
            var configuration = loopback()
            configuration.spin = spin
            try await withHomaNode(configuration) { node in
                let silent = try node.openSocket(port: 4000)
                let server = node.address(port: 4000)
                let calls = (1...20).map { index in
                    Task(executorPreference: node.executor) {
                        await code { _ = try await node.call(server, sending: pattern(index)) }
                    }
                }
                try await node.sleep(for: .microseconds(microseconds))
                for call in calls { call.cancel() }
                for call in calls {
                    let outcome = await call.value
                    #expect(outcome == .cancelled)
                }
                silent.close()
            }
        }

        @Test("a task outlives the node it prefers")
        func taskOutlivesNode() async throws {
            let node = try HomaNode(configuration: loopback())
            let task = Task(executorPreference: node.executor) {
                await node.shutdown()
                await Task.yield()
                return await code { _ = try await node.call("127.0.0.1:9", sending: [1]) }
            }
            #expect(await task.value == .nodeClosed)
        }

        @Test("sleeps end in order and on time", arguments: [HomaConfiguration.Spin.never, .forever])
        func sleep(spin: HomaConfiguration.Spin) async throws {
            var configuration = loopback()
            configuration.spin = spin
            try await withHomaNode(configuration) { node in
                let lateness = try await node.withEngineExecutor {
                    var least = UInt64.max
                    for _ in 0..<20 {
                        let deadline = node.now + .microseconds(200)
                        try await node.sleep(until: deadline)
                        #expect(node.now >= deadline)
                        least = min(least, node.now.nanoseconds(since: deadline))
                    }
                    return least
                }
                #expect(lateness < 2_000_000)
                let sleeping = Task { await code { try await node.sleep(for: .seconds(30)) } }
                sleeping.cancel()
                #expect(await sleeping.value == .cancelled)
            }
        }
    }
}
