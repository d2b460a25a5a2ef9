// SPDX-License-Identifier: Apache-2.0

/// What a packet is for: byte 11 of the common header (numbers as in HomaModule 9edb958).
@frozen
public enum PacketType: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// Bytes of a message.
    case data = 0x10
    /// The receiver lets the sender transmit further.
    case grant
    /// The receiver asks for bytes again.
    case resend
    /// The answer to a RESEND about an RPC that this host does not know.
    case rpcUnknown
    /// The answer to a RESEND: nothing to send yet, but still working on it.
    case busy
    /// A host tells another which message lengths travel at which priority.
    case cutoffs
    /// Asks the receiver to stop its time trace. A debugging aid of the kernel module.
    case freeze
    /// The server asks whether it may forget an RPC.
    case needAck
    /// The client has its response; the server may forget the RPC.
    case ack = 0x18

    /// Length of the header in bytes, common part included, payload not: the shortest valid packet of
    /// every type but DATA, which carries at least one byte more.
    @inlinable
    public var headerByteCount: Int {
        switch self {
        case .data: DataFields.byteCount
        case .grant: GrantFields.byteCount
        case .resend: ResendFields.byteCount
        case .cutoffs: CutoffsFields.byteCount
        case .ack: AckFields.byteCount
        case .rpcUnknown, .busy, .freeze, .needAck: CommonHeader.byteCount
        }
    }
}

extension PacketType: CustomStringConvertible {
    /// The type's name in the protocol's own spelling, as in `RPC_UNKNOWN`.
    public var description: String {
        switch self {
        case .data: "DATA"
        case .grant: "GRANT"
        case .resend: "RESEND"
        case .rpcUnknown: "RPC_UNKNOWN"
        case .busy: "BUSY"
        case .cutoffs: "CUTOFFS"
        case .freeze: "FREEZE"
        case .needAck: "NEED_ACK"
        case .ack: "ACK"
        }
    }
}
