// SPDX-License-Identifier: Apache-2.0

/// What swift-homa says in bytes of the common header that mean nothing to HomaModule.
///
/// | bytes      | field     | meaning                                                                     |
/// |-----------:|-----------|-----------------------------------------------------------------------------|
/// | 8          | `version` | 0 = no extensions; 1; 2 = also takes ``PacketBundle``s                      |
/// | 9          | `marks`   | ``Marks``: remarks on this one packet                                       |
/// | 4–7, 14–17 | `tag`     | who a client is (``identity``); a server's ``token`` and ``memory``; 0 = not stated |
///
/// Version 0 means that the others, and the extension fields of DATA, have no meaning: they are read as zero whatever
/// the packet holds and not written, so a kernel peer never meets an extension. A version above the current one keeps
/// the meaning of all that the current one defines.
///
/// A kernel peer takes the sequence (4–7) for an offset only when the segment offset of DATA says that it should, and
/// ignores window and checksum (14–17).
@frozen
public struct HeaderExtension: Equatable, Sendable, BitwiseCopyable {
    /// Remarks on one packet. Bits not listed here are kept as they came and mean nothing yet. Some mean one thing with
    /// one type of packet, or from a server, and another with another, or from a client.
    @frozen
    public struct Marks: OptionSet, Sendable, BitwiseCopyable {
        public let rawValue: UInt8

        @inlinable
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// With RPC_UNKNOWN from a server: the application dropped the request unanswered.
        @inlinable
        public static var requestDropped: Marks { Marks(rawValue: 1) }
        /// With RPC_UNKNOWN from a server: it refuses to run the request, which may have run before.
        @inlinable
        public static var requestStale: Marks { Marks(rawValue: 2) }
        /// With DATA from a server, in the place of ``requestDropped``: the application says with the response that it
        /// failed, and not what was asked for.
        @inlinable
        public static var failed: Marks { Marks(rawValue: 1) }
        /// With RPC_UNKNOWN from a client, in the place of ``requestDropped``: it had the call, and has given it up.
        @inlinable
        public static var cancelled: Marks { Marks(rawValue: 1) }
        /// With DATA of a request, and with RESEND about it: the message wants no response.
        @inlinable
        public static var oneWay: Marks { Marks(rawValue: 4) }
        /// With RPC_UNKNOWN from a server: it takes no new requests, since it is about to end. The request has not run.
        @inlinable
        public static var draining: Marks { Marks(rawValue: 8) }
        /// With DATA of a request, in the place of ``draining``: reserved for requests that belong to an incast.
        @inlinable
        public static var incast: Marks { Marks(rawValue: 8) }
        /// With RPC_UNKNOWN from a server: no socket is open on the request's port.
        @inlinable
        public static var noSuchPort: Marks { Marks(rawValue: 16) }
        /// With BUSY from a server, in the place of ``noSuchPort``: it has no room for the request, of which it keeps
        /// nothing.
        @inlinable
        public static var noRoom: Marks { Marks(rawValue: 16) }
        /// With DATA of a request: the packet acknowledges nothing, but holds a token (``DataFields/proof``).
        @inlinable
        public static var proof: Marks { Marks(rawValue: 64) }
        /// With RPC_UNKNOWN from a server: in answer to DATA that went for the first time.
        @inlinable
        public static var toFirst: Marks { Marks(rawValue: 128) }
        /// With BUSY from a server: it has the whole request, and its application works on it.
        @inlinable
        public static var inService: Marks { Marks(rawValue: 32) }
    }

    /// The version this library writes.
    @inlinable
    public static var currentVersion: UInt8 { 2 }

    /// The version of those who have all but bundles: a node with several shards, whose packets must come alone.
    @inlinable
    public static var versionWithoutBundles: UInt8 { 1 }

    /// No extensions: what every packet of a kernel peer carries.
    @inlinable
    public static var none: HeaderExtension { HeaderExtension(version: 0) }

    /// Version of the extensions the sender understands; 0 = none.
    public var version: UInt8
    /// Remarks on this packet.
    public var marks: Marks
    /// What the packet's sender calls itself, or whom it answers; see the table.
    public var tag: UInt64

    @inlinable
    public init(version: UInt8 = Self.currentVersion, marks: Marks = [], tag: UInt64 = 0) {
        self.version = version
        self.marks = marks
        self.tag = tag
    }

    @inlinable static var memoryStep: UInt64 { 10_000 }

    /// A server's tag.
    ///
    /// - Parameter memory: nanoseconds for which the server has remembered every request that ran; nil: not stated.
    ///   Told in steps of 10 µs, rounded down, up to 11 hours.
    @inlinable
    public static func tag(token: UInt32, memory: UInt64? = nil) -> UInt64 {
        UInt64(token) << 32 | (memory.map { min($0 / memoryStep + 1, UInt64(UInt32.max)) } ?? 0)
    }

    /// Of a client: 64 random bits, the same as long as it lives. 0: not stated.
    @inlinable
    public var identity: UInt64 { tag }

    /// Of a server: a number for one address; who gives it back (``DataFields/proof``) has heard it there. 0: none.
    @inlinable
    public var token: UInt32 { UInt32(truncatingIfNeeded: tag >> 32) }

    /// In RPC_UNKNOWN of a server: nanoseconds for which it has remembered every request that ran. What it does not
    /// know and was sent later than that has not run. Nil: not stated.
    @inlinable
    public var memory: UInt64? {
        let stated = UInt32(truncatingIfNeeded: tag)
        return stated == 0 ? nil : UInt64(stated - 1) * Self.memoryStep
    }
}

extension HeaderExtension {
    /// Reads the bytes of a packet that holds at least a common header.
    @inlinable
    init(parsing packet: RawSpan) {
        let version = packet.byte(at: 8)
        guard version != 0 else {
            self = .none
            return
        }
        self.init(
            version: version, marks: Marks(rawValue: packet.byte(at: 9)),
            tag: UInt64(packet.bigEndian32(at: 4)) << 32 | UInt64(packet.bigEndian32(at: 14)))
    }

    /// Writes bytes 4–10 and 14–17. Without extensions `sequence` stands in bytes 4–7.
    @inlinable
    func write(to start: UnsafeMutableRawPointer, sequence: UInt32) {
        let isStated = version != 0
        start.put(isStated ? UInt32(truncatingIfNeeded: tag >> 32) : sequence, at: 4)
        start.put(version, at: 8)
        start.put(isStated ? marks.rawValue : 0, at: 9)
        // The first half of the remaining time of DATA, which writes it there.
        start.put(0 as UInt8, at: 10)
        start.put(isStated ? UInt32(truncatingIfNeeded: tag) : 0, at: 14)
    }
}

extension HeaderExtension: CustomStringConvertible {
    /// Such as `extensions v1 marks oneWay tag 0x7`; parts that say nothing are left out.
    public var description: String { description(in: .rpcUnknown, fromServer: true) }

    /// The same, with the marks named as they are to be read in such a packet.
    func description(in type: PacketType, fromServer: Bool) -> String {
        guard version != 0 else { return "no extensions" }
        var text = "extensions v\(version)"
        if !marks.isEmpty { text += " marks \(marks.names(in: type, fromServer: fromServer))" }
        if tag != 0 { text += " tag 0x\(String(tag, radix: 16))" }
        return text
    }
}

extension HeaderExtension.Marks: CustomStringConvertible {
    /// The names of the marks joined by `+`, as they are in RPC_UNKNOWN from a server where that matters; `none` for no
    /// mark.
    public var description: String { names(in: .rpcUnknown, fromServer: true) }

    /// The same in another packet.
    func names(in type: PacketType, fromServer: Bool) -> String {
        var names: [String] = []
        if contains(.requestDropped) {
            names.append(type == .data ? "failed" : fromServer ? "requestDropped" : "cancelled")
        }
        if contains(.requestStale) { names.append("requestStale") }
        if contains(.oneWay) { names.append("oneWay") }
        if contains(.draining) { names.append(type == .data ? "incast" : "draining") }
        if contains(.noSuchPort) { names.append(type == .busy ? "noRoom" : "noSuchPort") }
        if contains(.inService) { names.append("inService") }
        if contains(.proof) { names.append("proof") }
        if contains(.toFirst) { names.append("toFirst") }
        return names.isEmpty ? "none" : names.joined(separator: "+")
    }
}
