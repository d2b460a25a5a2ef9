// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import HomaBase
internal import HomaCore
internal import HomaWire

/// Trains that the kernel puts in place.
extension UDPDriver {
    /// Prepares for a train of packets with so much payload each that brings the bytes of a forecast; the less there is
    /// left of the message, the fewer.
    mutating func arm(
        _ forecast: Forecast, payloadByteCount: Int, endpoint: inout Endpoint, region: UnsafeMutableRawPointer
    ) {
        scatter.clear()
        let slot = receiveRing.slots[0]
        var offset = forecast.offset
        while offset < forecast.length {
            let count = min(UInt32(payloadByteCount), forecast.length - offset)
            let place = endpoint.place(forecast, offset: offset, byteCount: count)
            guard scatter.append(place, region: region, limit: Int(slot.capacity)) else { break }
            offset += count
        }
        if scatter.packetCount > 0 { scatter.close(slot: slot.base, capacity: Int(slot.capacity)) }
    }

    /// Whether the datagram just received is what the forecast said, packet for packet.
    func agrees(_ datagram: ReceivedDatagram, with forecast: Forecast) -> Bool {
        var offset = forecast.offset
        var start = 0
        var packet = 0
        while start < datagram.byteCount, packet < scatter.packetCount {
            let length = min(datagram.segmentSize, datagram.byteCount - start)
            let payload = scatter.payloadByteCount(packet)
            guard length == ScatterPlan.headerByteCount + payload,
                let header = try? PacketHeader.parse(scatter.header(packet, packetByteCount: length)),
                case .data(let data) = header.body, header.common.senderID.peer == forecast.id,
                data.offset == offset, Int(data.payloadLength) == payload,
                header.byteCount == ScatterPlan.headerByteCount
            else { return false }
            offset += UInt32(payload)
            start += length
            packet += 1
        }
        return true
    }

    /// Puts the datagram just received together in its slot: it is another one than expected.
    mutating func gatherScattered(_ byteCount: Int) {
        scatter.gather(min(byteCount, scatter.byteCount), into: receiveRing.slots[0].base)
        isScattered = false
    }
}
