// SPDX-License-Identifier: Apache-2.0

/// Lists of byte ranges of many connections, all in one array.
///
/// A list is the index of its first node, `RangePool.none` when it is empty. Senders keep theirs in the order of the
/// stream, receivers the latest first; in neither do ranges touch each other.
struct RangePool: ~Copyable {
    static let none = UInt32.max

    private struct Node: BitwiseCopyable {
        var range: ByteRange
        var stamp: UInt32
        var next: UInt32
    }

    /// A list in the order of adding, with a number for each range.
    struct Queue: BitwiseCopyable {
        var first = RangePool.none
        var last = RangePool.none
    }

    private var nodes: UnsafeMutablePointer<Node>
    private var capacity = 256
    private var fresh = 0
    private var free = RangePool.none
    /// Nodes in lists.
    private(set) var live = 0

    init() { nodes = .allocate(capacity: 256) }

    deinit { nodes.deallocate() }

    @inline(__always)
    func range(_ node: UInt32) -> ByteRange { nodes[Int(node)].range }

    @inline(__always)
    func next(_ node: UInt32) -> UInt32 { nodes[Int(node)].next }

    private mutating func take(_ range: ByteRange, stamp: UInt32 = 0, next: UInt32) -> UInt32 {
        live += 1
        let node = free
        if node != Self.none {
            free = nodes[Int(node)].next
            nodes[Int(node)] = Node(range: range, stamp: stamp, next: next)
            return node
        }
        if fresh == capacity {
            let larger = UnsafeMutablePointer<Node>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: nodes, count: fresh)
            nodes.deallocate()
            nodes = larger
            capacity *= 2
        }
        (nodes + fresh).initialize(to: Node(range: range, stamp: stamp, next: next))
        fresh += 1
        return UInt32(fresh - 1)
    }

    private mutating func give(_ node: UInt32) {
        nodes[Int(node)].next = free
        free = node
        live -= 1
    }

    // MARK: In the order of the stream

    /// Adds a range to an ordered list; how many of its bytes are new there.
    mutating func insert(_ range: ByteRange, ordered list: inout UInt32) -> Int {
        var before = Self.none
        var node = list
        while node != Self.none, nodes[Int(node)].range.end < range.start {
            before = node
            node = nodes[Int(node)].next
        }
        var merged = range
        var known = 0
        while node != Self.none, nodes[Int(node)].range.start <= merged.end {
            let other = nodes[Int(node)].range
            known += other.count
            merged.start = min(merged.start, other.start)
            merged.end = max(merged.end, other.end)
            let next = nodes[Int(node)].next
            give(node)
            node = next
        }
        let added = take(merged, next: node)
        if before == Self.none { list = added } else { nodes[Int(before)].next = added }
        return merged.count - known
    }

    /// Forgets what lies before `limit` in an ordered list; how many bytes that were.
    mutating func drop(before limit: UInt64, ordered list: inout UInt32) -> Int {
        var dropped = 0
        while list != Self.none, nodes[Int(list)].range.start < limit {
            let range = nodes[Int(list)].range
            if range.end > limit {
                nodes[Int(list)].range.start = limit
                return dropped + Int(limit - range.start)
            }
            dropped += range.count
            let next = nodes[Int(list)].next
            give(list)
            list = next
        }
        return dropped
    }

    // MARK: The latest first

    /// Puts a range, together with those that it touches, at the head of a list.
    mutating func insert(_ range: ByteRange, latestFirst list: inout UInt32) {
        var merged = range
        var isComplete = false
        // What has grown may touch what it did not before.
        while !isComplete {
            isComplete = true
            var before = Self.none
            var node = list
            while node != Self.none {
                let next = nodes[Int(node)].next
                let other = nodes[Int(node)].range
                if other.start <= merged.end, merged.start <= other.end {
                    merged.start = min(merged.start, other.start)
                    merged.end = max(merged.end, other.end)
                    if before == Self.none { list = next } else { nodes[Int(before)].next = next }
                    give(node)
                    isComplete = false
                } else {
                    before = node
                }
                node = next
            }
        }
        list = take(merged, next: list)
    }

    /// Takes out of a list in any order whatever continues the stream at `next`; how far it goes then.
    mutating func absorb(at next: UInt64, latestFirst list: inout UInt32) -> UInt64 {
        var reached = next
        var isComplete = false
        while !isComplete {
            isComplete = true
            var before = Self.none
            var node = list
            while node != Self.none {
                let following = nodes[Int(node)].next
                let range = nodes[Int(node)].range
                if range.start <= reached {
                    if range.end > reached {
                        reached = range.end
                        isComplete = false
                    }
                    if before == Self.none { list = following } else { nodes[Int(before)].next = following }
                    give(node)
                } else {
                    before = node
                }
                node = following
            }
        }
        return reached
    }

    // MARK: In the order of adding

    @inline(__always)
    func stamp(_ node: UInt32) -> UInt32 { nodes[Int(node)].stamp }

    mutating func append(_ range: ByteRange, stamp: UInt32, to queue: inout Queue) {
        let node = take(range, stamp: stamp, next: Self.none)
        if queue.last == Self.none { queue.first = node } else { nodes[Int(queue.last)].next = node }
        queue.last = node
    }

    /// Takes the first range out of a queue that is not empty.
    mutating func removeFirst(_ queue: inout Queue) -> ByteRange {
        let node = queue.first
        queue.first = nodes[Int(node)].next
        if queue.first == Self.none { queue.last = Self.none }
        give(node)
        return nodes[Int(node)].range
    }

    mutating func clear(_ queue: inout Queue) {
        while queue.first != Self.none { _ = removeFirst(&queue) }
    }
}
