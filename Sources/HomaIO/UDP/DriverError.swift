// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase
internal import HomaCore
internal import HomaPosix

/// Bad news about packets sent earlier.
///
/// ICMP messages can be forged by anybody who knows the addresses. Check with ``withPayload(_:)``
/// that the packet was really one of ours before believing them.
public struct DriverError: Sendable {
    /// What is wrong.
    public enum Kind: Equatable, Sendable {
        /// Nobody has the peer's UDP port open.
        case portUnreachable
        /// The peer's host or network cannot be reached, or refuses traffic.
        case hostUnreachable
        /// The packet is too long for the path. `mtu` counts IP and UDP headers too; 0 if unknown.
        case messageTooBig(mtu: Int)
        /// This host itself refused to send the packet; `code` is an `errno` value.
        case refused(code: Int32)
        /// Something else; `code` is an `errno` value.
        case other(code: Int32)
    }

    /// Most payload bytes kept.
    public static let maximumPayloadBytes = Int(HOMA_ERROR_PAYLOAD_LIMIT)

    /// What is wrong.
    public let kind: Kind
    /// Where the packet was going.
    public let peer: PeerAddress
    private var record: homa_socket_error

    init(kind: Kind, peer: PeerAddress, record: homa_socket_error) {
        self.kind = kind
        self.peer = peer
        self.record = record
    }

    /// A packet that this host itself refused.
    ///
    /// - Parameter pathMTU: what a packet that was too long is held against.
    init(local record: homa_socket_error, to peer: PeerAddress, pathMTU: (PeerAddress) -> Int?) {
        let code = Int32(bitPattern: record.code)
        self.init(
            kind: code == EMSGSIZE ? .messageTooBig(mtu: pathMTU(peer) ?? 0) : .refused(code: code), peer: peer,
            record: record)
    }

    /// What it means for the calls to that peer; nil: nothing.
    var refusal: Refusal? {
        var reporter: PeerAddress? = PeerAddress(record.reporter)
        if let known = reporter, known.isWildcard { reporter = nil }
        let code = Int32(bitPattern: record.code)
        switch kind {
        case .portUnreachable: return Refusal(.portUnreachable, .final, code: code, reporter: reporter)
        case .hostUnreachable:
            return Refusal(
                .hostUnreachable, .hint, code: code, isProhibition: Self.isProhibition(record), reporter: reporter)
        case .refused(let code): return Refusal(ownCode: code)
        case .messageTooBig, .other: return nil
        }
    }

    /// "Administratively prohibited" and its like (RFC 1812, section 5.2.7.1; RFC 4443, section 3.1).
    private static func isProhibition(_ record: homa_socket_error) -> Bool {
        Int32(record.origin) == errorOriginICMP
            ? [9, 10, 13].contains(record.icmp_code) : [1, 5, 6].contains(record.icmp_code)
    }

    /// Bytes of the packet that came back, at most ``maximumPayloadBytes``; 0 is possible.
    public var payloadByteCount: Int { Int(record.payload_count) }

    /// Calls `body` with the first bytes of the packet's UDP payload; they are valid only inside.
    public func withPayload<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: record.payload) { body(UnsafeRawBufferPointer(rebasing: $0[0..<payloadByteCount])) }
    }
}

extension Refusal {
    /// What this host's own system says.
    init(ownCode code: Int32) {
        switch code {
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN: self.init(.hostUnreachable, .hint, code: code)
        // Room can be had a moment later, and an address.
        case ENOBUFS, ENOMEM, EADDRNOTAVAIL, ENODEV: self.init(.sendRefused, .hint, code: code)
        default:
            self.init(.sendRefused, .lasting, code: code, isProhibition: code == EPERM || code == EACCES)
        }
    }
}

extension DriverError.Kind {
    /// Destination unreachable is ICMP type 3 and ICMPv6 type 1; the port's codes are 3 and 4.
    init(_ record: homa_socket_error) {
        let code = Int32(bitPattern: record.code)
        if code == EMSGSIZE {
            self = .messageTooBig(mtu: Int(record.info))
            return
        }
        switch (Int32(record.origin), record.type, record.icmp_code) {
        case (errorOriginICMP, 3, 3), (errorOriginICMPv6, 1, 4): self = .portUnreachable
        // A host that knows nothing of the protocol has no ports either.
        case (errorOriginICMP, 3, 2), (errorOriginICMPv6, 4, 1): self = .portUnreachable
        case (errorOriginICMP, 3, _), (errorOriginICMPv6, 1, _): self = .hostUnreachable
        default: self = .other(code: code)
        }
    }
}

/// The `ee_origin` values of linux/errqueue.h, which Swift's Glibc module does not show.
let errorOriginLocal: Int32 = 1
let errorOriginICMP: Int32 = 2
let errorOriginICMPv6: Int32 = 3
