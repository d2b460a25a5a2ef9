// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Bytes on the wire")
struct WireSizesTests {
    @Test("published packets: 1442 bytes in a frame of 1538, all others in 84")
    func published() throws {
        var configuration = EndpointConfiguration.sigcomm2018(scheduledLevels: 4)
        configuration.maximumRPCs = 16
        configuration.linkRate = nil
        let sizes = configuration.wireSizes
        let host = try LoneHost(configuration)
        try host.call(length: 10_000)
        host.data(0..<1442, of: 20_000, id: 2, incoming: 9_328)
        let packets = host.sent()
        let data = packets.filter { $0.payloadLength > 0 }
        #expect(data.map(\.payloadLength) == [1442, 1442, 1442, 1442, 1442, 1442, 676])
        #expect(data.map(sizes.bytes(of:)) == [1538, 1538, 1538, 1538, 1538, 1538, 772])
        let control = packets.filter { $0.payloadLength == 0 }
        #expect(!control.isEmpty && control.allSatisfy { sizes.bytes(of: $0) == 84 })
    }

    @Test("by default a packet is header, payload and frame, and no frame is shorter than Ethernet's shortest")
    func ours() {
        let sizes = EndpointConfiguration.default.wireSizes
        #expect(sizes.data(payload: 1416) == 1538)
        #expect(sizes.control(.ack) == 80 + 66)
        #expect(sizes.control(.busy) == 28 + 66)
        var bare = EndpointConfiguration.default
        bare.frameOverheadBytes = 0
        #expect(bare.wireSizes.control(.busy) == 84)
        #expect(bare.wireSizes.data(payload: 1) == 84)
    }

    @Test("the pacer counts what the configuration says a packet occupies")
    func pacing() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .megabitsPerSecond(8)
        configuration.linkQueueLimit = .zero
        configuration.segmentBytes = 1000
        configuration.dataOverheadBytes = 200
        let host = try LoneHost(configuration)
        try host.call(length: 3000)
        #expect(host.said() == ["DATA 0..<1000"])
        // 1200 bytes at 1 MB/s.
        #expect(host.endpoint.nextDeadline == Instant(nanoseconds: 1_200_000))
    }
}
