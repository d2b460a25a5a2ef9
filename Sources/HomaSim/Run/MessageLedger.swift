// SPDX-License-Identifier: Apache-2.0

/// A message (or RPC) under way.
struct Message: BitwiseCopyable {
    /// When the application handed it over, in picoseconds.
    var start: UInt64
    /// Of the message, or of the request.
    var bytes: UInt32
    /// Of the response; 0 for a one-way message.
    var responseBytes: UInt32
    /// Bytes of the present direction that have not been given to the network for the first time.
    var unsent: UInt32
    var source: UInt16
    var destination: UInt16
    var isMeasured: Bool
    /// The response is on its way, not the request.
    var isAnswering = false
    /// In the free list: the next one.
    var next = Message.none
    /// Told apart from messages that had this record before.
    var generation: UInt32 = 0

    static let none = UInt32.max

    /// Who sends in the present direction.
    var sender: UInt16 { isAnswering ? destination : source }
    var receiver: UInt16 { isAnswering ? source : destination }
    /// Bytes of the present direction.
    var length: UInt32 { isAnswering ? responseBytes : bytes }
}

/// All messages under way, and those that have just been completed.
///
/// A handle: copies share the messages. Transports tell it what they have sent, delivered and given up; the
/// simulation takes the consequences after each event.
struct MessageLedger: BitwiseCopyable {
    private struct State {
        var messages: UnsafeMutablePointer<Message>
        var capacity = 1024
        var fresh = 0
        var free = Message.none
        var live = 0
        var outcomes: UnsafeMutablePointer<Outcome>
        var outcomeCapacity = 64
        var outcomeCount = 0
    }

    /// Something the simulation must deal with.
    struct Outcome: BitwiseCopyable {
        enum Kind: UInt8 {
            /// The receiver has all bytes of the present direction.
            case delivered
            /// Every byte of the present direction has been given to the network.
            case allSent
            /// The transport has given up.
            case failed
        }

        var message: UInt32
        var kind: Kind
    }

    private let state: UnsafeMutablePointer<State>

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State(messages: .allocate(capacity: 1024), outcomes: .allocate(capacity: 64)))
    }

    func destroy() {
        state.pointee.messages.deallocate()
        state.pointee.outcomes.deallocate()
        state.deallocate()
    }

    /// Messages under way.
    var live: Int { state.pointee.live }

    @inline(__always)
    func at(_ index: UInt32) -> UnsafeMutablePointer<Message> { state.pointee.messages + Int(index) }

    func begin(_ message: Message) -> UInt32 {
        state.pointee.live += 1
        let index = state.pointee.free
        if index != Message.none {
            state.pointee.free = at(index).pointee.next
            let generation = at(index).pointee.generation &+ 1
            at(index).initialize(to: message)
            at(index).pointee.generation = generation & 0x7FFF_FFFF
            return index
        }
        if state.pointee.fresh == state.pointee.capacity {
            let larger = UnsafeMutablePointer<Message>.allocate(capacity: state.pointee.capacity * 2)
            larger.moveInitialize(from: state.pointee.messages, count: state.pointee.capacity)
            state.pointee.messages.deallocate()
            state.pointee.messages = larger
            state.pointee.capacity *= 2
        }
        let fresh = UInt32(state.pointee.fresh)
        state.pointee.fresh += 1
        at(fresh).initialize(to: message)
        return fresh
    }

    func end(_ index: UInt32) {
        at(index).pointee.generation &+= 1
        at(index).pointee.next = state.pointee.free
        state.pointee.free = index
        state.pointee.live -= 1
    }

    // MARK: Tokens

    /// Names a message for ever, also when its record is in use for another.
    @inline(__always)
    func token(_ index: UInt32) -> UInt64 { UInt64(at(index).pointee.generation) << 32 | UInt64(index) }

    /// The record that a token is about, or was about.
    @inline(__always)
    static func index(_ token: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: token) }

    /// Whether the message is still under way.
    @inline(__always)
    func isCurrent(_ token: UInt64) -> Bool {
        let index = Self.index(token)
        return Int(index) < state.pointee.fresh && UInt64(at(index).pointee.generation) == token >> 32
    }

    // MARK: What transports say. What is over is no news.

    /// So many bytes of the message go to the network for the first time.
    @inline(__always)
    func sent(_ token: UInt64, bytes: UInt32) {
        guard isCurrent(token) else { return }
        let message = at(Self.index(token))
        guard message.pointee.unsent > 0 else { return }
        message.pointee.unsent -= min(bytes, message.pointee.unsent)
        if message.pointee.unsent == 0 { note(Outcome(message: Self.index(token), kind: .allSent)) }
    }

    /// The last byte of the present direction has reached the receiver.
    func delivered(_ token: UInt64) {
        if isCurrent(token) { note(Outcome(message: Self.index(token), kind: .delivered)) }
    }

    /// The transport has given the message up.
    func failed(_ token: UInt64) {
        if isCurrent(token) { note(Outcome(message: Self.index(token), kind: .failed)) }
    }

    private func note(_ outcome: Outcome) {
        if state.pointee.outcomeCount == state.pointee.outcomeCapacity {
            let larger = UnsafeMutablePointer<Outcome>.allocate(capacity: state.pointee.outcomeCapacity * 2)
            larger.moveInitialize(from: state.pointee.outcomes, count: state.pointee.outcomeCount)
            state.pointee.outcomes.deallocate()
            state.pointee.outcomes = larger
            state.pointee.outcomeCapacity *= 2
        }
        state.pointee.outcomes[state.pointee.outcomeCount] = outcome
        state.pointee.outcomeCount += 1
    }

    // MARK: What the simulation takes

    @inline(__always)
    var hasOutcomes: Bool { state.pointee.outcomeCount > 0 }

    /// Number of outcomes since the last `clearOutcomes`.
    var outcomeCount: Int { state.pointee.outcomeCount }

    func outcome(_ index: Int) -> Outcome { state.pointee.outcomes[index] }

    func clearOutcomes() { state.pointee.outcomeCount = 0 }
}
