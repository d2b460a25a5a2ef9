// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// The orderly end of a server: nothing new is begun, and what was begun is brought to its end.
extension Endpoint {
    /// From now on new requests and one-way messages are refused. Their senders are told that they have not run, and
    /// may send them elsewhere; those without extensions hear nothing. Whatever has begun to arrive goes on, and so do
    /// calls of this host. It cannot be taken back.
    public mutating func beginDraining() { isDraining = true }

    /// What a host that drains waits for.
    public var unfinishedWork: UnfinishedWork {
        mutating get {
            var work = UnfinishedWork()
            var next = rpcs.live(from: 0)
            while let slot = next {
                let rpc = rpcs.at(slot)
                switch rpc.pointee.state {
                case .incoming where !rpc.pointee.isClient, .inService: work.unanswered += 1
                case .outgoing where rpc.pointee.isRetained: break
                case .outgoing where !rpc.pointee.isClient || rpc.pointee.kind != .call: work.unacknowledged += 1
                case .incoming, .outgoing, .declined, .lingering: break
                }
                next = rpcs.live(from: slot + 1)
            }
            return work
        }
    }

    /// Refuses the first packet of a new request. Whoever hears that it has not run may run it elsewhere: so it must be
    /// certain that it has not run here.
    ///
    /// One word for a request is enough.
    mutating func refuseToBegin(_ header: CommonHeader, _ data: DataFields, from address: PeerAddress) -> Disposition {
        if data.offset == 0 { refuse(header, from: address, marks: .draining) }
        return .dropped(.draining)
    }
}

/// What an endpoint has begun and not brought to its end.
@frozen
public struct UnfinishedWork: Equatable, Sendable, BitwiseCopyable {
    /// Requests that arrive, wait or are in service.
    public var unanswered = 0
    /// Responses and one-way messages that the other side has not said to have.
    public var unacknowledged = 0

    @inlinable
    public init() {}

    /// Nothing is left.
    @inlinable
    public var isNone: Bool { unanswered == 0 && unacknowledged == 0 }

    /// Adds what another shard of the host has.
    public mutating func add(_ other: UnfinishedWork) {
        unanswered += other.unanswered
        unacknowledged += other.unacknowledged
    }
}
