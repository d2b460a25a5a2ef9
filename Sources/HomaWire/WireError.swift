// SPDX-License-Identifier: Apache-2.0

/// Why bytes from the network are not a valid Homa packet. Never the result of a local mistake.
///
/// Each check has its own case, and the cases are numbered without gaps, so that a table of counters can be
/// indexed by ``code`` and shown by ``name(ofCode:)``.
@frozen
public enum WireError: UInt8, Error, Equatable, CaseIterable, Sendable, BitwiseCopyable {
    /// Fewer than the 28 bytes of a common header.
    case shorterThanCommonHeader
    /// A type outside 0x10…0x18.
    case unknownType
    /// Fewer bytes than the header of the packet's type.
    case shorterThanTypeHeader
    /// Source port 0, which nobody can have.
    case sourcePortZero
    /// Destination port 0, which nobody can have.
    case destinationPortZero
    /// Identifier 0 or 1: the client's half of it is 0, which marks "no RPC".
    case idZero
    /// NEED_ACK with a client's identifier; only servers ask.
    case needAckFromClient
    /// ACK with a server's identifier; only clients acknowledge.
    case ackFromServer

    /// DATA of a message without bytes.
    case messageEmpty
    /// DATA of a message above 1 000 000 bytes.
    case messageTooLong
    /// DATA without payload.
    case payloadEmpty
    /// DATA that starts at or after the end of its message.
    case offsetBeyondMessage
    /// DATA that goes on after the end of its message.
    case payloadBeyondMessage
    /// DATA that announces more incoming bytes than its message has.
    case incomingBeyondMessage
    /// An acknowledgement that names a server's identifier.
    case ackRecordIDOdd
    /// An acknowledgement for server port 0.
    case ackRecordPortZero
    /// ACK that claims more than five records.
    case tooManyAcks

    /// GRANT or RESEND with a priority above 7.
    case priorityOutOfRange
    /// GRANT of no byte.
    case grantEmpty
    /// GRANT beyond the longest message.
    case grantTooFar
    /// RESEND that starts beyond the longest message.
    case resendOffsetTooFar
    /// RESEND of no byte.
    case resendEmpty
    /// RESEND with a negative length that is not −1.
    case resendLengthNegative
    /// RESEND that ends beyond the longest message.
    case resendEndTooFar
    /// CUTOFFS with an entry above `Int32.max`.
    case cutoffTooLarge
    /// CUTOFFS that give a more urgent level the longer messages.
    case cutoffsRising

    /// A packet of a bundle that would end after the datagram.
    case bundleEntryCut

    /// How many codes there are.
    @inlinable
    public static var codeCount: Int { 27 }

    /// A dense number for this reason, 0..<``codeCount``. It may change between releases; the name does not.
    @inlinable
    public var code: Int { Int(rawValue) }

    /// The stable short name of this reason, in the form of a metric's label.
    public var name: String {
        switch self {
        case .shorterThanCommonHeader: "short_common_header"
        case .unknownType: "unknown_type"
        case .shorterThanTypeHeader: "short_type_header"
        case .sourcePortZero: "source_port_zero"
        case .destinationPortZero: "destination_port_zero"
        case .idZero: "id_zero"
        case .needAckFromClient: "need_ack_from_client"
        case .ackFromServer: "ack_from_server"
        case .messageEmpty: "message_empty"
        case .messageTooLong: "message_too_long"
        case .payloadEmpty: "payload_empty"
        case .offsetBeyondMessage: "offset_beyond_message"
        case .payloadBeyondMessage: "payload_beyond_message"
        case .incomingBeyondMessage: "incoming_beyond_message"
        case .ackRecordIDOdd: "ack_record_id_odd"
        case .ackRecordPortZero: "ack_record_port_zero"
        case .tooManyAcks: "too_many_acks"
        case .priorityOutOfRange: "priority_out_of_range"
        case .grantEmpty: "grant_empty"
        case .grantTooFar: "grant_too_far"
        case .resendOffsetTooFar: "resend_offset_too_far"
        case .resendEmpty: "resend_empty"
        case .resendLengthNegative: "resend_length_negative"
        case .resendEndTooFar: "resend_end_too_far"
        case .cutoffTooLarge: "cutoff_too_large"
        case .cutoffsRising: "cutoffs_rising"
        case .bundleEntryCut: "bundle_entry_cut"
        }
    }

    /// The stable short name of the reason numbered `code`, which must be in 0..<``codeCount``.
    public static func name(ofCode code: Int) -> String {
        guard let error = UInt8(exactly: code).flatMap(WireError.init(rawValue:)) else {
            preconditionFailure("no such reason for dropping a packet")
        }
        return error.name
    }
}
