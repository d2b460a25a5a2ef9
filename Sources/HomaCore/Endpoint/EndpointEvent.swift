// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaBuffers

/// Something the application must hear about.
///
/// A client RPC is gone, and its handle stale, once its `responseArrived`, `messageSent` or `callFailed`
/// has been queued. A server RPC waits for ``Endpoint/respond(to:length:payload:at:)`` or
/// ``Endpoint/decline(_:at:)`` after `requestArrived`.
@frozen
public enum EndpointEvent: Sendable, BitwiseCopyable {
    /// A whole request is in the region. The lease belongs to the application from now on.
    case requestArrived(ArrivedRequest)
    /// A whole response is in the region. The lease belongs to the application from now on. With `isFailure` the
    /// server's application says with it that it failed.
    case responseArrived(rpc: RPCHandle, cookie: UInt64, lease: BufferLease, length: Int, isFailure: Bool)
    /// The call ended without a response, or the one-way message without a sign that it arrived.
    case callFailed(rpc: RPCHandle, cookie: UInt64, failure: RPCFailure)
    /// A whole one-way message is in the region; nothing need be answered, and its handle is stale. The lease belongs
    /// to the application from now on.
    case messageArrived(ArrivedRequest)
    /// A one-way message of ours has arrived, or has left where `acknowledgesMessages` is off. Its handle is stale.
    case messageSent(rpc: RPCHandle, cookie: UInt64)
    /// The bytes given with `call` or `respond` under this token are not needed any more. Comes
    /// exactly once for every message handed over. Packets already drained may still refer to
    /// them: flush those first.
    case payloadReleased(UInt64)
    /// Nobody waits any more for the answer to a request that the application has and has not answered. Its handle is
    /// stale, and an answer goes nowhere.
    case requestAbandoned(rpc: RPCHandle, serverPort: UInt16, reason: AbandonmentReason)
    /// It is time to ask what the path to a peer carries, which the driver may state with
    /// ``Endpoint/setMaximumPacket(bytes:for:)``: the peer is known from now on, and no stranger, as it hears what is
    /// sent to its address, or is called by us. Comes again some time after a report that the path had become narrower.
    case pathWanted(PeerAddress)
}

/// A complete request, ready for the application.
@frozen
public struct ArrivedRequest: Sendable, BitwiseCopyable {
    public var rpc: RPCHandle
    /// The identifier on this side (odd).
    public var id: RPCID
    public var client: PeerAddress
    public var clientPort: UInt16
    public var serverPort: UInt16
    public var lease: BufferLease
    /// Length in bytes.
    public var length: Int
    /// False for a one-way message, whose handle is stale.
    public var wantsResponse: Bool
    /// When the client ceases to wait; `distantFuture` when it did not say. `requestAbandoned` comes then.
    public var deadline: Instant

    @inlinable
    public init(
        rpc: RPCHandle, id: RPCID, client: PeerAddress, clientPort: UInt16, serverPort: UInt16, lease: BufferLease,
        length: Int, wantsResponse: Bool = true, deadline: Instant = .distantFuture
    ) {
        self.rpc = rpc
        self.id = id
        self.client = client
        self.clientPort = clientPort
        self.serverPort = serverPort
        self.lease = lease
        self.length = length
        self.wantsResponse = wantsResponse
        self.deadline = deadline
    }
}
