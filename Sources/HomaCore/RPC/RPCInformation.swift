// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// A snapshot of one RPC, for people and tools.
public struct RPCInformation: Sendable {
    public enum Phase: String, Sendable {
        /// The message is on its way out (client: request, server: response).
        case outgoing
        /// The message is arriving (client: response, server: request).
        case incoming
        /// The server's application has the request.
        case inService
    }

    public var handle: RPCHandle
    /// 0 for a call of which nothing has been transmitted.
    public var id: RPCID
    public var peer: PeerAddress
    public var localPort: UInt16
    public var peerPort: UInt16
    public var phase: Phase
    /// Bytes of the outgoing message: all, transmitted, and permitted.
    public var sendLength: Int
    public var sent: Int
    public var sendGranted: Int
    /// Bytes of the incoming message: all, received, and permitted.
    public var receiveLength: Int
    public var received: Int
    public var receiveGranted: Int
    /// Missing ranges below the highest byte received.
    public var gaps: Int
    public var waitsForBuffers: Bool
    /// How long the RPC has existed, in nanoseconds.
    public var ageNanoseconds: UInt64
}
