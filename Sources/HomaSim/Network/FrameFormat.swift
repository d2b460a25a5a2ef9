// SPDX-License-Identifier: Apache-2.0

/// How much of the link a packet takes: what surrounds the payload.
public struct FrameFormat: Equatable, Sendable, BitwiseCopyable {
    /// Payload of a full packet.
    public var payloadBytes: Int
    /// Wire bytes of a data packet beside its payload: all headers, Ethernet checksum, preamble and gap.
    public var dataOverheadBytes: Int
    /// Shortest packet on the wire: a 64-byte Ethernet frame, 8 bytes of preamble and 12 of gap.
    public var minimumWireBytes: Int

    /// Preamble (8) and gap (12) take time on the link, but no room in a buffer.
    static var unstoredBytes: Int { 20 }

    /// 1442 bytes of data in a frame that takes 1538 on the wire, as in the simulations of the SIGCOMM 2018 paper.
    public static var sigcomm2018: Self { Self(payloadBytes: 1442, dataOverheadBytes: 96) }

    /// 1472 bytes of data and 66 of Ethernet, IP and UDP: nothing of a transport.
    public static var udp: Self { Self(payloadBytes: 1472, dataOverheadBytes: 66) }

    public init(payloadBytes: Int, dataOverheadBytes: Int, minimumWireBytes: Int = 84) {
        self.payloadBytes = payloadBytes
        self.dataOverheadBytes = dataOverheadBytes
        self.minimumWireBytes = minimumWireBytes
    }

    /// Wire bytes of a full packet.
    public var fullWireBytes: Int { wireBytes(payload: payloadBytes) }

    /// Wire bytes of a data packet.
    public func wireBytes(payload: Int) -> Int { max(minimumWireBytes, payload + dataOverheadBytes) }

    /// Bytes in a buffer of a packet with so many wire bytes.
    public func storedBytes(wire: Int) -> Int { wire - Self.unstoredBytes }

    /// Packets of a message.
    public func packets(of bytes: Int) -> Int { (bytes + payloadBytes - 1) / payloadBytes }

    /// Payload of the last packet of a message of at least one byte.
    public func lastPayload(of bytes: Int) -> Int { bytes - (packets(of: bytes) - 1) * payloadBytes }

    /// Wire bytes of all packets of a message.
    public func wireBytes(message bytes: Int) -> Int {
        (packets(of: bytes) - 1) * fullWireBytes + wireBytes(payload: lastPayload(of: bytes))
    }
}
