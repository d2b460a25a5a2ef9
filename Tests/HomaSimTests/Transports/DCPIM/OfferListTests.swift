// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

@Suite struct OfferListTests {
    private func list(_ offers: [(UInt16, UInt32, UInt64)]) -> OfferList {
        var list = OfferList()
        for (peer, remaining, since) in offers {
            list.add(.init(peer: peer, channels: 1, idleChannels: 0, remaining: remaining, since: since))
        }
        return list
    }

    @Test func `the shortest comes first, of equals the oldest, then the lowest number`() {
        var offers = list([(5, 100, 1), (6, 30, 9), (7, 30, 8), (3, 100, 1), (9, 200, 0)])
        var random = SeededRandom(seed: 1)
        var order: [UInt16] = []
        while offers.count > 0 { order.append(offers.take(shortestFirst: true, &random).peer) }
        #expect(order == [7, 6, 3, 5, 9])
    }

    @Test func `random choice prefers nobody, and depends on the seed alone`() {
        var random = SeededRandom(seed: 2)
        var wins = [Int](repeating: 0, count: 4)
        for _ in 0..<8000 {
            var offers = list([(0, 1, 0), (1, 2, 0), (2, 3, 0), (3, 4, 0)])
            wins[Int(offers.take(shortestFirst: false, &random).peer)] += 1
        }
        // Four standard deviations of a binomial are 155.
        for count in wins { #expect(abs(count - 2000) < 155) }
        var (one, other) = (SeededRandom(seed: 3), SeededRandom(seed: 3))
        var first = list((0..<20).map { (UInt16($0), 1, 0) })
        var second = list((0..<20).map { (UInt16($0), 1, 0) })
        while first.count > 0 {
            let (drawn, again) = (first.take(shortestFirst: false, &one), second.take(shortestFirst: false, &other))
            #expect(drawn.peer == again.peer)
        }
    }
}

@Suite struct DCPIMMessageTests {
    private func message(packets: UInt32) -> DCPIMMessage {
        var message = DCPIMMessage(
            token: 0, sequence: 1, start: 0, bytes: packets * 1460 - 10, packets: packets, source: 0, destination: 1,
            isShort: false, priority: 1, remaining: packets)
        message.allocateBits()
        return message
    }

    @Test(arguments: [1, 63, 64, 65, 128, 200] as [UInt32])
    func `every packet is missing until it is received, once`(packets: UInt32) {
        var message = message(packets: packets)
        defer { message.freeBits() }
        #expect(message.missing(from: 0) == 0 && message.missing(from: packets) == packets)
        var news = (0..<packets).filter { $0 % 3 != 1 }.allSatisfy { message.receive($0) }
        #expect(news)
        news = message.receive(0)
        #expect(!news)
        var missing: [UInt32] = []
        var place = message.missing(from: 0)
        while place < packets {
            missing.append(place)
            place = message.missing(from: place + 1)
        }
        #expect(missing == (0..<packets).filter { $0 % 3 == 1 })
        #expect(message.received == packets - UInt32(missing.count))
        // What has been sent is another matter.
        #expect(!message.isSent(packets - 1))
        let sent = [message.send(packets - 1), message.send(packets - 1), message.isSent(packets - 1)]
        #expect(sent == [true, false, true])
        #expect(message.payload(of: packets - 1, DCPIMConfiguration().frame) == 1450)
    }
}
