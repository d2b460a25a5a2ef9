// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Peer table")
struct PeerStoreTests {
    static func address(_ number: UInt32) -> PeerAddress { PeerAddress(ipv4: 0x0A00_0000 + number, port: 4000) }

    /// Method: random peers come, have RPCs and lose them, and are validated, while the clock runs; a dictionary knows
    /// what must hold.
    @Test("agrees with a dictionary, and forgets only those it may", arguments: seeds(0..<40))
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let capacity = 24
        var table = PeerStore(capacity: capacity, seed: seed)
        struct Known {
            var index: UInt32
            var rpcs = 0
            var isStranger: Bool
            var isRemembered = false
            var idleSince: UInt64
        }
        var known: [UInt32: Known] = [:]
        var now: UInt64 = 0
        for _ in 0..<4000 {
            now += UInt64.random(in: 0..<10, using: &random)
            let number = UInt32.random(in: 0..<60, using: &random)
            let found = table.find(Self.address(number))
            #expect(found == known[number]?.index)
            guard let entry = known[number] else {
                let isStranger = Bool.random(using: &random)
                let busy = known.values.count { $0.isStranger && $0.rpcs > 0 }
                let idle = known.values.count { $0.isStranger && $0.rpcs == 0 }
                let hasTheirPart = isStranger && idle >= capacity / 2
                let isFull = known.count == capacity || hasTheirPart
                let evictable = known.filter {
                    $0.value.rpcs == 0 && (!$0.value.isRemembered || now - $0.value.idleSince >= 100)
                        && (!hasTheirPart || $0.value.isStranger)
                }
                let added = table.add(
                    Self.address(number), as: isStranger ? .stranger : .called, segment: 1000, idleLimit: 100,
                    at: Instant(nanoseconds: now))
                if isStranger, busy >= capacity / 8 {
                    #expect(added == nil)
                    continue
                }
                // Who is remembered and came back later may stand before one that need not be.
                #expect(added == nil || !isFull || !evictable.isEmpty)
                #expect(added != nil || isFull)
                guard let added else { continue }
                #expect((added.evicted != nil) == isFull)
                if added.evicted != nil {
                    let gone = known.filter { table.find(Self.address($0.key)) == nil }
                    #expect(gone.count == 1 && gone.allSatisfy { evictable.keys.contains($0.key) })
                    for key in gone.keys { known[key] = nil }
                }
                known[number] = Known(index: added.index, isStranger: isStranger, idleSince: now)
                continue
            }
            if Int.random(in: 0..<8, using: &random) == 0 {
                table.raise(entry.index, to: .validated)
                known[number]!.isStranger = false
            } else if entry.rpcs > 0, Bool.random(using: &random) {
                if Bool.random(using: &random) {
                    table.at(entry.index).pointee.unnamedClient = 1
                    known[number]!.isRemembered = true
                }
                table.removeRPC(entry.index, isServer: true, at: Instant(nanoseconds: now))
                known[number]!.rpcs -= 1
                if entry.rpcs == 1 { known[number]!.idleSince = now }
            } else if entry.rpcs < 3,
                entry.rpcs > 0 || !entry.isStranger || known.values.count(where: { $0.isStranger && $0.rpcs > 0 }) < 3
            {
                table.addRPC(entry.index, isServer: true)
                known[number]!.rpcs += 1
            }
            #expect(table.count == known.count)
            table.checkInvariants()
        }
        for (number, entry) in known { #expect(table.find(Self.address(number)) == entry.index) }
    }

    @Test("a new peer is found by its whole address: host, scope and port")
    func wholeAddress() {
        var table = PeerStore(capacity: 16, seed: 1)
        let base = PeerAddress(high: 1, low: 2, scope: 3, port: 4)
        _ = table.add(base, as: .called, segment: 1, idleLimit: 0, at: .zero)
        for other in [
            PeerAddress(high: 9, low: 2, scope: 3, port: 4), PeerAddress(high: 1, low: 9, scope: 3, port: 4),
            PeerAddress(high: 1, low: 2, scope: 9, port: 4), PeerAddress(high: 1, low: 2, scope: 3, port: 9),
        ] { #expect(table.find(other) == nil) }
        #expect(table.find(base) != nil)
    }

    @Test("when the table is full of peers in use, requests are dropped and calls refused")
    func full() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumPeers = 4
        let host = try LoneHost(configuration)
        for number in 0..<4 as Range<UInt32> { host.data(0..<10, of: 20, id: 2, from: Self.address(number)) }
        #expect(host.data(0..<10, of: 20, id: 2, from: Self.address(4)) == .dropped(.tooManyPeers))
        #expect(throws: EndpointError.tooManyPeers(limit: 4)) { try host.call(length: 10, to: Self.address(5)) }
        host.pass(microseconds: 500_000)
        #expect(host.data(0..<10, of: 20, id: 2, from: Self.address(4)) != .dropped(.tooManyPeers))
        #expect(host.endpoint.statistics.peersEvicted == 1)
    }

    @Test("a client without an identity is remembered for the idle limit, with what it has finished")
    func remembered() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumPeers = 2
        let host = try LoneHost(configuration)
        #expect(try host.serve(id: 2, extensions: .none))
        for number in 0..<50 as Range<UInt32> {
            host.data(0..<10, of: 20, id: 2, from: Self.address(100 + number))
            host.receive(.rpcUnknown, id: 2, from: Self.address(100 + number))
        }
        #expect(try !host.serve(id: 2, extensions: .none), "a flood of first packets does not wash the memory away")
        host.pass(microseconds: 110_000)
        host.data(0..<10, of: 20, id: 2, from: Self.address(500))
        host.data(0..<10, of: 20, id: 2, from: Self.address(501))
        #expect(host.endpoint.peerCount == 2)
    }

    @Test(
        "an unscheduled level is the highest whose cutoff takes the message",
        arguments: [(1, 7), (200, 7), (201, 6), (2800, 6), (2801, 5), (15_000, 5), (15_001, 4), (1_000_000, 4)])
    func unscheduledPriority(length: Int, priority: Int) {
        var peer = Peer(address: Self.address(1), segment: 1000, now: .zero)
        #expect(peer.unscheduledPriority(length: UInt32(length)) == 6, "before any CUTOFFS")
        peer.cutoffs = Tuning(.default).cutoffs.cutoffs
        #expect(peer.unscheduledPriority(length: UInt32(length)) == UInt8(priority))
    }
}
