// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// One thing that happened at an endpoint.
@frozen
public struct TraceEvent: Equatable, Sendable, BitwiseCopyable {
    @frozen
    public enum Kind: UInt8, CaseIterable, Sendable {
        /// A packet was taken, or several of one message at once. `detail`: its type; `first`, `second`: of DATA the
        /// offset and the payload bytes, of GRANT and RESEND the offset and the priority or the length.
        case received
        /// A packet was not taken. `detail`: why (``DropReason``); `first`, `second` as above.
        case dropped
        /// A packet was given out, or several of one message at once, with `first` and `second` as above.
        case sent
        /// DATA was given out once more.
        case retransmitted
        /// The granter raised the limit of a message. `detail`: the priority; `first`, `second`: limit before, after.
        case granted
        /// The peer is asked about the RPC. `first`: probes to the peer without an answer; `second`: how many may be.
        case probed
        /// The RPC began or went on. `detail`: its new state; `first`: the one before, or 255.
        case state
        /// A call waits for admission, or is admitted. `first`: bytes of its message.
        case queued
        case admitted
        /// An incomplete request is dropped for want of room, or since its peer is distrusted. `first`: bytes received.
        case evicted
        /// A call failed. `detail`: why (``RPCFailure``).
        case failed
        /// The record is gone. `detail`: the last state.
        case ended
    }

    public let time: Instant
    /// This side's identifier of the RPC; 0 before a call has one.
    public let rpc: RPCID
    /// Number of the peer's record; `UInt32.max` when the peer is not known.
    public let peer: UInt32
    public let kind: Kind
    public let detail: UInt8
    public let first: UInt32
    public let second: UInt32
}

extension TraceEvent: CustomStringConvertible {
    public var description: String { "\(time.nanoseconds) ns  \(text)" }

    /// All but the time.
    public var text: String {
        let who = peer == .max ? "unknown peer" : "peer \(peer)"
        return "\(rpc) with \(who): \(what)"
    }

    private var what: String {
        switch kind {
        case .received, .sent, .retransmitted: "\(kind) \(packet), \(first) \(second)"
        case .dropped: "dropped, \(DropReason(rawValue: detail).map { "\($0)" } ?? "?"), \(first) \(second)"
        case .granted: "granted \(first) → \(second) at priority \(detail)"
        case .probed: "probed, \(first) of \(second) probes to the peer without an answer"
        case .state: "\(State(first)) → \(State(UInt32(detail)))"
        case .queued, .admitted: "\(kind), \(first) bytes"
        case .evicted: "evicted with \(first) bytes received"
        case .failed: "failed, \(RPCFailure(rawValue: detail).map { "\($0)" } ?? "?")"
        case .ended: "ended in \(State(UInt32(detail)))"
        }
    }

    private var packet: String { PacketType(rawValue: detail).map { "\($0)" } ?? "type \(detail)" }

    private struct State: CustomStringConvertible {
        let description: String

        init(_ value: UInt32) {
            description = RPC.State(rawValue: UInt8(truncatingIfNeeded: value)).map { "\($0)" } ?? "new"
        }
    }
}

/// The last events of an endpoint. Costs a comparison for each while it is off.
struct TraceRing: ~Copyable {
    private var events: UnsafeMutablePointer<TraceEvent>?
    private var mask = 0
    private var count = 0

    init() {}

    deinit { events?.deallocate() }

    @inline(__always)
    var isOn: Bool { events != nil }

    /// Keeps the last so many events from now on, rounded up to a power of two; 0: none.
    mutating func start(keeping capacity: Int) {
        events?.deallocate()
        events = nil
        count = 0
        guard capacity > 0 else { return }
        var size = 1
        while size < capacity { size *= 2 }
        mask = size - 1
        events = .allocate(capacity: size)
    }

    @inline(__always)
    mutating func append(_ event: @autoclosure () -> TraceEvent) {
        guard let events else { return }
        (events + (count & mask)).initialize(to: event())
        count += 1
    }

    /// The oldest that is kept first.
    var all: [TraceEvent] {
        guard let events else { return [] }
        return (max(0, count - mask - 1)..<count).map { events[$0 & mask] }
    }
}
