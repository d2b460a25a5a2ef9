// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Numbers that both sides of the network must be able to rely on.
@Suite("Ports and identifiers")
struct NumbersTests {
    @Test("server ports lie below 32 768, client ports above, and none is given away twice")
    func ports() throws {
        let host = try LoneHost()
        try host.endpoint.openPort(1)
        try host.endpoint.openPort(0x7FFF)
        for port in [0, 0x8000, .max] as [UInt16] {
            #expect(throws: EndpointError.invalidPort(port)) { try host.endpoint.openPort(port) }
        }
        #expect(throws: EndpointError.portInUse(1)) { try host.endpoint.openPort(1) }
        var isTaken = [Bool](repeating: false, count: 0x10000)
        for _ in 0..<0x8000 {
            let port = Int(try host.endpoint.allocateClientPort())
            #expect(port >= 0x8000 && !isTaken[port])
            isTaken[port] = true
        }
        #expect(throws: EndpointError.noFreeClientPort) { try host.endpoint.allocateClientPort() }
        host.endpoint.closePort(0x9000)
        #expect(try host.endpoint.allocateClientPort() == 0x9000)
    }

    @Test("a call gets its identifier with its first packet, so that one held back is not taken for a late duplicate")
    func firstPacket() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .megabitsPerSecond(1)
        configuration.fifoSendFraction = 0
        let client = try LoneHost(configuration)
        let server = try LoneHost()
        try client.call(length: 1416)
        let held = try client.call(length: 5000)
        #expect(client.information(held)?.id.rawValue == 0)
        // More short calls than the server remembers, each answered before the next.
        for _ in 0..<1500 {
            try client.call(length: 10)
            let packet = try #require(client.sent().last { $0.payloadLength == 10 })
            let id = packet.header.common.senderID.rawValue
            #expect(try server.serve(id: id))
            client.data(0..<10, of: 10, id: id ^ 1, from: LoneHost.server)
        }
        #expect(client.information(held)?.sent == 0)
        client.pass(microseconds: 2_000_000)
        let first = try #require(client.sent().first { $0.payloadLength == 1416 && $0.header.isOf(5000) })
        #expect(server.data(0..<1416, of: 5000, id: first.header.common.senderID.rawValue) != .dropped(.finishedBefore))
    }

    @Test("identifiers of calls are even and each is larger than the one before, whatever became of that")
    func identifiers() throws {
        let host = try LoneHost()
        var last: UInt64 = 0
        for _ in 0..<100 {
            let call = try host.call(length: 10)
            let id = try #require(host.sent().first { $0.payloadLength > 0 }).header.common.senderID.rawValue
            #expect(id % 2 == 0 && id > last)
            last = id
            host.abort(call)
        }
    }
}

extension PacketHeader {
    /// True for DATA of a message of this length.
    func isOf(_ length: UInt32) -> Bool {
        if case .data(let data) = body { data.messageLength == length } else { false }
    }
}
