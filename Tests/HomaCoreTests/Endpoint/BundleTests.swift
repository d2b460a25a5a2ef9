// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Leave to put packets together")
struct BundleTests {
    private static func first(_ host: LoneHost) throws -> OutgoingPacket {
        try host.call(length: 100)
        return try #require(host.sent().first { $0.payloadLength > 0 })
    }

    @Test("only packets to a peer that has said that it takes bundles may share their datagrams", arguments: 0...3)
    func peers(version: UInt8) throws {
        let host = try LoneHost()
        #expect(try Self.first(host).bundleBytes == 0, "nothing is known of the peer")
        let extensions = HeaderExtension(version: version)
        host.receive(.busy, id: 1001, from: LoneHost.server, extensions: extensions)
        #expect(try Self.first(host).bundleBytes == (version >= 2 ? 1472 : 0))
        host.endpoint.setMaximumPacket(bytes: 1000, for: LoneHost.server)
        #expect(try Self.first(host).bundleBytes == (version >= 2 ? 1000 : 0))
    }

    @Test("control packets may share datagrams as well")
    func control() throws {
        let host = try LoneHost()
        host.data(0..<1416, of: 200_000, id: 2, incoming: 60_000)
        let grant = try #require(host.sent().first { if case .grant = $0.header.body { true } else { false } })
        #expect(grant.bundleBytes == 1472)
    }

    @Test("what is sent again goes alone, and so does the question for it, in case the way is too narrow for a bundle")
    func again() throws {
        let host = try LoneHost()
        host.data(0..<1, of: 2, id: 2)
        try host.call(length: 100, to: LoneHost.client)
        let first = try #require(host.sent().last)
        #expect(first.bundleBytes == 1472)
        host.receive(
            .resend(ResendFields(offset: 0, length: ResendFields.everything, priority: 7)),
            id: first.header.common.senderID.rawValue ^ 1)
        let second = try #require(host.sent().last)
        #expect(second.payloadLength == 100 && second.bundleBytes == 0)
        host.pass(microseconds: 100_000)
        let question = host.sent().first { if case .resend = $0.header.body { true } else { false } }
        #expect(try #require(question).bundleBytes == 0)
    }

    @Test("a node with several shards wants packets alone, since the kernel looks at the first one only")
    func shards() throws {
        for (count, version) in [(1, HeaderExtension.currentVersion), (2, HeaderExtension.versionWithoutBundles)] {
            let host = try LoneHost(of: count)
            #expect(try Self.first(host).header.common.extensions.version == version)
        }
    }
}
