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
