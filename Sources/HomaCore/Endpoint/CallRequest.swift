// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// What a client wants to send, without the bytes themselves.
@frozen
public struct CallRequest: Sendable, BitwiseCopyable {
    /// The server's node.
    public var destination: PeerAddress
    /// The server's Homa port, 1 … 0x7FFF.
    public var serverPort: UInt16
    /// The client's Homa port, 0x8000 … 0xFFFF.
    public var clientPort: UInt16
    /// Length of the request in bytes, 1 … `maximumMessageBytes`.
    public var length: Int
    /// Where the driver finds the bytes. The core never looks at it; it comes back in each packet.
    public var payload: UInt64
    /// Comes back in the event that ends the call.
    public var cookie: UInt64
    /// The call fails with ``RPCFailure/deadlineExceeded`` when it is not complete by then.
    public var deadline: Instant

    @inlinable
    public init(
        destination: PeerAddress, serverPort: UInt16, clientPort: UInt16, length: Int, payload: UInt64,
        cookie: UInt64, deadline: Instant = .distantFuture
    ) {
        self.destination = destination
        self.serverPort = serverPort
        self.clientPort = clientPort
        self.length = length
        self.payload = payload
        self.cookie = cookie
        self.deadline = deadline
    }
}
