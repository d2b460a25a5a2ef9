// SPDX-License-Identifier: Apache-2.0

public import HomaWire

/// How many bytes packets occupy on a link, everything included: what the pacer reckons with, and simulated links.
@frozen
public struct WireSizes: Equatable, Sendable, BitwiseCopyable {
    /// Bytes beside the payload of a DATA packet.
    public var dataOverhead: Int
    /// Bytes of every other packet; 0: its header and `frameOverhead`.
    public var control: Int
    /// Bytes beside the header of a packet that is not DATA, when `control` is 0.
    public var frameOverhead: Int
    /// No packet is shorter.
    public var minimum: Int

    @inlinable
    public init(dataOverhead: Int, control: Int, frameOverhead: Int, minimum: Int) {
        self.dataOverhead = dataOverhead
        self.control = control
        self.frameOverhead = frameOverhead
        self.minimum = minimum
    }

    /// Bytes on the wire of a DATA packet with so many bytes of payload.
    @inlinable
    public func data(payload: Int) -> Int { max(payload + dataOverhead, minimum) }

    /// Bytes on the wire of a packet of a type other than DATA.
    @inlinable
    public func control(_ type: PacketType) -> Int {
        max(control > 0 ? control : type.headerByteCount + frameOverhead, minimum)
    }
}

extension EndpointConfiguration {
    /// What the settings say about the size of packets on the wire.
    public var wireSizes: WireSizes {
        WireSizes(
            dataOverhead: dataOverheadBytes ?? DataFields.byteCount + frameOverheadBytes,
            control: controlWireBytes ?? 0, frameOverhead: frameOverheadBytes, minimum: minimumWireBytes)
    }
}
