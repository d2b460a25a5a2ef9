// SPDX-License-Identifier: Apache-2.0

/// Messages in the streams of all connections, first to last, in one array: where each one ends.
struct StreamMessages: ~Copyable {
    static let none = UInt32.max

    /// The messages of one stream.
    struct List: BitwiseCopyable {
        /// The first that the receiver does not have.
        var first = StreamMessages.none
        /// The first with bytes that have never been sent.
        var unsent = StreamMessages.none
        var last = StreamMessages.none
    }

    private struct Node: BitwiseCopyable {
        var token: UInt64
        /// Of the message in the stream.
        var end: UInt64
        var next: UInt32
    }

    private let messages: MessageLedger
    private var nodes: UnsafeMutablePointer<Node>
    private var capacity = 256
    private var fresh = 0
    private var free = StreamMessages.none

    init(_ messages: MessageLedger) {
        self.messages = messages
        nodes = .allocate(capacity: 256)
    }

    deinit { nodes.deallocate() }

    /// A message is the last in a stream, which ends with it.
    mutating func append(_ token: UInt64, end: UInt64, to list: inout List) {
        var node = free
        if node == Self.none {
            if fresh == capacity { grow() }
            node = UInt32(fresh)
            fresh += 1
        } else {
            free = nodes[Int(node)].next
        }
        (nodes + Int(node)).initialize(to: Node(token: token, end: end, next: Self.none))
        if list.last == Self.none { list.first = node } else { nodes[Int(list.last)].next = node }
        if list.unsent == Self.none { list.unsent = node }
        list.last = node
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Node>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: nodes, count: fresh)
        nodes.deallocate()
        nodes = larger
        capacity *= 2
    }

    /// These bytes, which follow those of the last time, are sent for the first time; the index of the first
    /// message among them.
    mutating func sent(_ range: ByteRange, of list: inout List) -> UInt32 {
        let first = MessageLedger.index(nodes[Int(list.unsent)].token)
        var position = range.start
        while position < range.end {
            let node = nodes[Int(list.unsent)]
            let reached = min(range.end, node.end)
            messages.sent(node.token, bytes: UInt32(reached - position))
            position = reached
            if reached == node.end { list.unsent = node.next }
        }
        return first
    }

    /// The receiver has everything before `limit`; whether a message has become complete by that.
    mutating func delivered(before limit: UInt64, of list: inout List) -> Bool {
        var isAny = false
        while list.first != Self.none, nodes[Int(list.first)].end <= limit {
            let node = list.first
            messages.delivered(nodes[Int(node)].token)
            list.first = nodes[Int(node)].next
            if list.first == Self.none { list.last = Self.none }
            nodes[Int(node)].next = free
            free = node
            isAny = true
        }
        return isAny
    }
}
