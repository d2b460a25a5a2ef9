// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// A full DATA packet of a 1500-byte path, to be written and read again and again.
final class DataHeader {
    private static let packetBytes = 1472
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: packetBytes, alignment: 64)
    private let header: PacketHeader

    init() {
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        header = PacketHeader(
            sourcePort: 0x8000, destinationPort: 99, senderID: RPCID(rawValue: 1000),
            body: .data(
                DataFields(
                    messageLength: 500_000, incoming: 60_000, ack: .none, cutoffVersion: 1, oldestUnfinishedDistance: 0,
                    offset: 1416, payloadLength: 1416)))
    }

    deinit { bytes.deallocate() }

    @inline(__always)
    func write() -> Int { header.write(into: bytes) }

    @inline(__always)
    func parse() -> UInt64 {
        guard let header = try? PacketHeader.parse(UnsafeRawBufferPointer(bytes)) else {
            preconditionFailure("our own packet is wrong")
        }
        return header.common.senderID.rawValue
    }
}
