// SPDX-License-Identifier: Apache-2.0

/// A record's neighbours in one ``SlabList``.
@frozen
public struct SlabLinks: BitwiseCopyable, Equatable, Sendable {
    @usableFromInline var previous = Self.outside
    @usableFromInline var next = Self.outside

    /// The value of a link at the end of a list, and of one in no list.
    @inlinable
    static var end: UInt32 { .max }
    @inlinable
    static var outside: UInt32 { .max - 1 }

    /// Of a record that is in no list.
    @inlinable
    public init() {}

    /// Whether the record is in a list of this kind.
    @inlinable
    public var isLinked: Bool { previous != Self.outside }
}

/// One kind of list that the records of a slab can be in: a record is in at most one list of each kind.
public protocol SlabListKind {
    associatedtype Element: BitwiseCopyable
    /// Where a record keeps its neighbours.
    static func links(of element: UnsafeMutablePointer<Element>) -> UnsafeMutablePointer<SlabLinks>
}

/// A list in the order of arrival that is threaded through records of a ``Slab``: no storage of its own, and any record
/// can leave it at once.
@frozen
public struct SlabList<Kind: SlabListKind>: BitwiseCopyable {
    @usableFromInline var head = UInt32.max
    @usableFromInline var tail = UInt32.max
    @usableFromInline var length: UInt32 = 0

    @inlinable
    public init() {}

    @inlinable
    public var isEmpty: Bool { head == SlabLinks.end }

    /// The slot that came first; nil when there is none.
    @inlinable
    public var first: UInt32? { isEmpty ? nil : head }

    /// The slot that came last; nil when there is none.
    @inlinable
    public var last: UInt32? { isEmpty ? nil : tail }

    @inlinable
    public var count: Int { Int(length) }

    @inlinable
    @inline(__always)
    func links(_ slot: UInt32, _ slab: SlabView<Kind.Element>) -> UnsafeMutablePointer<SlabLinks> {
        Kind.links(of: slab[slot])
    }

    /// The slot after this one; nil at the end.
    @inlinable
    @inline(__always)
    public func next(after slot: UInt32, _ slab: SlabView<Kind.Element>) -> UInt32? {
        let next = links(slot, slab).pointee.next
        return next == SlabLinks.end ? nil : next
    }

    /// Adds a record behind all others.
    @inlinable
    public mutating func append(_ slot: UInt32, _ slab: SlabView<Kind.Element>) {
        insert(slot, after: tail, before: SlabLinks.end, slab)
    }

    /// Adds a record before all others.
    @inlinable
    public mutating func prepend(_ slot: UInt32, _ slab: SlabView<Kind.Element>) {
        insert(slot, after: SlabLinks.end, before: head, slab)
    }

    /// Adds a record between one that is in the list and the one before it.
    @inlinable
    public mutating func insert(_ slot: UInt32, before next: UInt32, _ slab: SlabView<Kind.Element>) {
        insert(slot, after: links(next, slab).pointee.previous, before: next, slab)
    }

    @inlinable
    mutating func insert(
        _ slot: UInt32, after previous: UInt32, before next: UInt32, _ slab: SlabView<Kind.Element>
    ) {
        let own = links(slot, slab)
        assert(!own.pointee.isLinked, "slot \(slot) is in a list of this kind already")
        own.pointee.previous = previous
        own.pointee.next = next
        if previous == SlabLinks.end { head = slot } else { links(previous, slab).pointee.next = slot }
        if next == SlabLinks.end { tail = slot } else { links(next, slab).pointee.previous = slot }
        length += 1
    }

    /// Takes a record out that is in this list.
    @inlinable
    public mutating func remove(_ slot: UInt32, _ slab: SlabView<Kind.Element>) {
        let own = links(slot, slab)
        precondition(own.pointee.isLinked, "a record leaves a list that it is not in")
        let previous = own.pointee.previous
        let next = own.pointee.next
        if previous == SlabLinks.end { head = next } else { links(previous, slab).pointee.next = next }
        if next == SlabLinks.end { tail = previous } else { links(next, slab).pointee.previous = previous }
        own.pointee = SlabLinks()
        length -= 1
    }

    /// Traps unless the list is whole: live records, linked both ways, as many as are counted.
    public func checkInvariants(_ slab: SlabView<Kind.Element>) {
        var counted: UInt32 = 0
        var previous = SlabLinks.end
        var slot = head
        while slot != SlabLinks.end {
            precondition(slab.isLive(slot), "a list leads to slot \(slot), which is not live")
            precondition(links(slot, slab).pointee.previous == previous, "slot \(slot) denies the one before it")
            counted += 1
            precondition(counted <= length, "a list is longer than its count of \(length)")
            previous = slot
            slot = links(slot, slab).pointee.next
        }
        precondition(previous == tail && counted == length, "a list of \(length) has \(counted) records")
    }
}
