// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

extension CapturedPacket {
    /// The packet on one line.
    ///
    /// - Parameters:
    ///   - frame: the frame it was in.
    ///   - start: nanoseconds since 1970 that times count from.
    public func line(frame: CapturedFrame, since start: UInt64) -> String {
        let elapsed = frame.nanoseconds >= start ? frame.nanoseconds - start : 0
        let fraction = String(elapsed % 1_000_000_000)
        let time = "\(elapsed / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction
        let carried = carriage.rawValue + (isBundled ? " bundle" : "") + " p\(trafficClass >> 5)"
        let said =
            switch content {
            case .success(let header): "\(header)"
            case .failure(let error): "malformed: \(error.name), \(byteCount) bytes"
            }
        return "\(time) \(name(source)) > \(name(destination)) \(carried) \(said)"
    }

    /// Without UDP there is no port to be named.
    private func name(_ address: PeerAddress) -> String {
        let text = "\(address)"
        guard carriage != .udp, let colon = text.lastIndex(of: ":") else { return text }
        return String(text[..<colon])
    }

    /// The packet as one JSON object on one line.
    public func jsonLine(frame: CapturedFrame) -> String {
        var members: [(String, String)] = [
            ("time_ns", "\(frame.nanoseconds)"), ("frame", "\(frame.number)"),
            ("carriage", Self.quoted(carriage.rawValue)),
            ("source", Self.quoted(name(source))), ("destination", Self.quoted(name(destination))),
            ("priority", "\(trafficClass >> 5)"), ("bytes", "\(byteCount)"), ("bundled", "\(isBundled)"),
        ]
        switch content {
        case .success(let header):
            members += [
                ("type", Self.quoted("\(header.body.type)")), ("source_port", "\(header.common.sourcePort)"),
                ("destination_port", "\(header.common.destinationPort)"), ("id", "\(header.common.senderID.rawValue)"),
                ("from_server", "\(header.common.senderID.isServerSide)"),
                ("extension_version", "\(header.common.extensions.version)"),
            ]
            members += Self.fields(of: header.body)
            members.append(("text", Self.quoted("\(header)")))
        case .failure(let error): members.append(("malformed", Self.quoted(error.name)))
        }
        return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    private static func fields(of body: PacketBody) -> [(String, String)] {
        switch body {
        case .data(let fields):
            [
                ("message_bytes", "\(fields.messageLength)"), ("offset", "\(fields.offset)"),
                ("payload_bytes", "\(fields.payloadLength)"), ("incoming", "\(fields.incoming)"),
                ("retransmission", "\(fields.isRetransmission)"),
            ]
        case .grant(let fields): [("offset", "\(fields.offset)"), ("granted_priority", "\(fields.priority)")]
        case .resend(let fields):
            [
                ("offset", "\(fields.offset)"), ("length", "\(fields.length)"),
                ("granted_priority", "\(fields.priority)"),
            ]
        case .cutoffs(let fields): [("cutoff_version", "\(fields.version)")]
        case .ack(let fields): [("acks", "\(fields.count)")]
        case .rpcUnknown, .busy, .freeze, .needAck: []
        }
    }

    /// Names and numbers, in which nothing needs an escape.
    private static func quoted(_ text: String) -> String { "\"\(text)\"" }
}
