// SPDX-License-Identifier: Apache-2.0

/// A message under way: what its sender knows, and what its receiver knows. Each reads its own part only.
struct DCPIMMessage: BitwiseCopyable {
    static let none = UInt32.max

    /// In the ledger.
    var token: UInt64
    /// Messages count up; told apart from messages that had this record before.
    var sequence: UInt64
    var start: UInt64
    var bytes: UInt32
    var packets: UInt32
    var generation: UInt32 = 0
    var source: UInt16
    var destination: UInt16
    var isShort: Bool
    var priority: UInt8

    // MARK: The sender's part

    /// Tokens not used yet, oldest first.
    var firstToken = DCPIMMessage.none
    var lastToken = DCPIMMessage.none
    /// Of the latest token.
    var rank: UInt8 = 0
    /// As the latest token said.
    var remaining: UInt32
    var isListed = false
    /// The receiver has answered.
    var isNoted = false
    /// First packet of a short message not sent yet.
    var nextShort: UInt32 = 0
    /// When to repeat the notification.
    var notifyAt = UInt64.max
    var notifications: UInt8 = 0

    // MARK: The receiver's part

    var isKnown = false
    var isDelivered = false
    /// In its pair's list.
    var isWanted = false
    /// The next one in its pair's list, or in the free list.
    var next = DCPIMMessage.none
    var received: UInt32 = 0
    /// Nothing before this packet is missing.
    var complete: UInt32 = 0
    /// Next packet to send a token for.
    var cursor: UInt32 = 0
    /// Tokens have been sent for everything once.
    var isRepeating = false
    var tokensSent: UInt32 = 0
    /// Tokens before this one have been answered, or count so.
    var tokensAnswered: UInt32 = 0
    var lastTokenAt: UInt64 = 0
    var lastDataAt: UInt64 = 0
    /// No tokens before that.
    var pausedUntil: UInt64 = 0
    /// When to look for losses of a short message.
    var recoverAt = UInt64.max

    // MARK: Which packets

    /// Bits of up to 64 packets; more of them are in `bits`, those received first.
    var receivedBits: UInt64 = 0
    var sentBits: UInt64 = 0
    var bits: UnsafeMutablePointer<UInt64>?

    private var words: Int { (Int(packets) + 63) >> 6 }

    mutating func allocateBits() {
        guard packets > 64 else { return }
        let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: 2 * words)
        memory.initialize(repeating: 0, count: 2 * words)
        bits = memory
    }

    mutating func freeBits() {
        bits?.deallocate()
        bits = nil
    }

    /// Notes that a packet has been received; false when it had been before.
    @inline(__always)
    mutating func receive(_ number: UInt32) -> Bool {
        let bit = UInt64(1) << UInt64(number & 63)
        if let bits {
            let word = bits + Int(number >> 6)
            guard word.pointee & bit == 0 else { return false }
            word.pointee |= bit
        } else {
            guard receivedBits & bit == 0 else { return false }
            receivedBits |= bit
        }
        received += 1
        return true
    }

    /// Notes that a packet has been sent; false when it had been before.
    @inline(__always)
    mutating func send(_ number: UInt32) -> Bool {
        let bit = UInt64(1) << UInt64(number & 63)
        if let bits {
            let word = bits + words + Int(number >> 6)
            guard word.pointee & bit == 0 else { return false }
            word.pointee |= bit
        } else {
            guard sentBits & bit == 0 else { return false }
            sentBits |= bit
        }
        return true
    }

    @inline(__always)
    func isSent(_ number: UInt32) -> Bool {
        let bit = UInt64(1) << UInt64(number & 63)
        return (bits.map { $0[words + Int(number >> 6)] } ?? sentBits) & bit != 0
    }

    /// The first packet from `number` on that has not been received; `packets` if there is none.
    @inline(__always)
    func missing(from number: UInt32) -> UInt32 {
        var place = number
        while place < packets {
            let word = bits.map { $0[Int(place >> 6)] } ?? receivedBits
            let missing = ~word >> UInt64(place & 63)
            if missing != 0 { return min(packets, place + UInt32(missing.trailingZeroBitCount)) }
            place = (place | 63) + 1
        }
        return packets
    }

    /// Packets that the receiver wants tokens sent for, now that tokens up to the cursor have been.
    @inline(__always)
    var unasked: UInt32 { isRepeating ? packets - received : packets - cursor }

    @inline(__always)
    func payload(of number: UInt32, _ frame: FrameFormat) -> Int {
        number + 1 < packets ? frame.payloadBytes : frame.lastPayload(of: Int(bytes))
    }
}
