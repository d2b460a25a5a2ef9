// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Damaged, cut and made-up packets for the parser: it takes what it can write again, and gives a reason for the rest.
public struct PacketCheck {
    public private(set) var packets = 0
    public private(set) var accepted = 0
    /// By type, 0x10 and up.
    private var byType = [Int](repeating: 0, count: 9)
    private var byReason = [Int](repeating: 0, count: WireError.allCases.count)
    /// The first packet that broke a rule, and how.
    public private(set) var problem: String?
    private var random: SeededRandom
    private var corpus: [[UInt8]] = []
    private var forge: PacketForge
    private let seed: UInt64

    public init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        forge = PacketForge(seed: seed ^ 0x5EED)
    }

    /// Tries so many packets more, unless one broke a rule.
    public mutating func run(_ count: Int) {
        let end = packets + count
        while packets < end, problem == nil {
            // A fresh set now and then; most packets differ from one of it in a few bytes.
            refill()
            for _ in 0..<min(100_000, end - packets) where problem == nil { tryOne() }
        }
    }

    private mutating func refill() {
        corpus = (0..<256).map { _ in forge.plausible(random.nextUnit() < 0.5 ? .stranger : .about) }
        for index in corpus.indices where random.nextUnit() < 0.05 { corpus[index] = forge.bundle(.stranger) }
    }

    private mutating func tryOne() {
        packets += 1
        let index = Int(random.next() & 255)
        let count = corpus[index].count
        let length = random.next() & 7 == 0 ? Int(random.next() % UInt64(count + 1)) : count
        let flips = Int(random.next() & 3)
        var undone = InlineArray<4, (place: Int, byte: UInt8)>(repeating: (0, 0))
        for flip in 0..<flips {
            let place = Int(random.next() % UInt64(min(count, 96)))
            undone[flip] = (place, corpus[index][place])
            corpus[index][place] = value(corpus[index][place])
        }
        problem = corpus[index].withUnsafeBytes { bytes in
            judge(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
        }
        for flip in stride(from: flips - 1, through: 0, by: -1) {
            corpus[index][undone[flip].place] = undone[flip].byte
        }
    }

    /// Another byte: one bit, one of the edges, or anything.
    private mutating func value(_ byte: UInt8) -> UInt8 {
        let word = random.next()
        switch word & 3 {
        case 0: return byte ^ (1 << UInt8(word >> 8 & 7))
        case 1: return [0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0x10, 0x18][Int(word >> 8 & 7)]
        default: return UInt8(truncatingIfNeeded: word >> 8)
        }
    }

    private mutating func judge(_ bytes: UnsafeRawBufferPointer) -> String? {
        if PacketBundle.isBundle(bytes) { return judgeBundle(bytes) }
        let header: PacketHeader
        do {
            header = try PacketHeader.parse(bytes)
        } catch {
            byReason[error.code] += 1
            return nil
        }
        accepted += 1
        byType[Int(header.common.type.rawValue) - 0x10] += 1
        return Self.roundTrip(header, of: bytes).map { "\($0): \(Self.hexadecimal(bytes))" }
    }

    private mutating func judgeBundle(_ bytes: UnsafeRawBufferPointer) -> String? {
        var position = PacketBundle.markByteCount
        do {
            while let packet = try PacketBundle.next(in: bytes, at: &position) {
                guard position <= bytes.count else {
                    return "a bundle reaches beyond its end: \(Self.hexadecimal(bytes))"
                }
                if !PacketBundle.isBundle(packet), let problem = judge(packet) { return problem }
            }
        } catch {
            byReason[error.code] += 1
        }
        return nil
    }

    /// What is written again reads as the same, and is written as the same bytes.
    private static func roundTrip(_ header: PacketHeader, of bytes: UnsafeRawBufferPointer) -> String? {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { memory in
            var count = header.write(into: memory)
            guard count <= bytes.count else { return "a header of \(count) bytes was read from \(bytes.count)" }
            if case .data(let data) = header.body { count += Int(data.payloadLength) }
            guard count <= memory.count else { return nil }
            let packet = UnsafeRawBufferPointer(rebasing: memory[..<count])
            guard let again = try? PacketHeader.parse(packet) else { return "\(header) is refused when written again" }
            return again == header ? nil : "\(header) reads as \(again) when written again"
        }
    }

    private static func hexadecimal(_ bytes: UnsafeRawBufferPointer) -> String {
        bytes.prefix(128).map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
    }

    /// One object: packets, how many were taken, and why the others were not.
    public var json: String {
        var fields = [
            "\"packets\":\(packets)", "\"seed\":\(seed)", "\"broken\":\(problem == nil ? 0 : 1)",
            "\"accepted\":\(accepted)",
        ]
        for (index, count) in byType.enumerated() {
            guard let type = PacketType(rawValue: UInt8(0x10 + index)) else { continue }
            fields.append("\"\(type)\":\(count)")
        }
        for error in WireError.allCases { fields.append("\"\(error)\":\(byReason[error.code])") }
        if let problem { fields.append("\"problem\":\(Report.quoted(problem))") }
        return "{" + fields.joined(separator: ",") + "}"
    }

    /// For a person.
    public var text: String {
        let reasons = WireError.allCases.filter { byReason[$0.code] > 0 }.count
        let sum = "\(packets) packets, \(accepted) accepted, the others refused for \(reasons) reasons"
        return problem.map { "\(sum)\nbroken: \($0)" } ?? "\(sum); every accepted one reads the same when written again"
    }
}
