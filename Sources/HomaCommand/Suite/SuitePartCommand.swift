// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HomaBench
import HomaPosix

/// A part of `homa bench --suite` that wants a process of its own, whose `malloc` the suite can choose.
struct SuitePartCommand: ParsableCommand {
    enum Part: String, ExpressibleByArgument, CaseIterable {
        case poolOneThread = "pool-one-thread"
        case poolTwoThreads = "pool-two-threads"
        case mallocTwoThreads = "malloc-two-threads"
        case core
    }

    static let configuration = CommandConfiguration(
        commandName: "suite-part", abstract: "A part of 'homa bench --suite', which starts it.", shouldDisplay: false)

    @Argument var part: Part

    @Option(help: "Pieces or packets.", within: .count(1...1_000_000_000))
    var count = 1_000_000

    @Option(help: "Fail unless this library is loaded.")
    var library: String?

    @Option(help: "Decides the order of things.", within: .seed)
    var seed: UInt64 = 1

    func run() throws {
        if let library {
            guard dlopen(library, RTLD_NOW | RTLD_NOLOAD) != nil else {
                note("error: \(library) is not loaded")
                throw ExitCode.couldNotRun
            }
        }
        try say(ResultRecord(measure: "time", value: try measure(), unit: "ns").jsonLine)
    }

    private func measure() throws -> Double {
        let benchmark = AllocatorBenchmark(pieces: count, seed: seed)
        let warmUp = AllocatorBenchmark(pieces: max(1, count / 10), seed: seed)
        switch part {
        case .poolOneThread:
            _ = try warmUp.oneThread(.pool)
            return try benchmark.oneThread(.pool)
        case .poolTwoThreads:
            _ = try warmUp.twoThreads(.pool)
            return try benchmark.twoThreads(.pool)
        case .mallocTwoThreads:
            _ = try warmUp.twoThreads(.malloc)
            return try benchmark.twoThreads(.malloc)
        case .core:
            var core = try CoreBenchmark()
            _ = try core.run(packets: max(1, count / 10))
            let cost = try core.run(packets: count)
            return max(cost.send, cost.receive)
        }
    }
}
