// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// The last events of a run, at the level of packets and of the application.
package struct SwarmTrace {
    package enum Kind: String {
        case sent, arrived, dropped, malformed, lost, noWay = "no way", tooLong = "too long", full
        case called = "calls", sends, aborts, answers, declines, released = "returns buffers"
        case request = "has request", response = "has response", message = "has message", ended = "is told of end",
            delivered = "is told of arrival", closed = "ends call", abandoned = "is told of abandonment"
        case pause = "stands still", crash = "crashes", stop = "stops", start = "starts", clock = "clock leaps",
            move = "moves", drain = "takes no more requests", cut = "is cut off", narrow = "way narrows", stall =
            "application stalls", sleep = "falls asleep", goesOn = "goes on",
            end = "ends for good", healed
        case forged
    }

    struct Event {
        var time: UInt64
        var kind: Kind
        var host: UInt8
        var other: UInt8
        /// The type of a packet, 0 for none; or a reason.
        var type: UInt8
        var id: UInt64
        var first: UInt32
        var second: UInt32
    }

    static var capacity: Int { 1 << 13 }
    private var ring: [Event] = []
    private var next = 0
    /// Events in all, those that are lost included.
    private(set) var count = 0
    package static var nobody: UInt8 { 255 }

    package init() {}

    package mutating func note(
        _ kind: Kind, at time: UInt64, host: Int, other: Int? = nil, type: UInt8 = 0, id: UInt64 = 0, first: Int = 0,
        second: Int = 0
    ) {
        let event = Event(
            time: time, kind: kind, host: UInt8(truncatingIfNeeded: host),
            other: other.map { UInt8(truncatingIfNeeded: $0) } ?? Self.nobody, type: type, id: id,
            first: UInt32(truncatingIfNeeded: first), second: UInt32(truncatingIfNeeded: second))
        count += 1
        if ring.count < Self.capacity {
            ring.append(event)
        } else {
            ring[next] = event
            next = next + 1 == Self.capacity ? 0 : next + 1
        }
    }

    /// Notes a packet by its bytes, or each of a bundle.
    package mutating func note(
        _ kind: Kind, at time: UInt64, host: Int, other: Int?, packet: UnsafeRawBufferPointer, reason: UInt8 = 0
    ) {
        guard packet.count >= CommonHeader.byteCount else {
            return note(kind, at: time, host: host, other: other, first: packet.count)
        }
        if PacketBundle.isBundle(packet) {
            var position = PacketBundle.markByteCount
            while let part = try? PacketBundle.next(in: packet, at: &position) {
                note(kind, at: time, host: host, other: other, packet: part, reason: reason)
            }
            return
        }
        func word(_ place: Int) -> Int {
            packet.count >= place + 4
                ? Int(UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: place, as: UInt32.self))) : 0
        }
        let type = packet[11]
        let id = UInt64(bigEndian: packet.loadUnaligned(fromByteOffset: CommonHeader.senderIDOffset, as: UInt64.self))
        let isData = type == PacketType.data.rawValue
        note(
            kind, at: time, host: host, other: other, type: type, id: id,
            first: isData
                ? word(52) : type == PacketType.grant.rawValue || type == PacketType.resend.rawValue ? word(28) : 0,
            second: isData
                ? packet.count - DataFields.byteCount : type == PacketType.resend.rawValue ? word(32) : Int(reason))
    }

    /// The identifier and the payload of each DATA packet of a datagram that begins a request.
    package static func requests(
        in datagram: UnsafeRawBufferPointer, _ body: (UInt64, UnsafeRawBufferPointer) -> Void
    ) {
        if PacketBundle.isBundle(datagram) {
            var position = PacketBundle.markByteCount
            while let part = try? PacketBundle.next(in: datagram, at: &position) { requests(in: part, body) }
            return
        }
        guard let header = try? PacketHeader.parse(datagram), case .data(let data) = header.body, data.offset == 0,
            !header.common.senderID.isServerSide
        else { return }
        body(header.common.senderID.rawValue, UnsafeRawBufferPointer(rebasing: datagram[header.byteCount...]))
    }

    /// One line an event, the oldest first.
    package var lines: [String] {
        let ordered = ring[next...] + ring[..<next]
        return ordered.map { Self.line($0) }
    }

    private static func line(_ event: Event) -> String {
        let micros = String(event.time / 1000)
        var text = String(repeating: " ", count: max(0, 9 - micros.count)) + micros + " µs "
        text += event.host == nobody ? "stranger" : "host \(event.host)"
        text += " \(event.kind.rawValue)"
        if event.type != 0 { text += " " + (PacketType(rawValue: event.type).map { "\($0)" } ?? "type \(event.type)") }
        if event.id != 0 { text += " id \(event.id)" }
        if event.other != nobody { text += " ⇄ host \(event.other)" }
        if event.first != 0 || event.second != 0 { text += " (\(event.first), \(Int32(bitPattern: event.second)))" }
        return text
    }
}
