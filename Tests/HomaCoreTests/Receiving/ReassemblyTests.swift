// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Reassembly")
struct ReassemblyTests {
    /// What happens to the last packet of a case.
    enum Last: Equatable { case new(Int), duplicate, tooManyGaps }

    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var before: [Range<UInt32>]
        var packet: Range<UInt32>
        var fresh: Int
        var gaps: [Range<UInt32>]
        var end: UInt32
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "first packet, in sequence", before: [], packet: 0..<10, fresh: 10, gaps: [], end: 10),
        Case(name: "next in sequence", before: [0..<10], packet: 10..<20, fresh: 10, gaps: [], end: 20),
        Case(name: "first packet beyond the start", before: [], packet: 10..<20, fresh: 10, gaps: [0..<10], end: 20),
        Case(name: "beyond the end", before: [0..<10], packet: 20..<30, fresh: 10, gaps: [10..<20], end: 30),
        Case(
            name: "a second gap", before: [0..<10, 20..<30], packet: 40..<50, fresh: 10, gaps: [10..<20, 30..<40],
            end: 50),
        Case(name: "overlapping the end", before: [0..<10], packet: 5..<15, fresh: 5, gaps: [], end: 15),
        Case(name: "duplicate of the last", before: [0..<10], packet: 0..<10, fresh: 0, gaps: [], end: 10),
        Case(name: "duplicate inside", before: [0..<30], packet: 5..<10, fresh: 0, gaps: [], end: 30),
        Case(
            name: "duplicate before a gap", before: [0..<10, 20..<30], packet: 0..<10, fresh: 0, gaps: [10..<20],
            end: 30),
        Case(
            name: "duplicate after a gap", before: [0..<10, 20..<30], packet: 20..<30, fresh: 0, gaps: [10..<20],
            end: 30),
        Case(
            name: "at the start of a gap", before: [0..<10, 30..<40], packet: 10..<20, fresh: 10, gaps: [20..<30],
            end: 40),
        Case(
            name: "at the end of a gap", before: [0..<10, 30..<40], packet: 20..<30, fresh: 10, gaps: [10..<20], end: 40
        ),
        Case(
            name: "in the middle of a gap", before: [0..<10, 40..<50], packet: 20..<30, fresh: 10,
            gaps: [10..<20, 30..<40], end: 50),
        Case(name: "a whole gap", before: [0..<10, 20..<30], packet: 10..<20, fresh: 10, gaps: [], end: 30),
        Case(
            name: "the first of two gaps", before: [10..<20, 30..<40], packet: 0..<10, fresh: 10, gaps: [20..<30],
            end: 40),
        Case(
            name: "the last of two gaps", before: [10..<20, 30..<40], packet: 20..<30, fresh: 10, gaps: [0..<10],
            end: 40),
        Case(
            name: "straddling the start of a gap", before: [0..<10, 30..<40], packet: 5..<15, fresh: 5, gaps: [15..<30],
            end: 40),
        Case(
            name: "straddling the end of a gap", before: [0..<10, 30..<40], packet: 25..<35, fresh: 5, gaps: [10..<25],
            end: 40),
        Case(name: "straddling a whole gap", before: [0..<10, 20..<30], packet: 5..<25, fresh: 10, gaps: [], end: 30),
        Case(
            name: "straddling two gaps", before: [0..<10, 20..<30, 40..<50], packet: 15..<45, fresh: 15,
            gaps: [10..<15], end: 50),
        Case(
            name: "over a gap and the end", before: [0..<10, 20..<30], packet: 15..<40, fresh: 15, gaps: [10..<15],
            end: 40),
        Case(name: "over everything", before: [10..<20, 30..<40], packet: 0..<60, fresh: 40, gaps: [], end: 60),
        Case(
            name: "one byte in the middle of a gap", before: [0..<10, 30..<40], packet: 20..<21, fresh: 1,
            gaps: [10..<20, 21..<30], end: 40),
        Case(name: "the last byte", before: [0..<99], packet: 99..<100, fresh: 1, gaps: [], end: 100),
    ]

    @Test("a packet fills what was missing, and nothing else", arguments: cases)
    func arrival(_ test: Case) {
        var pool = RangePool(capacity: 64)
        var message = IncomingMessage()
        message.length = 100
        for range in test.before { _ = pool.arrive(range, in: &message, maximumGaps: 8) }
        let before = message.received
        switch pool.arrive(test.packet, in: &message, maximumGaps: 8) {
        case .new(let bytes): #expect(Int(bytes) == test.fresh && bytes > 0)
        case .duplicate: #expect(test.fresh == 0)
        case .tooManyGaps: Issue.record("no limit was reached")
        }
        #expect(message.received - before == UInt32(test.fresh))
        #expect(pool.ranges(of: message.gaps) == test.gaps)
        #expect(message.end == test.end)
        pool.clear(&message.gaps)
        #expect(pool.used == 0)
    }

    @Test("a packet that would make one gap too many changes nothing", arguments: [1, 2, 5] as [Int32])
    func gapLimit(limit: Int32) {
        var pool = RangePool(capacity: 64)
        var message = IncomingMessage()
        message.length = 1000
        for gap in 0..<UInt32(limit) {
            _ = pool.arrive(gap * 20 + 10..<gap * 20 + 20, in: &message, maximumGaps: limit)
        }
        let before = (pool.ranges(of: message.gaps), message.end, message.received)
        // One that adds a gap at the end, and one that splits a gap.
        for packet in [900..<910, 3..<5] as [Range<UInt32>] {
            guard case .tooManyGaps = pool.arrive(packet, in: &message, maximumGaps: limit) else {
                Issue.record("accepted")
                return
            }
            #expect(pool.ranges(of: message.gaps) == before.0)
            #expect(message.end == before.1 && message.received == before.2)
        }
        // What fills a gap is still welcome.
        guard case .new(10) = pool.arrive(0..<10, in: &message, maximumGaps: limit) else {
            Issue.record("refused")
            return
        }
    }

    @Test("without a free node only packets that need none are taken")
    func poolExhausted() {
        var pool = RangePool(capacity: 2)
        var message = IncomingMessage()
        message.length = 1000
        _ = pool.arrive(10..<20, in: &message, maximumGaps: 100)
        _ = pool.arrive(30..<40, in: &message, maximumGaps: 100)
        guard case .tooManyGaps = pool.arrive(50..<60, in: &message, maximumGaps: 100),
            case .tooManyGaps = pool.arrive(4..<5, in: &message, maximumGaps: 100),
            case .new(10) = pool.arrive(40..<50, in: &message, maximumGaps: 100),
            case .new(10) = pool.arrive(20..<30, in: &message, maximumGaps: 100),
            case .new(1) = pool.arrive(4..<5, in: &message, maximumGaps: 100)
        else {
            Issue.record("a node was taken from nowhere, or lost")
            return
        }
        #expect(pool.ranges(of: message.gaps) == [0..<4, 5..<10])
    }

    /// Method: random packets of random sizes, with and without a tight limit, against one flag per byte.
    @Test("agrees with one flag per byte", arguments: 0..<60 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let length = UInt32.random(in: 50...600, using: &random)
        let limit = Int32([3, 8, 1000].randomElement(using: &random)!)
        let longest = UInt32.random(in: 2...80, using: &random)
        var pool = RangePool(capacity: 1000)
        var message = IncomingMessage()
        message.length = length
        var model = ByteModel(length: Int(length))
        for _ in 0..<300 where !message.isComplete {
            let start = UInt32.random(in: 0..<length, using: &random)
            let range = start..<min(length, start + UInt32.random(in: 1...longest, using: &random))
            let gaps = pool.ranges(of: message.gaps)
            switch pool.arrive(range, in: &message, maximumGaps: limit) {
            case .new(let bytes): #expect(Int(bytes) == model.arrive(range))
            case .duplicate: #expect(model.arrive(range) == 0)
            case .tooManyGaps: #expect(gaps.count == Int(limit) && pool.ranges(of: message.gaps) == gaps)
            }
            #expect(pool.ranges(of: message.gaps) == model.gaps)
            #expect(Int(message.end) == model.end && Int(message.received) == model.received)
            #expect(pool.used == Int(message.gaps.count))
        }
        pool.clear(&message.gaps)
        #expect(pool.used == 0)
    }
}
