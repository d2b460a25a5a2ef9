// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

@Suite("Learned cutoffs")
struct CutoffLearnerTests {
    /// Deciles of W1 … W5 of the SIGCOMM 2018 paper, messages of at most 1 000 000 bytes.
    static let workloads: [[Int]] = [
        [1, 2, 3, 5, 11, 27, 79, 151, 264, 503, 1876], [1, 3, 34, 58, 171, 269, 320, 366, 427, 512, 3151],
        [1, 36, 77, 110, 158, 268, 313, 402, 573, 1755, 31_013],
        [2, 315, 376, 502, 561, 662, 960, 6387, 49_408, 120_373, 1_000_000],
        [1442, 5768, 18_746, 27_398, 47_586, 70_658, 191_786, 961_814, 1_000_000, 1_000_000, 1_000_000],
    ]

    static func table(_ deciles: [Int]) -> [(bytes: Int, cumulative: Double)] {
        deciles.enumerated().map { ($1, Double($0) / 10) }
    }

    static func configuration() -> EndpointConfiguration {
        var configuration = EndpointConfiguration.default
        configuration.cutoffInterval = .microseconds(1)
        return configuration
    }

    /// Feeds messages drawn from the table; returns how often the cutoffs changed.
    static func feed(
        _ learner: inout CutoffLearner, _ sizes: [(bytes: Int, cumulative: Double)], messages: Int,
        _ random: inout SeededRandom, clock: inout UInt64
    ) -> Int {
        var changes = 0
        for _ in 0..<messages {
            clock += 1000
            let size = UInt32(max(1, UnscheduledCutoffsTests.draw(sizes, random.nextUnit())))
            let now = Instant(nanoseconds: clock)
            if learner.observe(length: size, unscheduled: min(size, 60_000), at: now) { changes += 1 }
        }
        return changes
    }

    static func shares(_ learner: borrowing CutoffLearner, of sizes: [(bytes: Int, cumulative: Double)]) -> [Double] {
        let current = learner.current.cutoffs
        return UnscheduledCutoffsTests.shares((0..<8).map { current[$0] }, of: sizes, unscheduledBytes: 60_000)
    }

    @Test("the steps of the histogram cover every length, in order, and none is wider than an eighth of it")
    func steps() {
        var previous = -1
        for length in (1...5000).map({ UInt32($0) }) + [99_999, 1_000_000, 1 << 30, UInt32(Int32.max)] {
            let step = CutoffLearner.step(of: length)
            #expect(step >= previous && step < 8 * 29)
            #expect(CutoffLearner.size(ofStep: step) >= length)
            #expect(step == 0 || CutoffLearner.size(ofStep: step - 1) < length)
            #expect(CutoffLearner.size(ofStep: step) - length <= length / 8)
            previous = step
        }
    }

    @Test("they come to an even split for each of the published workloads, and stay there", arguments: 0..<5)
    func converges(workload: Int) {
        let sizes = Self.table(Self.workloads[workload])
        var random = SeededRandom(seed: UInt64(workload))
        var learner = CutoffLearner(Tuning(Self.configuration()), at: .zero)
        var clock: UInt64 = 0
        _ = Self.feed(&learner, sizes, messages: 10_000, &random, clock: &clock)
        // Levels 4 … 7 are used. Messages of one length, W5's longest, cannot be told apart.
        let shares = Self.shares(learner, of: sizes)
        let limit = workload == 4 ? 0.5 : 0.25 * 1.3
        #expect(shares.max()! < limit, "\(shares)")
        #expect(shares[..<4].allSatisfy { $0 == 0 })
        let changes = Self.feed(&learner, sizes, messages: 200_000, &random, clock: &clock)
        #expect(changes <= 2, "in a hundred looks")
        #expect(Self.shares(learner, of: sizes).max()! < limit)
    }

    @Test("a change of the workload is followed within ten looks")
    func follows() {
        var random = SeededRandom(seed: 3)
        var learner = CutoffLearner(Tuning(Self.configuration()), at: .zero)
        var clock: UInt64 = 0
        for workload in [0, 3, 1, 2] {
            let sizes = Self.table(Self.workloads[workload])
            let changes = Self.feed(&learner, sizes, messages: 20_000, &random, clock: &clock)
            #expect(changes >= 1)
            #expect(Self.shares(learner, of: sizes).max()! < 0.25 * 1.3)
        }
    }

    @Test("after version 65 535 comes 1, since 0 means none")
    func wrap() {
        var configuration = Self.configuration()
        configuration.cutoffVersion = .max
        var learner = CutoffLearner(Tuning(configuration), at: .zero)
        var random = SeededRandom(seed: 3)
        var clock: UInt64 = 0
        _ = Self.feed(&learner, Self.table(Self.workloads[0]), messages: 2000, &random, clock: &clock)
        #expect(learner.current.version == 1)
    }

    @Test("neither few messages nor a short time changes anything, nor does the switch when it is off")
    func resendTimeout() {
        let sizes = Self.table(Self.workloads[0])
        var random = SeededRandom(seed: 3)
        var clock: UInt64 = 0
        var configuration = Self.configuration()
        var learner = CutoffLearner(Tuning(configuration), at: .zero)
        #expect(Self.feed(&learner, sizes, messages: 1999, &random, clock: &clock) == 0)
        #expect(Self.feed(&learner, sizes, messages: 1, &random, clock: &clock) == 1)
        configuration.cutoffInterval = .seconds(1)
        learner = CutoffLearner(Tuning(configuration), at: Instant(nanoseconds: clock))
        #expect(Self.feed(&learner, sizes, messages: 5000, &random, clock: &clock) == 0)
        configuration = Self.configuration()
        configuration.learnsCutoffs = false
        learner = CutoffLearner(Tuning(configuration), at: Instant(nanoseconds: clock))
        #expect(Self.feed(&learner, sizes, messages: 5000, &random, clock: &clock) == 0)
    }

    @Test("cutoffs are always a table that the wire format takes", arguments: 0..<50 as Range<UInt64>)
    func valid(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var learner = CutoffLearner(Tuning(Self.configuration()), at: .zero)
        var clock: UInt64 = 0
        // A few sizes with drawn weights: worse than any real workload.
        var cumulative = 0.0
        var sizes: [(bytes: Int, cumulative: Double)] = []
        for size in (0..<4).map({ _ in Int.random(in: 1...1_000_000, using: &random) }).sorted() {
            sizes.append((size, cumulative))
            cumulative += random.nextUnit() * (1 - cumulative)
            sizes.append((size, cumulative))
        }
        sizes[sizes.count - 1].cumulative = 1
        _ = Self.feed(&learner, sizes, messages: 6000, &random, clock: &clock)
        let header = PacketHeader(
            sourcePort: 1, destinationPort: 2, senderID: RPCID(rawValue: 2), body: .cutoffs(learner.current))
        var bytes = [UInt8](repeating: 0, count: header.byteCount)
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        #expect(try bytes.withUnsafeBytes { try PacketHeader.parse($0) } == header)
        #expect(learner.current.cutoffs[4] == 1_000_000)
    }

    @Test("peers are told of new cutoffs with the next packet they send, and obey them")
    func told() throws {
        var configuration = EndpointConfiguration.small
        configuration.cutoffSample = 100
        configuration.cutoffInterval = .milliseconds(1)
        let host = try LoneHost(configuration)
        for number in 1...300 as ClosedRange<UInt64> {
            host.pass(microseconds: 10)
            // All of them go to the highest level at first.
            let length = Int(number * 37 % 200) + 1
            host.data(0..<length, of: length, id: number * 2, extensions: MessageTests.marked)
            for case .messageArrived(let message) in host.events() { _ = try host.pool.release(message.lease) }
        }
        #expect(host.endpoint.statistics.cutoffChanges == 1)
        host.pass(microseconds: 1000)
        _ = host.sent()
        host.data(0..<100, of: 100, id: 1000, cutoffs: 1)
        let told = host.sent().compactMap { if case .cutoffs(let fields) = $0.header.body { fields } else { nil } }
        #expect(told.map(\.version) == [2])
        #expect(host.endpoint.unscheduledCutoffs.version == 2)
        host.pass(microseconds: 1000)
        host.data(0..<100, of: 100, id: 1002, cutoffs: 2)
        #expect(host.sent().isEmpty)
    }
}
