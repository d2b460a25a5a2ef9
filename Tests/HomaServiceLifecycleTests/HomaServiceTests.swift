// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaServiceLifecycle
import Logging
import ServiceLifecycle
import Testing

@Suite("A node in a service group", .serialized, .timeLimit(.minutes(1)))
struct HomaServiceTests {
    private func makeNode() throws -> HomaNode {
        var configuration = HomaConfiguration()
        configuration.bindAddress = "127.0.0.1"
        return try HomaNode(configuration: configuration)
    }

    private func group(_ services: [any Service]) -> ServiceGroup {
        ServiceGroup(configuration: .init(services: services.map { .init(service: $0) }, logger: Logger(label: "test")))
    }

    /// Method: the group is told to shut down, as by SIGTERM, while a handler is at work; its answer needs grants, so
    /// that most of it leaves only if somebody goes on sending.
    @Test("a handler at work comes to its end, its answer arrives, and then the group ends")
    func ends() async throws {
        let node = try makeNode()
        let address = HomaAddress(node: node.localAddress, port: 100)
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let (released, release) = AsyncStream<Void>.makeStream()
        let service = HomaService(node, port: 100) { socket in
            try await socket.serve { request in
                guard request.message.copyBytes() == [1] else { return try request.respond([2]) }
                begin.yield()
                for await _ in released { break }
                try request.respond([UInt8](repeating: 7, count: 900_000))
            }
        }
        let group = group([service])
        let running = Task { try await group.run() }
        try await withHomaNode { client in
            let call = Task { try await callUntilServed(client, address) }
            for await _ in begun { break }
            await group.triggerGracefulShutdown()
            // From now on nobody else is served, though the first is.
            while await code(of: { _ = try await client.call(address, sending: [2]) }) != .serverDraining {}
            release.yield()
            let bytes = try await call.value
            #expect(bytes == [UInt8](repeating: 7, count: 900_000))
            try await running.value
        }
        #expect(await code(of: { _ = try await node.call(address, sending: [1]) }) == .nodeClosed)
    }

    @Test("a node that only calls ends after the services behind it")
    func client() async throws {
        let node = try makeNode()
        let group = group([HomaService(node), Caller(node: node)])
        let running = Task { try await group.run() }
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(throws: HomaError.self) { try node.openSocket(port: 100) }
    }

    @Test("a port that cannot be opened ends the group with the error, and the node")
    func refused() async throws {
        let node = try makeNode()
        let taken = try node.openSocket(port: 100)
        let group = group([HomaService(node, port: 100) { try await $0.serveInline { _ in } }])
        await #expect(throws: HomaError.self) { try await group.run() }
        #expect(await code(of: { _ = try await taken.nextRequest() }) == .socketClosed)
    }

    @Test("a cancelled group cancels handlers and ends the node")
    func cancelled() async throws {
        let node = try makeNode()
        let address = HomaAddress(node: node.localAddress, port: 100)
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let group = group([
            HomaService(node, port: 100) { socket in
                try await socket.serve { _ in
                    begin.yield()
                    try await Task.sleep(for: .seconds(3600))
                }
            }
        ])
        let running = Task { try await group.run() }
        try await withHomaNode { client in
            let call = Task { await code { _ = try await callUntilServed(client, address) } }
            for await _ in begun { break }
            running.cancel()
            _ = await running.result
            let failure = await call.value
            #expect(failure != nil)
        }
        #expect(await code(of: { _ = try await node.call(address, sending: [1]) }) == .nodeClosed)
    }

    /// The group may be slower to open the port than the client to call.
    private func callUntilServed(_ client: HomaNode, _ address: HomaAddress) async throws -> [UInt8] {
        while true {
            do { return try await client.call(address, sending: [1]).copyBytes() } catch {
                guard error.code == .noSuchPort else { throw error }
            }
        }
    }

    private func code(of body: () async throws -> Void) async -> HomaError.Code? {
        do {
            try await body()
            return nil
        } catch { return (error as? HomaError)?.code }
    }
}

/// Needs its node until its own end.
private struct Caller: Service {
    let node: HomaNode

    func run() async throws {
        try await gracefulShutdown()
        // The node is still there: a port can be opened.
        _ = try node.openSocket(port: 1)
    }
}
