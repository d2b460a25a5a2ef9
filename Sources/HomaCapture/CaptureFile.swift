// SPDX-License-Identifier: Apache-2.0

/// Why a file cannot be read as a capture, and where.
public struct CaptureError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// What a link's frames begin with; numbers are those of the LINKTYPE registry (tcpdump.org/linktypes.html).
public enum LinkLayer: UInt32, Sendable {
    /// Four bytes with an address family, in the byte order of the host that captured.
    case null = 0
    case ethernet = 1
    /// An IP packet and nothing before.
    case raw = 101
    /// The same as ``null`` in network byte order.
    case loop = 108
    /// What Linux puts before a packet that was captured on "any" device.
    case linuxCooked = 113
    case ipv4 = 228
    case ipv6 = 229
    /// The second version of ``linuxCooked``.
    case linuxCooked2 = 276

    /// Older numbers of raw IP, which differ from system to system, are read as well.
    init?(number: UInt32) {
        switch number {
        case 12, 14: self = .raw
        default: self.init(rawValue: number)
        }
    }
}

/// A frame of a capture.
public struct CapturedFrame {
    /// From 1, as Wireshark counts.
    public var number: Int
    /// Nanoseconds since 1970.
    public var nanoseconds: UInt64
    public var link: LinkLayer
    /// What was kept of it; valid as long as the file's bytes.
    public var bytes: UnsafeRawBufferPointer
    /// How long it was.
    public var originalCount: Int
}

/// Reads the frames of a capture file: pcap with times in micro- or nanoseconds, or pcapng, of either byte order.
public struct CaptureFile {
    private struct Interface {
        var link: UInt32
        /// A second in units of the interface's time stamps.
        var unitsPerSecond: UInt64
        /// Seconds to be added to its time stamps.
        var offset: Int64 = 0
    }

    private enum Format {
        case pcap(Interface)
        case pcapng
    }

    /// Longest frame that is believed; pcap's own limit is 262 144 (MAXIMUM_SNAPLEN, libpcap).
    private static let longestFrame = 1 << 24

    private let bytes: UnsafeRawBufferPointer
    private var format = Format.pcapng
    private var isBigEndian = false
    private var position = 0
    private var interfaces: [Interface] = []
    private var count = 0

    /// - Parameter bytes: the whole file; they must stay where they are as long as frames of it are used.
    /// - Throws: when that is no capture, or one of a format that is not known.
    public init(_ bytes: UnsafeRawBufferPointer) throws(CaptureError) {
        self.bytes = bytes
        guard bytes.count >= 24 else {
            throw CaptureError("\(bytes.count) bytes are no capture: the header of a pcap file alone has 24")
        }
        let mark = bytes.loadUnaligned(as: UInt32.self)
        switch UInt32(littleEndian: mark) {
        case 0xA1B2_C3D4: try readHeader(isBigEndian: false, unitsPerSecond: 1_000_000)
        case 0xA1B2_3C4D: try readHeader(isBigEndian: false, unitsPerSecond: 1_000_000_000)
        case 0xD4C3_B2A1: try readHeader(isBigEndian: true, unitsPerSecond: 1_000_000)
        case 0x4D3C_B2A1: try readHeader(isBigEndian: true, unitsPerSecond: 1_000_000_000)
        case Self.sectionBlock: break
        default:
            let digits = String(UInt32(bigEndian: mark), radix: 16)
            let padded = String(repeating: "0", count: 8 - digits.count) + digits
            throw CaptureError("it begins with 0x\(padded), and neither pcap nor pcapng does")
        }
    }

    private mutating func readHeader(isBigEndian: Bool, unitsPerSecond: UInt64) throws(CaptureError) {
        self.isBigEndian = isBigEndian
        let version = load16(at: 4)
        guard version == 2 else { throw CaptureError("pcap of version \(version); version 2 is known") }
        // The upper bits say how many bytes of a frame's checksum were kept.
        format = .pcap(Interface(link: load32(at: 20) & 0x0FFF_FFFF, unitsPerSecond: unitsPerSecond))
        position = 24
    }

    /// The next frame; nil at the end.
    ///
    /// - Throws: when the file ends within a record, contradicts itself, or is of a link that is not known.
    public mutating func next() throws(CaptureError) -> CapturedFrame? {
        switch format {
        case .pcap(let interface): try nextRecord(interface)
        case .pcapng: try nextBlock()
        }
    }

    private mutating func nextRecord(_ interface: Interface) throws(CaptureError) -> CapturedFrame? {
        guard position < bytes.count else { return nil }
        guard position + 16 <= bytes.count else { throw cut("a record's header") }
        let (kept, original) = (Int(load32(at: position + 8)), Int(load32(at: position + 12)))
        let time = UInt64(load32(at: position)) &* 1_000_000_000
        let fraction = UInt64(load32(at: position + 4)) &* (1_000_000_000 / interface.unitsPerSecond)
        return try frame(
            interface, time &+ fraction, at: position + 16, kept: kept, original: original, end: position + 16 + kept)
    }

    private mutating func frame(
        _ interface: Interface, _ nanoseconds: UInt64, at start: Int, kept: Int, original: Int, end: Int
    ) throws(CaptureError) -> CapturedFrame {
        guard kept <= Self.longestFrame else {
            throw CaptureError("frame \(count + 1) is said to have \(kept) bytes, more than \(Self.longestFrame)")
        }
        guard start + kept <= bytes.count else { throw cut("frame \(count + 1)") }
        guard let link = LinkLayer(number: interface.link) else {
            throw CaptureError(
                "frame \(count + 1) is of link type \(interface.link); known are Ethernet (1), raw IP (101, 228, 229), "
                    + "Linux cooked (113, 276) and loopback (0, 108)")
        }
        count += 1
        position = end
        return CapturedFrame(
            number: count, nanoseconds: nanoseconds, link: link,
            bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<start + kept]), originalCount: max(kept, original))
    }

    private func cut(_ what: String) -> CaptureError {
        CaptureError("the file ends within \(what), at byte \(bytes.count)")
    }

    private func load16(at place: Int) -> UInt16 {
        let value = bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self)
        return isBigEndian ? UInt16(bigEndian: value) : UInt16(littleEndian: value)
    }

    private func load32(at place: Int) -> UInt32 {
        let value = bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)
        return isBigEndian ? UInt32(bigEndian: value) : UInt32(littleEndian: value)
    }
}

// MARK: pcapng (draft-ietf-opsawg-pcapng)

extension CaptureFile {
    private static var sectionBlock: UInt32 { 0x0A0D_0D0A }
    private static var interfaceBlock: UInt32 { 1 }
    private static var simplePacketBlock: UInt32 { 3 }
    private static var enhancedPacketBlock: UInt32 { 6 }

    private mutating func nextBlock() throws(CaptureError) -> CapturedFrame? {
        while position < bytes.count {
            guard position + 12 <= bytes.count else { throw cut("a block's header") }
            // The same read either way.
            let isSection = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self) == Self.sectionBlock
            if isSection { try readByteOrder() }
            let length = Int(load32(at: position + 4))
            guard length >= 12, length % 4 == 0 else {
                throw CaptureError("the block at byte \(position) is said to have \(length) bytes")
            }
            guard position + length <= bytes.count else { throw cut("the block at byte \(position)") }
            let end = position + length
            guard !isSection else {
                interfaces = []
                position = end
                continue
            }
            switch load32(at: position) {
            case Self.interfaceBlock:
                guard length >= 20 else { throw tooShort("interface block", length) }
                interfaces.append(interface(from: position + 8, to: end - 4))
            case Self.enhancedPacketBlock:
                guard length >= 32 else { throw tooShort("packet block", length) }
                let interface = try interface(Int(load32(at: position + 8)))
                let units = UInt64(load32(at: position + 12)) << 32 | UInt64(load32(at: position + 16))
                let (kept, original) = (Int(load32(at: position + 20)), Int(load32(at: position + 24)))
                guard kept <= length - 32 else { throw tooShort("packet block", length) }
                return try frame(
                    interface, Self.nanoseconds(units, interface), at: position + 28, kept: kept, original: original,
                    end: end)
            case Self.simplePacketBlock:
                guard length >= 16 else { throw tooShort("packet block", length) }
                let original = Int(load32(at: position + 8))
                return try frame(
                    try interface(0), 0, at: position + 12, kept: min(original, length - 16), original: original,
                    end: end)
            default: break
            }
            position = end
        }
        return nil
    }

    private mutating func readByteOrder() throws(CaptureError) {
        let magic = bytes.loadUnaligned(fromByteOffset: position + 8, as: UInt32.self)
        switch UInt32(littleEndian: magic) {
        case 0x1A2B_3C4D: isBigEndian = false
        case 0x4D3C_2B1A: isBigEndian = true
        default: throw CaptureError("the section at byte \(position) does not say its byte order")
        }
    }

    private func tooShort(_ block: String, _ length: Int) -> CaptureError {
        CaptureError("the \(block) at byte \(position) is too short: \(length) bytes")
    }

    private func interface(_ number: Int) throws(CaptureError) -> Interface {
        guard number < interfaces.count else {
            throw CaptureError(
                "the packet at byte \(position) is of interface \(number), and the file has \(interfaces.count)")
        }
        return interfaces[number]
    }

    /// The link type is followed by options, of which the resolution (9) and the offset (14) of times matter.
    private func interface(from start: Int, to end: Int) -> Interface {
        var interface = Interface(link: UInt32(load16(at: start)), unitsPerSecond: 1_000_000)
        var place = start + 8
        while place + 4 <= end {
            let (code, length) = (load16(at: place), Int(load16(at: place + 2)))
            place += 4
            guard code != 0, place + length <= end else { break }
            if code == 9, length >= 1 {
                let power = bytes[place] & 0x7F
                let base: UInt64 = bytes[place] & 0x80 != 0 ? 2 : 10
                // Finer than this no clock is, and no number of 64 bits holds.
                let units = (0..<min(power, base == 2 ? 63 : 19)).reduce(UInt64(1)) { units, _ in units * base }
                interface.unitsPerSecond = max(1, units)
            } else if code == 14, length >= 8 {
                let (first, second) = (UInt64(load32(at: place)), UInt64(load32(at: place + 4)))
                interface.offset = Int64(bitPattern: isBigEndian ? first << 32 | second : second << 32 | first)
            }
            place += (length + 3) / 4 * 4
        }
        return interface
    }

    private static func nanoseconds(_ units: UInt64, _ interface: Interface) -> UInt64 {
        let (seconds, rest) = units.quotientAndRemainder(dividingBy: interface.unitsPerSecond)
        let (high, low) = rest.multipliedFullWidth(by: 1_000_000_000)
        let fraction = interface.unitsPerSecond.dividingFullWidth((high, low)).quotient
        return UInt64(bitPattern: Int64(bitPattern: seconds) &+ interface.offset) &* 1_000_000_000 &+ fraction
    }
}
