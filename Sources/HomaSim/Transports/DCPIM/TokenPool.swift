// SPDX-License-Identifier: Apache-2.0

/// Tokens that senders have received and not used, in a list per message, all in one array.
struct TokenPool: ~Copyable {
    static let none = UInt32.max

    struct Token: BitwiseCopyable {
        var expiry: UInt64
        var number: UInt32
        var order: UInt32
        var next = TokenPool.none
    }

    private var tokens: UnsafeMutablePointer<Token>
    private var capacity = 1024
    private var fresh = 0
    private var free = TokenPool.none

    init() { tokens = .allocate(capacity: 1024) }

    deinit { tokens.deallocate() }

    @inline(__always)
    func at(_ index: UInt32) -> UnsafeMutablePointer<Token> { tokens + Int(index) }

    @inline(__always)
    mutating func take(_ token: Token) -> UInt32 {
        var index = free
        if index == Self.none {
            if fresh == capacity { grow() }
            index = UInt32(fresh)
            fresh += 1
        } else {
            free = tokens[Int(index)].next
        }
        (tokens + Int(index)).initialize(to: token)
        return index
    }

    @inline(__always)
    mutating func give(_ index: UInt32) {
        tokens[Int(index)].next = free
        free = index
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Token>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: tokens, count: fresh)
        tokens.deallocate()
        tokens = larger
        capacity *= 2
    }
}
