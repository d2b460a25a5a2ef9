// SPDX-License-Identifier: Apache-2.0

/// What the network knows of a packet. Payload bytes do not exist.
struct Packet: BitwiseCopyable {
    static let none = UInt32.max

    /// The next packet in the same queue, or on the same link. A packet is in one list at most.
    var next = Packet.none
    var source: UInt16
    var destination: UInt16
    /// On a link: when it gets to the other side. In a queue: when it got there. Picoseconds.
    var time: UInt64 = 0
    /// Everything that takes time on a link.
    var wireBytes: UInt32
    /// What it occupies in the switch where it is, whole cells.
    var charge: UInt32 = 0
    /// The message it belongs to, in the ledger.
    var message: UInt32
    /// Flows keep their path when paths are chosen per flow.
    var flow: UInt32
    /// Bytes of the message.
    var payloadBytes: UInt32
    /// 0 … 7; 7 goes first.
    var priority: UInt8
    var marks: Marks
    var kind: PacketKind

    struct Marks: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        /// May be dropped at the selective-dropping threshold.
        static let droppable = Marks(rawValue: 1)
        /// The sender understands congestion marks.
        static let takesMarks = Marks(rawValue: 2)
        /// Has found a queue above the marking threshold.
        static let congested = Marks(rawValue: 4)
    }
}

/// What packets are counted as.
enum PacketKind: UInt8, CaseIterable {
    case unscheduled
    case scheduled
    case resent
    case grant
    case resendRequest
    case acknowledgement
    case other
    case data
    case probe

    var name: String {
        switch self {
        case .unscheduled: "unscheduled"
        case .scheduled: "scheduled"
        case .resent: "resent"
        case .grant: "grant"
        case .resendRequest: "resend_request"
        case .acknowledgement: "acknowledgement"
        case .other: "other"
        case .data: "data"
        case .probe: "probe"
        }
    }
}

/// All packets under way, by index, and beside each a record of its transport's own.
///
/// A handle: copies share the packets. The simulation that made it destroys it. The sending host takes a packet, the
/// receiving host or the switch that drops it gives it back. No pointer may be kept across `take`.
struct PacketStore: BitwiseCopyable {
    private struct State {
        var packets: UnsafeMutablePointer<Packet>
        var extras: UnsafeMutableRawPointer
        var extraStride: Int
        var capacity: Int
        var fresh = 0
        var free = Packet.none
        var live = 0
    }

    private let state: UnsafeMutablePointer<State>

    init(extraStride: Int, capacity: Int = 4096) {
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                packets: .allocate(capacity: capacity),
                extras: .allocate(byteCount: max(extraStride, 1) * capacity, alignment: 16), extraStride: extraStride,
                capacity: capacity))
    }

    func destroy() {
        state.pointee.packets.deallocate()
        state.pointee.extras.deallocate()
        state.deallocate()
    }

    /// Packets taken and not given back.
    var live: Int { state.pointee.live }

    @inline(__always)
    func at(_ index: UInt32) -> UnsafeMutablePointer<Packet> { state.pointee.packets + Int(index) }

    /// The transport's own record of a packet; `Extra` is the type whose stride the store was made with.
    @inline(__always)
    func extra<Extra: BitwiseCopyable>(_ index: UInt32, as type: Extra.Type) -> UnsafeMutablePointer<Extra> {
        (state.pointee.extras + Int(index) * state.pointee.extraStride).assumingMemoryBound(to: type)
    }

    @inline(__always)
    func take(_ packet: Packet) -> UInt32 {
        state.pointee.live += 1
        let index = state.pointee.free
        if index != Packet.none {
            state.pointee.free = at(index).pointee.next
            at(index).initialize(to: packet)
            return index
        }
        if state.pointee.fresh == state.pointee.capacity { grow() }
        let fresh = UInt32(state.pointee.fresh)
        state.pointee.fresh += 1
        at(fresh).initialize(to: packet)
        return fresh
    }

    @inline(__always)
    func give(_ index: UInt32) {
        at(index).pointee.next = state.pointee.free
        state.pointee.free = index
        state.pointee.live -= 1
    }

    private func grow() {
        let count = state.pointee.capacity
        let packets = UnsafeMutablePointer<Packet>.allocate(capacity: count * 2)
        packets.moveInitialize(from: state.pointee.packets, count: count)
        state.pointee.packets.deallocate()
        state.pointee.packets = packets
        let stride = max(state.pointee.extraStride, 1)
        let extras = UnsafeMutableRawPointer.allocate(byteCount: stride * count * 2, alignment: 16)
        extras.copyMemory(from: state.pointee.extras, byteCount: stride * count)
        state.pointee.extras.deallocate()
        state.pointee.extras = extras
        state.pointee.capacity = count * 2
    }
}
