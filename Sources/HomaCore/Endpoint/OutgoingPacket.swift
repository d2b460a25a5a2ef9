// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaWire

/// A packet to transmit now: a header, and which bytes of which message follow it.
@frozen
public struct OutgoingPacket: Sendable, BitwiseCopyable {
    public var header: PacketHeader
    public var peer: PeerAddress
    /// Network priority, 0 … 7; larger is more urgent.
    public var priority: UInt8
    /// The token given with the message; meaningless when `payloadLength` is 0.
    public var payload: UInt64
    /// First byte of the message in this packet.
    public var payloadOffset: Int
    /// Bytes of the message in this packet; 0 for control packets.
    public var payloadLength: Int
    /// Length of datagrams in which it may share the way with others to the same peer, see `PacketBundle`; 0: it must
    /// go alone.
    public var bundleBytes: UInt32
    /// Nothing was heard of the peer of late: the packet may wait in this host for a neighbor that does not exist, and
    /// should be in nobody's way.
    public var isUnheard: Bool

    @inlinable
    public init(
        header: PacketHeader, peer: PeerAddress, priority: UInt8, payload: UInt64 = 0, payloadOffset: Int = 0,
        payloadLength: Int = 0, bundleBytes: UInt32 = 0, isUnheard: Bool = false
    ) {
        self.header = header
        self.peer = peer
        self.priority = priority
        self.payload = payload
        self.payloadOffset = payloadOffset
        self.payloadLength = payloadLength
        self.bundleBytes = bundleBytes
        self.isUnheard = isUnheard
    }
}

extension WireSizes {
    /// Bytes on the wire of a packet that ``Endpoint/nextPacket(at:)`` returned.
    @inlinable
    public func bytes(of packet: OutgoingPacket) -> Int {
        packet.payloadLength > 0 ? data(payload: packet.payloadLength) : control(packet.header.common.type)
    }
}
