// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaCore
internal import HomaWire

/// Where the packets of the next train go: headers side by side in here, payload where its message lies.
///
/// The kernel then writes payload straight into the region. A train that turns out to be another one is put together
/// again in the receive slot, as if it had been received there.
struct ScatterPlan: ~Copyable {
    /// More than the packets of the shortest train that is worth it, at any MTU from 1280 on.
    static let packetLimit = 64
    static var headerByteCount: Int { PacketType.data.headerByteCount }
    private static let headerStride = 64
    /// A header, payload in at most two pieces; and behind all, the slot.
    private static let pieceLimit = 3 * packetLimit + 1

    let pieces: UnsafeMutablePointer<iovec>
    private let headers: UnsafeMutableRawPointer
    private let payloads: UnsafeMutablePointer<Int>
    private(set) var pieceCount = 0
    private(set) var packetCount = 0
    /// Of headers and payload planned for.
    private(set) var byteCount = 0
    var isArmed = false

    init() {
        pieces = .allocate(capacity: Self.pieceLimit)
        // A packet's header is parsed with the packet's length, though only the header is there: the parser never
        // reads on, and must not run off the memory even on paper.
        headers = .allocate(byteCount: Self.packetLimit * Self.headerStride + 65_536, alignment: 64)
        payloads = .allocate(capacity: Self.packetLimit)
    }

    deinit {
        pieces.deallocate()
        headers.deallocate()
        payloads.deallocate()
    }

    /// Plans for a train of packets with so much payload each that brings the bytes of a forecast; the less there is
    /// left of the message, the fewer.
    ///
    /// - Parameter slot: for what the train brings beyond that.
    mutating func arm(
        _ forecast: Forecast, payloadByteCount: Int, endpoint: inout Endpoint, region: UnsafeMutableRawPointer,
        slot: UnsafeMutableRawBufferPointer
    ) {
        clear()
        var offset = forecast.offset
        while offset < forecast.length {
            let count = min(UInt32(payloadByteCount), forecast.length - offset)
            let place = endpoint.place(forecast, offset: offset, byteCount: count)
            guard append(place, region: region, limit: slot.count) else { break }
            offset += count
        }
        if packetCount > 0 { close(slot: slot.baseAddress!, capacity: slot.count) }
    }

    /// Whether the datagram just received is what the forecast said, packet for packet.
    func agrees(_ datagram: ReceivedDatagram, with forecast: Forecast) -> Bool {
        var offset = forecast.offset
        var start = 0
        var packet = 0
        while start < datagram.byteCount, packet < packetCount {
            let length = min(datagram.segmentSize, datagram.byteCount - start)
            let payload = payloadByteCount(packet)
            guard length == Self.headerByteCount + payload,
                let header = try? PacketHeader.parse(self.header(packet, packetByteCount: length)),
                case .data(let data) = header.body, header.common.senderID.peer == forecast.id,
                data.offset == offset, Int(data.payloadLength) == payload,
                header.byteCount == Self.headerByteCount
            else { return false }
            offset += UInt32(payload)
            start += length
            packet += 1
        }
        return true
    }

    mutating func clear() {
        (pieceCount, packetCount, byteCount, isArmed) = (0, 0, 0, false)
    }

    /// Plans one more packet; false when there is no room for it.
    private mutating func append(_ place: Placement, region: UnsafeMutableRawPointer, limit: Int) -> Bool {
        let payload = place.byteCount + place.secondByteCount
        guard packetCount < Self.packetLimit, byteCount + Self.headerByteCount + payload <= limit else { return false }
        add(headers + packetCount * Self.headerStride, Self.headerByteCount)
        add(region + place.regionOffset, place.byteCount)
        if place.secondByteCount > 0 { add(region + place.secondRegionOffset, place.secondByteCount) }
        payloads[packetCount] = payload
        packetCount += 1
        byteCount += Self.headerByteCount + payload
        return true
    }

    /// What does not fit goes where it would lie in the slot.
    private mutating func close(slot: UnsafeMutableRawPointer, capacity: Int) {
        add(slot + byteCount, capacity - byteCount)
        isArmed = true
    }

    private mutating func add(_ base: UnsafeMutableRawPointer, _ count: Int) {
        pieces[pieceCount] = iovec(iov_base: base, iov_len: count)
        pieceCount += 1
    }

    private func payloadByteCount(_ packet: Int) -> Int { payloads[packet] }

    /// The header of a planned packet that is so long; payload is elsewhere.
    func header(_ packet: Int, packetByteCount: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: headers + packet * Self.headerStride, count: packetByteCount)
    }

    /// Puts the first `count` bytes of what was received into the slot, in the order of the wire.
    func gather(_ count: Int, into slot: UnsafeMutableRawPointer) {
        var done = 0
        for index in 0..<pieceCount - 1 where done < count {
            let length = min(pieces[index].iov_len, count - done)
            (slot + done).copyMemory(from: pieces[index].iov_base, byteCount: length)
            done += length
        }
    }
}
