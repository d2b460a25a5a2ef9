// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase

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

    /// Bytes of the packet that came back, at most ``maximumPayloadBytes``; 0 is possible.
    public var payloadByteCount: Int { Int(record.payload_count) }

    /// Calls `body` with the first bytes of the packet's UDP payload; they are valid only inside.
    public func withPayload<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: record.payload) { body(UnsafeRawBufferPointer(rebasing: $0[0..<payloadByteCount])) }
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
