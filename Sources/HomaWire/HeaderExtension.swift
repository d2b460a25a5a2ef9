// SPDX-License-Identifier: Apache-2.0

/// What swift-homa says in the three bytes of the common header that HomaModule leaves at zero.
///
/// | bytes | field         | meaning                                                          |
/// |------:|---------------|------------------------------------------------------------------|
/// | 8     | `version`     | 0 = no extensions; 1; 2 = also takes ``PacketBundle``s           |
/// | 9     | `marks`       | ``Marks``: remarks on this one packet                            |
/// | 10    | `incarnation` | changes when the sending node restarts; 0 = not stated           |
///
/// Version 0 means that the other two bytes, and the extension field of DATA, have no meaning: they
/// are read as zero whatever the packet holds and written as zero whatever the value holds, so a
/// kernel peer never meets an extension. A version above the current one keeps the meaning of all
/// that the current one defines.
@frozen
public struct HeaderExtension: Equatable, Sendable, BitwiseCopyable {
    /// Remarks on one packet. Bits not listed here are kept as they came and mean nothing yet.
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
        /// With DATA of a request, and with RESEND about it: the message wants no response.
        @inlinable
        public static var oneWay: Marks { Marks(rawValue: 4) }
        /// Reserved for requests that belong to an incast.
        @inlinable
        public static var incast: Marks { Marks(rawValue: 8) }
        /// With RPC_UNKNOWN from a server: no socket is open on the request's port.
        @inlinable
        public static var noSuchPort: Marks { Marks(rawValue: 16) }
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
    /// A number that changes when the sending node restarts; 0 = not stated.
    public var incarnation: UInt8

    @inlinable
    public init(version: UInt8 = Self.currentVersion, marks: Marks = [], incarnation: UInt8 = 0) {
        self.version = version
        self.marks = marks
        self.incarnation = incarnation
    }
}

extension HeaderExtension {
    /// Reads bytes 8–10 of a packet that holds at least a common header.
    @inlinable
    init(parsing packet: RawSpan) {
        let version = packet.byte(at: 8)
        guard version != 0 else {
            self = .none
            return
        }
        self.init(version: version, marks: Marks(rawValue: packet.byte(at: 9)), incarnation: packet.byte(at: 10))
    }

    /// Writes bytes 8–10.
    @inlinable
    func write(to start: UnsafeMutableRawPointer) {
        start.put(version, at: 8)
        start.put(version == 0 ? 0 : marks.rawValue, at: 9)
        start.put(version == 0 ? 0 : incarnation, at: 10)
    }
}

extension HeaderExtension: CustomStringConvertible {
    /// Such as `extensions v1 marks oneWay incarnation 7`; parts that say nothing are left out.
    public var description: String {
        guard version != 0 else { return "no extensions" }
        var text = "extensions v\(version)"
        if !marks.isEmpty { text += " marks \(marks)" }
        if incarnation != 0 { text += " incarnation \(incarnation)" }
        return text
    }
}

extension HeaderExtension.Marks: CustomStringConvertible {
    /// The names of the marks joined by `+`, unknown bits as one hexadecimal number; `none` for no mark.
    public var description: String {
        var names: [String] = []
        if contains(.requestDropped) { names.append("requestDropped") }
        if contains(.requestStale) { names.append("requestStale") }
        if contains(.oneWay) { names.append("oneWay") }
        if contains(.incast) { names.append("incast") }
        if contains(.noSuchPort) { names.append("noSuchPort") }
        let unknown = rawValue & 0xE0
        if unknown != 0 { names.append("0x" + String(unknown, radix: 16)) }
        return names.isEmpty ? "none" : names.joined(separator: "+")
    }
}
