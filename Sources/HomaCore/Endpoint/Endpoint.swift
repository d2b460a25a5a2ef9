// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaBuffers
public import HomaWire

/// INTERFACE ONLY for now (bodies are being written by the core's author). Contract:
///
/// All protocol state of one host (one engine shard). Deterministic: no clock, no sockets, no threads, no payload.
/// Call the inputs when the world changes, then drain ``nextPacket(at:)`` and ``nextEvent()`` until both return
/// nil, then sleep until ``nextDeadline`` (call `expireTimers` then). Times must not decrease.
public struct Endpoint: ~Copyable {
    public init(
        configuration: EndpointConfiguration, pool: BufferPool, shard: Int, seed: UInt64, firstRPC: RPCID,
        incarnation: UInt8, at now: Instant
    ) throws(ConfigurationError) { fatalError() }

    /// Accept requests on a server port (1 … 0x7FFF).
    public mutating func openPort(_ port: UInt16) throws(EndpointError) { fatalError() }
    public mutating func closePort(_ port: UInt16) { fatalError() }
    public mutating func allocateClientPort() throws(EndpointError) -> UInt16 { fatalError() }

    public mutating func call(_ request: CallRequest, at now: Instant) throws(EndpointError) -> RPCHandle { fatalError() }
    /// False: the client has gone (stale handle); the payload token is then NOT taken over (no payloadReleased).
    public mutating func respond(to rpc: RPCHandle, length: Int, payload: UInt64, at now: Instant) throws(EndpointError) -> Bool { fatalError() }
    /// The application drops the request unanswered; its client is told.
    public mutating func decline(_ rpc: RPCHandle, at now: Instant) { fatalError() }
    /// Ends a call locally; queues callFailed(.aborted or the given failure) and payloadReleased. False when the handle is stale.
    public mutating func abort(_ rpc: RPCHandle, failure: RPCFailure, at now: Instant) -> Bool { fatalError() }

    public mutating func receive(_ header: PacketHeader, from peer: PeerAddress, at now: Instant) -> Disposition { fatalError() }
    /// Buffers came back to the pool (pool.release returned true): give them to waiting messages.
    public mutating func buffersReturned(at now: Instant) { fatalError() }
    public mutating func expireTimers(at now: Instant) { fatalError() }
    /// The network reported (ICMP) that a packet of ours could not be delivered. `offending` is the header of that packet, parsed,
    /// so that only errors about RPCs we really have count. Ends all calls to that peer.
    public mutating func unreachable(_ peer: PeerAddress, failure: RPCFailure, offending: PacketHeader, at now: Instant) { fatalError() }
    /// Homa packet bytes (header and payload) that the path to `peer` carries.
    public mutating func setMaximumPacket(bytes: Int, for peer: PeerAddress) { fatalError() }

    public mutating func nextPacket(at now: Instant) -> OutgoingPacket? { fatalError() }
    public mutating func nextEvent() -> EndpointEvent? { fatalError() }
    public var nextDeadline: Instant? { fatalError() }

    public var statistics: EndpointStatistics { fatalError() }
    public var rpcCount: Int { fatalError() }
    public func information(about rpc: RPCHandle, at now: Instant) -> RPCInformation? { fatalError() }
    public func allInformation(at now: Instant) -> [RPCInformation] { fatalError() }
}
