// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaPosix
import Testing

@testable import HomaBench

@Suite("Bare UDP trains", .serialized)
struct UDPTrainTests {
    @Test("a train fits into an IP packet and a path into its datagrams", arguments: [576, 1500, 9000, 65_535])
    func shape(mtu: Int) {
        for isIPv4 in [true, false] {
            let (datagram, count) = UDPTrains.shape(mtu: mtu, isIPv4: isIPv4)
            #expect(count >= 1 && count <= UDPTrains.mostSegments)
            #expect(datagram + (isIPv4 ? 28 : 48) <= mtu && datagram * count <= UDPTrains.longestTrain)
        }
    }

    @Test("bytes arrive and are counted, one source after the other", arguments: [loopback4, loopback6])
    func carries(address: PeerAddress) throws {
        let sink = try UDPTrainSink(on: address)
        defer { sink.stop() }
        for _ in 0..<2 {
            // Two spinning threads on a busy machine may take turns of several milliseconds.
            let result = try UDPTrainSource.run(
                sink: sink.address, warmUp: .milliseconds(50), duration: .milliseconds(400))
            #expect(result.goodput > 0)
            #expect(result.datagramBytes == UDPTrains.longestDatagram, "the loopback's packets are longer")
        }
    }

    @Test("without anybody to answer the source fails instead of reporting a figure")
    func nobody() throws {
        let silent = try Sockets.datagram(boundTo: loopback4)
        defer { _ = silent }
        let address = try PeerAddress.bound(to: silent)
        #expect(throws: SystemError.self) {
            _ = try UDPTrainSource.run(sink: address, warmUp: .zero, duration: .milliseconds(50))
        }
    }
}
