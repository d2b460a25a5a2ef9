// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaTestKit
import HomaWorkloads
import Testing

@testable import HomaBench

@Suite("The framing of cp_node", .timeLimit(.minutes(1)))
struct FramingTests {
    private func bytes(of message: PatternMessage) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: message.length)
        bytes.withUnsafeMutableBytes { MessagePattern.shared.fill($0, with: message) }
        return bytes
    }

    @Test("a request has the fields of the kernel module's program where that has them")
    func golden() {
        let echo = PatternMessage(key: 0x1234_5678_9ABC_DEF0, length: 300, responseLength: 300, framing: .cpNode)
        let head: [UInt8] = [0x2C, 1, 0, 0, 0xF0, 0xDE, 0xBC, 0x9A, 0x78, 0x56]
        #expect(Array(bytes(of: echo).prefix(12)) == head + [0, 0])
        #expect(Array(bytes(of: echo.response).prefix(12)) == head + [4, 0])
        #expect(Array(bytes(of: echo.response).dropFirst(12)) == Array(bytes(of: echo).dropFirst(12)))
        let short = PatternMessage(key: 0x1234_5678_9ABC_DEF0, length: 300, responseLength: 100, framing: .cpNode)
        #expect(Array(bytes(of: short).prefix(12)) == head + [2, 0])
        #expect(short.response.length == 100)
        #expect(Array(bytes(of: short.response).prefix(12)) == [100, 0, 0, 0] + head.dropFirst(4) + [6, 0])
    }

    private func answer(to request: [UInt8]) async throws -> [UInt8] {
        try await TestNetwork.answer(to: request) { HomaEcho.answer($0, framing: .cpNode) }.copyBytes()
    }

    @Test("the server answers as the kernel module's does, whatever the rest of a request holds")
    func server() async throws {
        let request: [UInt8] = [200, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 9] + (0..<188).map { UInt8($0) }
        var echo = request
        echo[10] = 4
        #expect(try await answer(to: request) == echo)
        var short = request
        short[10] = 2
        #expect(try await answer(to: short) == [100, 0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 9] + request[12..<100])
        let least: [UInt8] = [12, 0, 0, 0, 1, 2, 3, 4, 5, 6, 2, 0]
        #expect(try await answer(to: least) == Array(least.prefix(10)) + [6, 0])
        // Longer than a bpage, so in two fragments.
        let long = PatternMessage(key: 7, length: 150_000, responseLength: 150_000, framing: .cpNode)
        #expect(try await answer(to: bytes(of: long)) == bytes(of: long.response))
    }

    @Test("a request without a header, or with another length in it, is dropped", arguments: [11, 12, 13])
    func contradictions(count: Int) async throws {
        let request = [13, 0, 0, 0] + [UInt8](repeating: 0, count: count - 4)
        guard count != 13 else {
            #expect(try await answer(to: request).count == 13)
            return
        }
        await #expect { try await answer(to: request) } throws: { ($0 as? HomaError)?.code == .requestDropped }
    }

    @Test("a load in that framing is answered, and every answer is right", arguments: [nil, 100])
    func load(responseBytes: Int?) async throws {
        let network = TestNetwork(seed: 2, loss: 0.01)
        let (server, client) = (try network.addNode(), try network.addNode())
        try await network.run {
            let socket = try server.openSocket(port: 4000)
            async let serving: Void = socket.serve { HomaEcho.answer($0, framing: .cpNode) }
            for sizes in [SizeDistribution.fixed(1), .fixed(60), .w4] {
                for number in 0..<40 {
                    var plan = LoadPlan(
                        sizes: sizes, pace: .closedLoop(outstanding: 1),
                        response: responseBytes.map { .fixed(bytes: $0) } ?? .echo)
                    plan.framing = .cpNode
                    var sequence = plan.makeSequence()
                    for _ in 0..<number { _ = sequence.next() }
                    let message = plan.message(for: sequence.next())
                    let reply = try await client.call(
                        server.address(port: 4000), sending: HomaBuffer(message), deadline: .seconds(10))
                    #expect(message.length >= 12 && reply.matches(message.response))
                }
            }
            socket.close()
            try await serving
        }
    }
}
