// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWire
import Testing

@Suite("Priority levels")
struct PriorityLevelsTests {
    @Test("no packet leaves above the configured levels, from the first on and whatever others ask", arguments: 1...8)
    func levels(count: Int) throws {
        var configuration = EndpointConfiguration.small
        configuration.priorityLevels = count
        let host = try LoneHost(configuration)
        var packets: [OutgoingPacket] = []
        try host.call(length: 100, cookie: 1)
        try host.call(length: 50_000, cookie: 2)
        packets += host.sent()
        let long = try #require(packets.first { $0.payloadLength > 100 }?.header.common.senderID)
        var cutoffs = InlineArray<8, UInt32>(repeating: 0)
        cutoffs[7] = UInt32(Int32.max)
        let id = long.peer.rawValue
        host.receive(.cutoffs(CutoffsFields(cutoffs: cutoffs, version: 3)), id: id, from: LoneHost.server)
        host.receive(.grant(GrantFields(offset: 40_000, priority: 7)), id: id, from: LoneHost.server)
        packets += host.sent()
        host.now = host.now + .milliseconds(50)
        host.receive(.resend(ResendFields(offset: 0, length: 1000, priority: 7)), id: id, from: LoneHost.server)
        try host.call(length: 200, cookie: 3)
        host.data(0..<1000, of: 60_000, id: 2000)
        host.endpoint.expireTimers(at: host.now)
        packets += host.sent()
        #expect(packets.contains { $0.payloadLength > 0 && $0.payload == 1 })
        #expect(packets.contains { $0.payloadLength == 0 })
        #expect(packets.allSatisfy { Int($0.priority) < count })
        // And all of them are used.
        #expect(packets.map { Int($0.priority) }.max() == count - 1)
    }
}
