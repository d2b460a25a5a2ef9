// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Records of clients: whose they are, and what remains of those that had to make room.
@Suite("Records of clients")
struct ClientRecordTests {
    private static let home = PeerAddress(ipv4: 0x0A00_0501, port: 4000)
    private static let crowd = PeerAddress(ipv4: 0x0A00_0502, port: 4000)

    private static func host() throws -> LoneHost {
        var configuration = EndpointConfiguration.small
        configuration.maximumPeers = 16
        configuration.peerIdleLimit = .seconds(100)
        return try LoneHost(configuration)
    }

    /// So many clients have a request run each, all from one address.
    private static func visit(_ host: LoneHost, _ clients: ClosedRange<UInt64>, id: UInt64) throws {
        for client in clients {
            #expect(try host.serve(id: id, from: crowd, extensions: HeaderExtension(tag: client)))
        }
    }

    @Test("a client that comes back to where it was before is not taken for the one that has its record now")
    func movedAndForgotten() throws {
        let host = try Self.host()
        let client = HeaderExtension(tag: 99)
        #expect(try host.serve(id: 2, from: Self.home, extensions: client))
        #expect(try host.serve(id: 4, from: IdentityTests.elsewhere, extensions: client))
        host.pass(microseconds: 2_000_000)
        // The last of them gets the record of the longest idle.
        try Self.visit(host, 1...16, id: 6)
        host.pass(microseconds: 2_000_000)
        #expect(try host.serve(id: 6, from: Self.home, extensions: client))
        host.endpoint.checkInvariants()
    }

    @Test("a client without a name is not taken for the one that has its record now")
    func namelessAndForgotten() throws {
        let host = try Self.host()
        #expect(try host.serve(id: 2, from: Self.home, extensions: .none))
        host.pass(microseconds: 2_000_000)
        try Self.visit(host, 1...16, id: 6)
        host.pass(microseconds: 2_000_000)
        #expect(try host.serve(id: 6, from: Self.home, extensions: .none))
        host.endpoint.checkInvariants()
    }

    @Test("a report about a response reaches it where its client is now")
    func reportAfterMove() throws {
        let host = try LoneHost()
        IdentityTests.request(host)
        let request = try #require(try host.requests().first)
        IdentityTests.request(host, from: IdentityTests.elsewhere)
        try host.respond(request.rpc, length: 10_000)
        _ = host.sent()
        host.endpoint.packetRefused(
            by: IdentityTests.elsewhere, id: request.id, offset: 0, longest: 1000, at: host.now)
        #expect(host.sent().first?.payloadLength == 1000 - DataFields.byteCount)
    }

    @Test("what a server remembers begins anew once in a second at most")
    func epochs() {
        var store = ClientStore(capacity: 2, seed: 1, life: HostLife(seed: 1), at: .zero)
        func add(_ identity: UInt64, at milliseconds: UInt64) -> UInt32? {
            store.add(identity: identity, newFrom: 0, at: Instant(nanoseconds: milliseconds * 1_000_000)) { _ in }
        }
        #expect(add(1, at: 2_000) != nil && add(2, at: 4_500) != nil)
        #expect(add(3, at: 5_000) != nil)
        #expect(store.completeSince == Instant(nanoseconds: 4_000_000_000))
        #expect(add(4, at: 5_600) == nil, "a token that was given out since has not been shown yet")
        #expect(add(4, at: 5_999) == nil)
        #expect(add(4, at: 6_000) != nil)
        #expect(store.completeSince == Instant(nanoseconds: 5_000_000_000))
        store.checkInvariants()
    }

    @Test("a server whose memory has become shorter has begun anew, whatever token it gives")
    func shorterMemory() throws {
        for shorter in [false, true] {
            let host = try LoneHost()
            host.pass(microseconds: 10_000_000)
            for (number, memory) in [10_000, shorter ? 50 : 10_200].enumerated() {
                try host.call(length: 100, cookie: UInt64(number))
                host.pass(microseconds: number == 0 ? 1_000 : 200_000)
                _ = host.sent()
                host.receive(
                    .rpcUnknown, id: UInt64(1001 + 2 * number), from: LoneHost.server,
                    extensions: HeaderExtension(
                        tag: HeaderExtension.tag(token: 7, memory: UInt64(memory) * 1_000_000)))
                let isRefused = number == 1 && shorter
                #expect(host.failures() == (isRefused ? [.peerRestarted] : []))
            }
        }
    }

    // MARK: What has run

    @Test("a floor that a client states takes in all that is known to be finished, and nothing above")
    func floor() {
        for stated in [6, 100] as [UInt64] {
            var memory = FinishedMemory()
            defer { memory.reset() }
            for id in [2, 4] as [UInt64] { memory.markFinished(RPCID(rawValue: id), capacity: 1024) }
            memory.noteStatedFloor(RPCID(rawValue: stated))
            #expect(memory.isBelowWindow(RPCID(rawValue: 4)) && !memory.isBelowWindow(RPCID(rawValue: 6)))
        }
    }

    @Test("one request far above all others, however often it ends, is one")
    func strayAgain() {
        var memory = FinishedMemory()
        defer { memory.reset() }
        let stray = RPCID(rawValue: 1 << 40)
        memory.markFinished(RPCID(rawValue: 2), capacity: 1024)
        for _ in 0..<20 { memory.markFinished(stray, capacity: 1024) }
        #expect(memory.isFinished(stray) && !memory.isFinished(RPCID(rawValue: 4)))
    }

    @Test("what finishes is a stray by its distance from what finished last, not from the lowest that is remembered")
    func far() {
        var memory = FinishedMemory()
        defer { memory.reset() }
        for number in [900_000, 1_500_000] as [UInt64] {
            memory.markFinished(RPCID(rawValue: 2 * number), capacity: 1 << 21)
        }
        #expect(memory.bits == 1 << 21, "the second is in the window")
    }

    // MARK: What the client does

    @Test("a request of which not all has left cannot have run: it begins anew, however short the server's memory")
    func partOfRequest() throws {
        for length in [1000, 200_000] {
            let host = try LoneHost()
            host.pass(microseconds: 10_000_000)
            try host.call(length: length)
            host.pass(microseconds: 200_000)
            _ = host.sent()
            host.receive(
                .rpcUnknown, id: 1001, from: LoneHost.server,
                extensions: HeaderExtension(tag: HeaderExtension.tag(token: 7, memory: 50_000_000)))
            #expect(host.failures() == (length == 1000 ? [.peerRestarted] : []))
            #expect(host.said().isEmpty == (length == 1000))
        }
    }

    @Test("several questions for its token have a client show it once, and none when the answer has begun")
    func tokenOnce() throws {
        let host = try LoneHost()
        host.pass(microseconds: 10_000_000)
        try host.call(length: 100)
        host.pass(microseconds: 4_000)
        _ = host.sent()
        func ask() -> Disposition {
            host.receive(
                .resend(ResendFields(offset: 0, length: 1, priority: 7)), id: 1001, from: LoneHost.server,
                extensions: HeaderExtension(
                    marks: .toFirst, tag: HeaderExtension.tag(token: 5, memory: 1_000_000_000)))
        }
        #expect(ask() == .consumed && host.said() == ["DATA 0..<100"])
        host.now = host.now.advanced(byNanoseconds: 2_000_000)
        #expect(ask() == .consumed && host.said().isEmpty, "it is on its way")
        host.now = host.now.advanced(byNanoseconds: 2_000_000)
        #expect(ask() == .consumed && host.said() == ["DATA 0..<100"])
        host.data(0..<10, of: 20, id: 1001, from: LoneHost.server)
        host.now = host.now.advanced(byNanoseconds: 100_000_000)
        #expect(ask() == .dropped(.wrongState) && host.said().isEmpty)
    }

    @Test("a kernel server that does not know a request twice is sent its first packet, and not all again")
    func unknownTwice() throws {
        let host = try ResendTests.sendingHost()
        for bytes in [60_888, 1416] {
            host.pass(microseconds: 50_000)
            _ = host.sent()
            host.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: .none)
            #expect(host.sent().reduce(0) { $0 + $1.payloadLength } == bytes)
        }
    }

    @Test("a client that shows its token is no farther than the question for it is old")
    func tokenTells() throws {
        var configuration = EndpointConfiguration.small
        configuration.memoryProbation = .seconds(30)
        let host = try LoneHost(configuration)
        IdentityTests.request(host)
        let token = try #require(host.sent().first).header.common.extensions.token
        host.pass(microseconds: 3_000)
        IdentityTests.request(host, proof: token)
        #expect(try QuestionTests.peer(host, LoneHost.client).pointee.knownRoundTrip == 3_000_000)
    }
}
