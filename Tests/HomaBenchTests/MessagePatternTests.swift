// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
import Testing

@Suite("Message pattern")
struct MessagePatternTests {
    let pattern = MessagePattern.shared

    func bytes(of message: PatternMessage) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: message.length)
        bytes.withUnsafeMutableBytes { pattern.fill($0, with: message) }
        return bytes
    }

    func message(_ length: Int, response: Int? = nil, sequence: UInt64 = 7) -> PatternMessage {
        let key = MessagePattern.key(seed: 3, sequence: sequence)
        return PatternMessage(key: key, length: length, responseLength: response ?? length)
    }

    @Test(
        "what is written is verified",
        arguments: [1, 7, 15, 16, 17, 100, 65_520, 65_521, 65_537, 200_000, 1_000_000])
    func roundTrip(length: Int) {
        let message = message(length)
        let bytes = bytes(of: message)
        #expect(bytes.withUnsafeBytes { pattern.verify($0, is: message) })
        #expect(bytes.withUnsafeBytes { !pattern.verify($0, is: self.message(length + 1)) })
    }

    @Test("any flipped byte is found", arguments: [1, 15, 16, 40, 1500])
    func everyByte(length: Int) {
        let message = message(length, response: 77)
        var bytes = bytes(of: message)
        for index in bytes.indices {
            for bit in 0..<8 {
                bytes[index] ^= 1 << bit
                #expect(bytes.withUnsafeBytes { !pattern.verify($0, is: message) })
                bytes[index] ^= 1 << bit
            }
        }
    }

    @Test("any flipped byte of a long message is found, wherever it is", arguments: 0..<200 as Range<UInt64>)
    func sampledBytes(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let message = message(Int.random(in: 65_000...300_000, using: &random), sequence: seed)
        var bytes = bytes(of: message)
        bytes[Int.random(in: bytes.indices, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
        #expect(bytes.withUnsafeBytes { !pattern.verify($0, is: message) })
    }

    @Test("any cutting into pieces gives the same bytes", arguments: 0..<50 as Range<UInt64>)
    func pieces(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let message = message(Int.random(in: 1...150_000, using: &random), sequence: seed)
        let whole = bytes(of: message)
        var position = 0
        while position < whole.count {
            let end = min(whole.count, position + Int.random(in: 1...70_000, using: &random))
            let slice = whole[position..<end]
            #expect(slice.withUnsafeBytes { pattern.matches($0, at: position, of: message) })
            var piece = [UInt8](repeating: 0, count: slice.count)
            piece.withUnsafeMutableBytes { pattern.write(message, from: position, into: $0) }
            #expect(piece.elementsEqual(slice))
            position = end
        }
    }

    @Test("bytes beyond the end never match")
    func beyond() {
        let message = message(100)
        let bytes = [UInt8](repeating: 0, count: 10)
        #expect(bytes.withUnsafeBytes { !pattern.matches($0, at: 95, of: message) })
    }

    @Test("a packet in another packet's place is found", arguments: [1400, 1442, 1472, 8192, 65_536])
    func displaced(packet: Int) {
        let message = message(1_000_000)
        let bytes = bytes(of: message)
        for index in 1..<(1_000_000 / packet) {
            let moved = bytes[(index * packet)..<((index + 1) * packet)]
            #expect(moved.withUnsafeBytes { !pattern.matches($0, at: (index - 1) * packet, of: message) })
        }
    }

    @Test("neighbours in a sequence differ")
    func sequence() {
        let first = bytes(of: message(1000, sequence: 1))
        let second = bytes(of: message(1000, sequence: 2))
        #expect(zip(first, second).count { $0 == $1 } < 100)
    }

    @Test("a server reads its answer from the header")
    func response() throws {
        let request = message(200, response: 5000)
        let read = bytes(of: request).withUnsafeBytes { PatternMessage(request: $0, maximumLength: 10_000) }
        #expect(try #require(read) == request)
        #expect(request.response == PatternMessage(key: request.key, length: 5000, responseLength: 5000))
        #expect(message(200).response == message(200))
    }

    @Test("a request without a header is echoed", arguments: 1...15)
    func short(length: Int) throws {
        let request = message(length, response: 5000)
        let read = bytes(of: request).withUnsafeBytes { PatternMessage(request: $0, maximumLength: 10_000) }
        #expect(try #require(read).response.length == length)
        #expect(request.response.length == length)
        #expect(bytes(of: request.response) == bytes(of: request))
    }

    @Test("a header that contradicts its message, or asks for too much, is refused")
    func refusal() {
        let bytes = bytes(of: message(200, response: 5000))
        #expect(bytes.withUnsafeBytes { PatternMessage(request: $0, maximumLength: 4999) } == nil)
        #expect(bytes.withUnsafeBytes { PatternMessage(request: $0, maximumLength: 199) } == nil)
        #expect(bytes.dropLast().withUnsafeBytes { PatternMessage(request: $0, maximumLength: 10_000) } == nil)
        #expect([UInt8]().withUnsafeBytes { PatternMessage(request: $0, maximumLength: 10_000) } == nil)
        let zeros = [UInt8](repeating: 0, count: 16)
        #expect(zeros.withUnsafeBytes { PatternMessage(request: $0, maximumLength: 99) } == nil)
    }
}
