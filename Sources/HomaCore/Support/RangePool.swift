// SPDX-License-Identifier: Apache-2.0

/// A sorted list of byte ranges of one message that neither touch nor overlap. Its nodes live in a ``RangePool``.
struct RangeList: BitwiseCopyable {
    var head = RangePool.none
    var tail = RangePool.none
    var count: Int32 = 0

    var isEmpty: Bool { count == 0 }
}

/// Nodes for all range lists of an endpoint: the gaps of arriving messages and the parts of leaving
/// messages that must be sent again. Reserved once, so a hostile pattern of packets cannot make the
/// endpoint allocate.
struct RangePool: ~Copyable {
    static let none = UInt32.max

    private struct Node: BitwiseCopyable {
        var start: UInt32
        var end: UInt32
        var next: UInt32
    }

    private let nodes: UnsafeMutablePointer<Node>
    private let capacity: UInt32
    /// Nodes kept for the first range of a list of parts to send again.
    private let reserve: Int
    private var freeHead = RangePool.none
    /// Nodes from here on have never been used.
    private var fresh: UInt32 = 0
    private(set) var used = 0

    /// With at most `reserve` lists that grow by ``insert(_:into:limit:)``, each can have one range at
    /// any time, whatever the other lists hold.
    init(capacity: Int, reserve: Int = 0) {
        self.capacity = UInt32(capacity)
        self.reserve = reserve
        nodes = .allocate(capacity: capacity)
    }

    deinit { nodes.deallocate() }

    /// True when only reserved nodes are left.
    private var isTight: Bool { used + reserve >= Int(capacity) }

    private mutating func take(_ start: UInt32, _ end: UInt32, next: UInt32) -> UInt32? {
        let index: UInt32
        if freeHead != Self.none {
            index = freeHead
            freeHead = nodes[Int(index)].next
        } else if fresh < capacity {
            index = fresh
            fresh += 1
        } else {
            return nil
        }
        nodes[Int(index)] = Node(start: start, end: end, next: next)
        used += 1
        return index
    }

    private mutating func give(_ index: UInt32) {
        nodes[Int(index)].next = freeHead
        freeHead = index
        used -= 1
    }

    /// The lowest range, or nil.
    func first(_ list: RangeList) -> Range<UInt32>? {
        list.isEmpty ? nil : nodes[Int(list.head)].start..<nodes[Int(list.head)].end
    }

    /// The range of a node and the node after it; nil past the end. Walks a list from its `head`.
    func node(_ index: UInt32) -> (range: Range<UInt32>, next: UInt32)? {
        guard index != Self.none else { return nil }
        return (nodes[Int(index)].start..<nodes[Int(index)].end, nodes[Int(index)].next)
    }

    /// Adds a range above all others. False when no node is left.
    mutating func append(_ range: Range<UInt32>, to list: inout RangeList) -> Bool {
        guard !isTight, let index = take(range.lowerBound, range.upperBound, next: Self.none) else { return false }
        if list.isEmpty { list.head = index } else { nodes[Int(list.tail)].next = index }
        list.tail = index
        list.count += 1
        return true
    }

    /// Takes `range` out of the list and returns how many bytes of it were in the list, or nil, with
    /// nothing changed, when a node would be needed to split a range and none is left or `limit` is reached.
    mutating func subtract(_ range: Range<UInt32>, from list: inout RangeList, limit: Int32) -> UInt32? {
        var removed: UInt32 = 0
        var previous = Self.none
        var index = list.head
        while index != Self.none, nodes[Int(index)].start < range.upperBound {
            let node = nodes[Int(index)]
            let start = max(node.start, range.lowerBound)
            let end = min(node.end, range.upperBound)
            guard start < end else {
                previous = index
                index = node.next
                continue
            }
            if start > node.start && end < node.end {
                // The range lies inside one gap; nothing else can have been touched.
                return split(index, start, end, &list, limit: limit) ? end - start : nil
            }
            removed += end - start
            if start > node.start {
                nodes[Int(index)].end = start
                previous = index
            } else if end < node.end {
                nodes[Int(index)].start = end
                previous = index
            } else {
                unlink(index, after: previous, from: &list)
            }
            index = node.next
        }
        return removed
    }

    private mutating func split(
        _ index: UInt32, _ start: UInt32, _ end: UInt32, _ list: inout RangeList, limit: Int32
    ) -> Bool {
        let node = nodes[Int(index)]
        guard list.count < limit, !isTight, let upper = take(end, node.end, next: node.next) else { return false }
        nodes[Int(index)].end = start
        nodes[Int(index)].next = upper
        if list.tail == index { list.tail = upper }
        list.count += 1
        return true
    }

    private mutating func unlink(_ index: UInt32, after previous: UInt32, from list: inout RangeList) {
        let next = nodes[Int(index)].next
        if previous == Self.none { list.head = next } else { nodes[Int(previous)].next = next }
        if list.tail == index { list.tail = previous }
        list.count -= 1
        give(index)
    }

    /// Adds `range`, joining it with what it touches. When `limit` ranges are there already, or no
    /// node is left, one range takes the place of all: more than was asked for, never less.
    /// False only when the list is empty and no node is left, not even a reserved one.
    mutating func insert(_ range: Range<UInt32>, into list: inout RangeList, limit: Int32) -> Bool {
        var start = range.lowerBound
        var end = range.upperBound
        var previous = Self.none
        var index = list.head
        while index != Self.none, nodes[Int(index)].end < start {
            previous = index
            index = nodes[Int(index)].next
        }
        while index != Self.none, nodes[Int(index)].start <= end {
            start = min(start, nodes[Int(index)].start)
            end = max(end, nodes[Int(index)].end)
            let next = nodes[Int(index)].next
            unlink(index, after: previous, from: &list)
            index = next
        }
        if list.count >= limit || (isTight && !list.isEmpty) {
            return stretch(&list, over: start..<end)
        }
        guard let node = take(start, end, next: index) else { return false }
        if previous == Self.none { list.head = node } else { nodes[Int(previous)].next = node }
        if index == Self.none { list.tail = node }
        list.count += 1
        return true
    }

    /// Replaces the whole list by one range that covers it and `range`.
    private mutating func stretch(_ list: inout RangeList, over range: Range<UInt32>) -> Bool {
        let start = min(nodes[Int(list.head)].start, range.lowerBound)
        let end = max(nodes[Int(list.tail)].end, range.upperBound)
        clear(&list)
        guard let node = take(start, end, next: Self.none) else { return false }
        list = RangeList(head: node, tail: node, count: 1)
        return true
    }

    /// Takes up to `length` bytes off the front of the lowest range.
    mutating func consumeFirst(_ length: UInt32, of list: inout RangeList) {
        let index = list.head
        if nodes[Int(index)].end - nodes[Int(index)].start > length {
            nodes[Int(index)].start += length
        } else {
            unlink(index, after: Self.none, from: &list)
        }
    }

    mutating func clear(_ list: inout RangeList) {
        while !list.isEmpty { unlink(list.head, after: Self.none, from: &list) }
    }
}
