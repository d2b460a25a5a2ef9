// SPDX-License-Identifier: Apache-2.0

/// What a packet says after its common header, one case for each ``PacketType``.
@frozen
public enum PacketBody: Equatable, Sendable, BitwiseCopyable {
    /// A segment of a message.
    case data(DataFields)
    /// Leave to transmit further.
    case grant(GrantFields)
    /// A request to transmit again.
    case resend(ResendFields)
    /// This host does not know the RPC; the extension marks may say why.
    case rpcUnknown
    /// Nothing to send yet, but still working on it.
    case busy
    /// Priorities for unscheduled bytes.
    case cutoffs(CutoffsFields)
    /// Stop the time trace; a debugging aid of the kernel module.
    case freeze
    /// A server's question whether it may forget the RPC.
    case needAck
    /// A client's word that the server may forget RPCs.
    case ack(AckFields)

    /// The type of packet that carries this.
    @inlinable
    public var type: PacketType {
        switch self {
        case .data: .data
        case .grant: .grant
        case .resend: .resend
        case .rpcUnknown: .rpcUnknown
        case .busy: .busy
        case .cutoffs: .cutoffs
        case .freeze: .freeze
        case .needAck: .needAck
        case .ack: .ack
        }
    }
}

extension PacketBody: CustomStringConvertible {
    /// The fields in words; empty for a packet that has none.
    public var description: String {
        switch self {
        case .data(let fields): fields.description
        case .grant(let fields): fields.description
        case .resend(let fields): fields.description
        case .cutoffs(let fields): fields.description
        case .ack(let fields): fields.description
        case .rpcUnknown, .busy, .freeze, .needAck: ""
        }
    }
}
