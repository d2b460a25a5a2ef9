// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaBase
internal import HomaBuffers
internal import HomaCore
internal import HomaPosix
internal import HomaWire

/// Received trains: the packets of one message, one after the other.
extension Engine {
    /// Takes the packets of a train that go on with the message of the one at `start`, whose bytes have just been
    /// stored. A train costs little more than a packet, but for the copy.
    ///
    /// - Parameter segment: bytes of each packet in the train.
    /// - Returns: where the last packet taken begins; `start` when there was none.
    @inline(__always)
    func takeFollowers(of datagram: ReceivedDatagram, packet start: Int, segment: Int) -> Int {
        guard datagram.byteCount - start >= 3 * segment, segment > DataFields.byteCount else { return start }
        return takeTrain(datagram, start, segment)
    }

    private func takeTrain(_ datagram: ReceivedDatagram, _ start: Int, _ segment: Int) -> Int {
        let first = UnsafeRawBufferPointer(start: datagram.baseAddress + start, count: segment)
        guard let header = try? PacketHeader.parse(first), case .data(let data) = header.body else { return start }
        let count = Self.countFollowers(of: first, data, in: datagram.byteCount - start)
        guard count > 0 else { return start }
        let followers = state.pointee.endpoint.receiveFollowers(
            of: header, count: count, from: datagram.source, at: state.pointee.now)
        guard followers.count > 0 else { return start }
        store(followers, from: first.baseAddress! + segment, segment, at: Int(data.offset + data.payloadLength))
        return start + followers.count * segment
    }

    /// Whole packets after `first`, in so many bytes with it, whose headers say that they go on where the one before
    /// ends.
    private static func countFollowers(
        of first: UnsafeRawBufferPointer, _ data: DataFields, in byteCount: Int
    ) -> Int {
        withUnsafeTemporaryAllocation(byteCount: DataFields.byteCount, alignment: 8) { expected in
            expected.copyMemory(from: UnsafeRawBufferPointer(rebasing: first[..<DataFields.byteCount]))
            var offset = data.offset
            var packet = first.baseAddress! + first.count
            let end = first.baseAddress! + byteCount
            var count = 0
            while packet + first.count <= end {
                offset += data.payloadLength
                PacketHeader.advance(expected.baseAddress!, to: offset)
                guard memcmp(expected.baseAddress!, packet, DataFields.byteCount) == 0 else { break }
                count += 1
                packet += first.count
            }
            return count
        }
    }

    /// Copies the payload of packets that lie one after the other to where it belongs, from byte `offset` of the
    /// message.
    private func store(_ followers: Followers, from packets: UnsafeRawPointer, _ segment: Int, at offset: Int) {
        let base = region.memory.baseAddress
        let payload = segment - DataFields.byteCount
        var offset = offset
        var room = region.pool.piece(of: followers.lease, at: offset)
        var source = packets + DataFields.byteCount
        for _ in 0..<followers.count {
            var copied = 0
            repeat {
                if room.byteCount == 0 { room = region.pool.piece(of: followers.lease, at: offset) }
                let length = min(payload - copied, room.byteCount)
                (base + room.regionOffset).copyMemory(from: source + copied, byteCount: length)
                room = (room.regionOffset + length, room.byteCount - length)
                copied += length
                offset += length
            } while copied < payload
            source += segment
        }
        state.pointee.counters.bytesCopied &+= UInt64(followers.count * payload)
    }
}
