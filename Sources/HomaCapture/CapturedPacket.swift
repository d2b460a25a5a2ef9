// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaWire

/// A Homa packet found in a capture.
public struct CapturedPacket: Sendable {
    /// What it was in.
    public enum Carriage: String, Sendable {
        case udp
        /// IP protocol 146.
        case ip146
        /// A TCP header's place, marked as HomaModule marks it (`hijack_tcp`).
        case tcp
    }

    public var carriage: Carriage
    /// Addresses, with the ports of UDP; 0 where there is none.
    public var source: PeerAddress
    public var destination: PeerAddress
    /// IPv4 TOS or IPv6 traffic class.
    public var trafficClass: UInt8
    /// Header and payload, as long as they were.
    public var byteCount: Int
    /// It shares its datagram with others.
    public var isBundled = false
    /// What it says, or why it is no packet.
    public var content: Result<PacketHeader, WireError>
}

/// Finds Homa packets in frames: over UDP, IP protocol 146 or hijacked TCP, over IPv4 or IPv6, over Ethernet with or
/// without VLANs, Linux cooked, loopback or nothing.
///
/// A datagram of UDP is taken for Homa by its look, whatever its ports: the marks at bytes 13 and 18 of the header are
/// always the same. A train that was captured before it was cut is cut where headers stand.
public struct PacketFinder {
    /// Flags, and the urgent pointer, of every packet (homa_hijack.h, HomaModule 9edb958).
    private static let flags: UInt8 = 6
    private static let urgent: UInt16 = 0xB97D
    private static let homaProtocol: UInt8 = 146

    /// Frames that held no Homa packet, and frames that were cut too short, or in fragments, to tell.
    public private(set) var foreignFrames = 0
    public private(set) var unreadableFrames = 0
    private var room = [UInt8](repeating: 0, count: 65_600)

    public init() {}

    /// The Homa packets of a frame, in order.
    public mutating func packets(in frame: CapturedFrame) -> [CapturedPacket] {
        let bytes = frame.bytes
        let missing = frame.originalCount - bytes.count
        guard let network = Self.networkHeader(of: frame) else {
            foreignFrames += 1
            return []
        }
        guard let datagram = Self.datagram(UnsafeRawBufferPointer(rebasing: bytes[network...]), missing: missing) else {
            unreadableFrames += 1
            return []
        }
        let found = packets(in: datagram)
        if found.isEmpty { foreignFrames += 1 }
        return found
    }

    // MARK: Links

    private static let etherIPv4: UInt16 = 0x0800
    private static let etherIPv6: UInt16 = 0x86DD
    private static let etherVLANs: Set<UInt16> = [0x8100, 0x88A8, 0x9100]

    /// Where the IP header begins; nil where there is none.
    private static func networkHeader(of frame: CapturedFrame) -> Int? {
        let bytes = frame.bytes
        switch frame.link {
        case .raw, .ipv4, .ipv6: return 0
        case .null, .loop: return bytes.count >= 4 ? 4 : nil
        case .linuxCooked: return networkHeader(bytes, typeAt: 14, dataAt: 16)
        case .linuxCooked2: return networkHeader(bytes, typeAt: 0, dataAt: 20)
        case .ethernet: return networkHeader(bytes, typeAt: 12, dataAt: 14)
        }
    }

    private static func networkHeader(_ bytes: UnsafeRawBufferPointer, typeAt: Int, dataAt: Int) -> Int? {
        var (typeAt, dataAt) = (typeAt, dataAt)
        while dataAt <= bytes.count {
            let type = bytes.bigEndian16(typeAt)
            guard etherVLANs.contains(type) else { return type == etherIPv4 || type == etherIPv6 ? dataAt : nil }
            // Two bytes of tag, and the type of what follows.
            (typeAt, dataAt) = (dataAt + 2, dataAt + 4)
        }
        return nil
    }

    // MARK: IP

    /// What an IP packet carries.
    private struct Datagram {
        var protocolNumber: UInt8
        var source: PeerAddress
        var destination: PeerAddress
        var trafficClass: UInt8
        /// What was kept, from the transport header on.
        var bytes: UnsafeRawBufferPointer
        var originalCount: Int
    }

    /// Nil for what is no whole IP packet, or a fragment.
    ///
    /// - Parameter missing: bytes that the capture left out at the end.
    private static func datagram(_ bytes: UnsafeRawBufferPointer, missing: Int) -> Datagram? {
        guard let first = bytes.first else { return nil }
        switch first >> 4 {
        case 4: return ipv4(bytes, missing: missing)
        case 6: return ipv6(bytes, missing: missing)
        default: return nil
        }
    }

    private static func ipv4(_ bytes: UnsafeRawBufferPointer, missing: Int) -> Datagram? {
        guard bytes.count >= 20 else { return nil }
        let header = Int(bytes[0] & 15) * 4
        // A train that was captured before it was cut may say 0.
        let said = Int(bytes.bigEndian16(2))
        let total = said == 0 ? bytes.count + missing : said
        guard header >= 20, header <= bytes.count, total >= header, bytes.bigEndian16(6) & 0x3FFF == 0 else {
            return nil
        }
        return Datagram(
            protocolNumber: bytes[9], source: PeerAddress(ipv4: bytes.bigEndian32(12), port: 0),
            destination: PeerAddress(ipv4: bytes.bigEndian32(16), port: 0), trafficClass: bytes[1],
            bytes: UnsafeRawBufferPointer(rebasing: bytes[header..<max(header, min(bytes.count, total))]),
            originalCount: total - header)
    }

    private static func ipv6(_ bytes: UnsafeRawBufferPointer, missing: Int) -> Datagram? {
        guard bytes.count >= 40 else { return nil }
        let said = Int(bytes.bigEndian16(4))
        let total = said == 0 ? bytes.count + missing : 40 + said
        var (next, place) = (bytes[6], 40)
        // Hop-by-hop options, routing and destination options (RFC 8200); fragments are left out.
        while [0, 43, 60].contains(next) {
            guard place + 8 <= bytes.count else { return nil }
            next = bytes[place]
            place += 8 + Int(bytes[place + 1]) * 8
        }
        guard next != 44, place <= bytes.count, total >= place else { return nil }
        return Datagram(
            protocolNumber: next,
            source: PeerAddress(high: bytes.bigEndian64(8), low: bytes.bigEndian64(16), port: 0),
            destination: PeerAddress(high: bytes.bigEndian64(24), low: bytes.bigEndian64(32), port: 0),
            trafficClass: UInt8(truncatingIfNeeded: bytes.bigEndian16(0) >> 4),
            bytes: UnsafeRawBufferPointer(rebasing: bytes[place..<max(place, min(bytes.count, total))]),
            originalCount: total - place)
    }

    // MARK: Homa

    private mutating func packets(in datagram: Datagram) -> [CapturedPacket] {
        var datagram = datagram
        switch datagram.protocolNumber {
        case Self.homaProtocol:
            return [packet(datagram, .ip146, 0..<datagram.originalCount)]
        case 6:
            guard Self.isMarked(datagram.bytes, at: 0) else { return [] }
            return [packet(datagram, .tcp, 0..<datagram.originalCount)]
        case 17:
            guard datagram.bytes.count >= 8, datagram.originalCount >= 8 else { return [] }
            datagram.source.port = datagram.bytes.bigEndian16(0)
            datagram.destination.port = datagram.bytes.bigEndian16(2)
            datagram.bytes = UnsafeRawBufferPointer(rebasing: datagram.bytes.dropFirst(8))
            datagram.originalCount -= 8
            return train(datagram)
        default: return []
        }
    }

    /// A datagram, or several that were not cut yet.
    private mutating func train(_ datagram: Datagram) -> [CapturedPacket] {
        let bytes = datagram.bytes
        var found: [CapturedPacket] = []
        var place = 0
        while place < bytes.count {
            if Self.isBundle(bytes, at: place) {
                var position = place + PacketBundle.markByteCount
                while position + 2 <= bytes.count, case let count = Int(bytes.bigEndian16(position)), count > 0 {
                    let end = min(position + 2 + count, datagram.originalCount)
                    var entry = packet(datagram, .udp, position + 2..<max(end, position + 2))
                    entry.isBundled = true
                    found.append(entry)
                    position = end
                }
                guard let next = Self.nextStart(bytes, after: position, like: place) else { break }
                place = next
            } else if Self.isMarked(bytes, at: place) {
                let next = Self.nextStart(bytes, after: place + CommonHeader.byteCount, like: place)
                found.append(packet(datagram, .udp, place..<(next ?? datagram.originalCount)))
                guard let next else { break }
                place = next
            } else {
                break
            }
        }
        return found
    }

    /// True where a Homa header may begin.
    private static func isMarked(_ bytes: UnsafeRawBufferPointer, at place: Int) -> Bool {
        place + CommonHeader.byteCount <= bytes.count && bytes[place + 13] == flags
            && bytes.bigEndian16(place + 18) == urgent
    }

    private static func isBundle(_ bytes: UnsafeRawBufferPointer, at place: Int) -> Bool {
        place + 6 <= bytes.count && bytes.bigEndian32(place) == PacketBundle.mark && isMarked(bytes, at: place + 6)
    }

    /// Where the next datagram of a train begins, which looks like the one at `start`; nil if there is none.
    private static func nextStart(_ bytes: UnsafeRawBufferPointer, after place: Int, like start: Int) -> Int? {
        let beginning = bytes.bigEndian32(start)
        let isBundled = isBundle(bytes, at: start)
        return (place..<max(place, bytes.count)).first { candidate in
            guard candidate + 4 <= bytes.count, bytes.bigEndian32(candidate) == beginning else { return false }
            return isBundled ? isBundle(bytes, at: candidate) : isMarked(bytes, at: candidate)
        }
    }

    private mutating func packet(
        _ datagram: Datagram, _ carriage: CapturedPacket.Carriage, _ range: Range<Int>
    ) -> CapturedPacket {
        CapturedPacket(
            carriage: carriage, source: datagram.source, destination: datagram.destination,
            trafficClass: datagram.trafficClass, byteCount: range.count, content: header(datagram, range))
    }

    /// Reads a header as if all of the packet had been kept, since that says how long its payload is.
    private mutating func header(_ datagram: Datagram, _ range: Range<Int>) -> Result<PacketHeader, WireError> {
        let start = min(range.lowerBound, datagram.bytes.count)
        let kept = UnsafeRawBufferPointer(rebasing: datagram.bytes[start...].prefix(range.count))
        let count = min(range.count, room.count)
        let headerBytes = min(PacketHeader.maximumByteCount, count)
        for index in 0..<headerBytes { room[index] = index < kept.count ? kept[index] : 0 }
        return room.withUnsafeBytes { bytes in
            do throws(WireError) {
                return .success(try PacketHeader.parse(UnsafeRawBufferPointer(rebasing: bytes[..<count])))
            } catch {
                return .failure(error)
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func bigEndian16(_ place: Int) -> UInt16 {
        UInt16(bigEndian: loadUnaligned(fromByteOffset: place, as: UInt16.self))
    }

    fileprivate func bigEndian32(_ place: Int) -> UInt32 {
        UInt32(bigEndian: loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }

    fileprivate func bigEndian64(_ place: Int) -> UInt64 {
        UInt64(bigEndian: loadUnaligned(fromByteOffset: place, as: UInt64.self))
    }
}
