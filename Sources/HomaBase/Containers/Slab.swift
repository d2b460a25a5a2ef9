// SPDX-License-Identifier: Apache-2.0

/// A fixed number of slots for records in raw memory, of which the lowest that were ever used are initialised.
///
/// Memory that was never used costs nothing. Each slot counts how often it changed hands: the count is odd while the
/// slot is live, so that a slot and its count name one record for ever (``isLive(_:generation:)``). Slots that are
/// released are taken again, the last first.
@frozen
public struct Slab<Element: BitwiseCopyable>: ~Copyable {
    @frozen
    @usableFromInline
    struct State: BitwiseCopyable {
        /// Odd: live.
        @usableFromInline var generation: UInt32
        /// The next free slot, of a slot that is free.
        @usableFromInline var nextFree: UInt32

        @inlinable
        init(generation: UInt32, nextFree: UInt32) {
            self.generation = generation
            self.nextFree = nextFree
        }
    }

    /// No slot.
    @inlinable
    public static var none: UInt32 { .max }

    @usableFromInline let elements: UnsafeMutablePointer<Element>
    @usableFromInline let states: UnsafeMutablePointer<State>
    /// Slots there may be; they are numbered from 0.
    public let capacity: Int
    @usableFromInline var freeHead = UInt32.max
    @usableFromInline var used: UInt32 = 0
    @usableFromInline var live = 0

    /// - Parameter capacity: at most 2³¹.
    public init(capacity: Int) {
        precondition((0...1 << 31).contains(capacity), "a slab of \(capacity) slots")
        self.capacity = capacity
        elements = .allocate(capacity: max(capacity, 1))
        states = .allocate(capacity: max(capacity, 1))
    }

    deinit {
        elements.deallocate()
        states.deallocate()
    }

    /// Live slots.
    @inlinable
    public var count: Int { live }

    /// Slots from this one on were never used.
    @inlinable
    public var highWater: UInt32 { used }

    @inlinable
    public func isLive(_ slot: UInt32) -> Bool { slot < used && states[Int(slot)].generation & 1 == 1 }

    /// Whether the slot still holds the record that it held when this was its generation.
    @inlinable
    public func isLive(_ slot: UInt32, generation: UInt32) -> Bool {
        generation & 1 == 1 && slot < used && states[Int(slot)].generation == generation
    }

    /// The generation of a live slot.
    @inlinable
    public func generation(of slot: UInt32) -> UInt32 {
        assert(isLive(slot), "slot \(slot) is not live")
        return states[Int(slot)].generation
    }

    /// The record of a live slot.
    @inlinable
    public subscript(slot: UInt32) -> UnsafeMutablePointer<Element> {
        assert(isLive(slot), "slot \(slot) is not live")
        return elements + Int(slot)
    }

    /// Makes a slot live and stores its record; nil when all are.
    @inlinable
    public mutating func insert(_ element: Element) -> UInt32? {
        let slot: UInt32
        if freeHead != Self.none {
            slot = freeHead
            freeHead = states[Int(slot)].nextFree
            states[Int(slot)].generation &+= 1
        } else {
            guard Int(used) < capacity else { return nil }
            slot = used
            used += 1
            states[Int(slot)] = State(generation: 1, nextFree: Self.none)
        }
        live += 1
        (elements + Int(slot)).initialize(to: element)
        return slot
    }

    /// Ends the record of a live slot.
    @inlinable
    public mutating func release(_ slot: UInt32) {
        precondition(isLive(slot), "a slot is released that is not live")
        states[Int(slot)] = State(generation: states[Int(slot)].generation &+ 1, nextFree: freeHead)
        freeHead = slot
        live -= 1
    }

    /// The lowest live slot from `start` on; nil when there is none. Walks over free ones: not for hot paths.
    @inlinable
    public func live(from start: UInt32) -> UInt32? {
        var slot = start
        while slot < used {
            if states[Int(slot)].generation & 1 == 1 { return slot }
            slot += 1
        }
        return nil
    }

    /// Traps unless every slot that was ever used is either live or free exactly once.
    public func checkInvariants() {
        var free = 0
        var slot = freeHead
        while slot != Self.none {
            precondition(slot < used && states[Int(slot)].generation & 1 == 0, "a live slot among the free ones")
            free += 1
            precondition(free <= Int(used), "the free slots form a circle")
            slot = states[Int(slot)].nextFree
        }
        var counted = 0
        for slot in 0..<used where isLive(slot) { counted += 1 }
        precondition(counted == live, "\(counted) slots are live, \(live) are counted")
        precondition(free + live == Int(used), "\(free) free and \(live) live of \(used) slots")
    }
}

/// Access to the records of a ``Slab`` for another owner of some of their fields. Valid as long as the slab.
@frozen
public struct SlabView<Element: BitwiseCopyable>: BitwiseCopyable {
    @usableFromInline let elements: UnsafeMutablePointer<Element>
    @usableFromInline let states: UnsafeMutablePointer<Slab<Element>.State>

    @inlinable
    public init(_ slab: borrowing Slab<Element>) {
        elements = slab.elements
        states = slab.states
    }

    /// Whether a slot is live that ever was.
    @inlinable
    public func isLive(_ slot: UInt32) -> Bool { states[Int(slot)].generation & 1 == 1 }

    /// The record of a live slot.
    @inlinable
    public subscript(slot: UInt32) -> UnsafeMutablePointer<Element> {
        assert(states[Int(slot)].generation & 1 == 1, "slot \(slot) is not live")
        return elements + Int(slot)
    }
}
