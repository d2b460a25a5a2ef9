// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// A client's word that it needs nothing more from one RPC: 10 bytes, in DATA and in ACK packets.
///
/// | bytes | field        | meaning                                                      |
/// |------:|--------------|--------------------------------------------------------------|
/// | 0–7   | `clientID`   | the RPC as the client knows it, even; 0 = nothing acknowledged |
/// | 8–9   | `serverPort` | the server's Homa port, not 0 unless the record is empty     |
@frozen
public struct AckRecord: Equatable, Sendable, BitwiseCopyable {
    /// Length in bytes.
    @inlinable
    public static var byteCount: Int { 10 }

    /// The empty record.
    @inlinable
    public static var none: AckRecord { AckRecord(clientID: RPCID(rawValue: 0), serverPort: 0) }

    /// The RPC's identifier at the client (even), or 0 in an empty record.
    public var clientID: RPCID
    /// The server's Homa port.
    public var serverPort: UInt16

    @inlinable
    public init(clientID: RPCID, serverPort: UInt16) {
        self.clientID = clientID
        self.serverPort = serverPort
    }

    /// True when the record acknowledges nothing.
    @inlinable
    public var isEmpty: Bool { clientID.rawValue == 0 }
}

extension AckRecord {
    /// Reads the record at `offset` of a packet whose length has been checked. An empty record is `none`, whatever
    /// its port says.
    @inlinable
    init(parsing packet: RawSpan, at offset: Int) throws(WireError) {
        clientID = RPCID(rawValue: packet.bigEndian64(at: offset))
        serverPort = packet.bigEndian16(at: offset + 8)
        guard !isEmpty else {
            serverPort = 0
            return
        }
        guard !clientID.isServerSide else { throw .ackRecordIDOdd }
        guard serverPort != 0 else { throw .ackRecordPortZero }
    }

    @inlinable
    func write(to start: UnsafeMutableRawPointer, at offset: Int) {
        start.put(clientID.rawValue, at: offset)
        start.put(serverPort, at: offset + 8)
    }
}

extension AckRecord: CustomStringConvertible {
    /// Such as `4 at port 4000`.
    public var description: String { isEmpty ? "none" : "\(clientID) at port \(serverPort)" }
}
