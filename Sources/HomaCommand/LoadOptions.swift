// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench
import HomaWorkloads

/// Options that say what load to offer; the same for every protocol.
struct LoadOptions: ParsableArguments {
    @Option(help: "w1 … w5, or a message size such as 100 or 500K.")
    var workload = "w3"

    @Option(help: "Leave out longer messages, e.g. 64Ki; by default those above 1 000 000 bytes.")
    var longest: ByteCount?

    @Option(help: "Offered payload as a fraction of --link, e.g. 0.5. Open loop with Poisson arrivals.")
    var load: Double?

    @Option(help: "Offered requests per second. Open loop with Poisson arrivals.")
    var rate: Double?

    @Option(help: "Closed loop instead: always this many requests outstanding.")
    var outstanding: Int?

    @Option(help: "Bytes of each response; by default the request is echoed.")
    var responseSize: ByteCount?

    @Option(name: .customLong("for"), help: "Time measured.")
    var duration = TimeSpan(.seconds(5))

    @Option(help: "Time before anything is measured.")
    var warmUp = TimeSpan(.seconds(1))

    @Option(help: "Open loop: how long to wait for the last responses before they count as unfinished.")
    var drain = TimeSpan(.seconds(2))

    @Option(help: "Decides sizes, arrival times and contents.")
    var seed: UInt64 = 1

    @Option(help: "Connections, for --protocol tcp.")
    var connections = 1

    @Option(help: "Open loop: most requests outstanding at once; later ones wait, and their waiting counts.")
    var cap = 10_000

    func validate() throws {
        let paces = [load != nil, rate != nil, outstanding != nil].filter { $0 }.count
        guard paces <= 1 else { throw ValidationError("give one of --load, --rate and --outstanding") }
        if let load, !(load > 0 && load <= 10) { throw ValidationError("--load \(load): must be above 0, at most 10") }
        if let rate, !(rate > 0 && rate <= 1e8) { throw ValidationError("--rate \(rate): must be above 0") }
        if let outstanding, !(1...100_000).contains(outstanding) {
            throw ValidationError("--outstanding \(outstanding): must be 1 … 100000")
        }
        guard (1...1000).contains(connections) else {
            throw ValidationError("--connections \(connections): must be 1 … 1000")
        }
        guard (1...1_000_000).contains(cap) else { throw ValidationError("--cap \(cap): must be 1 … 1000000") }
        if let longest, longest.bytes < 1 { throw ValidationError("--longest \(longest): must be at least 1") }
        if let responseSize, !(1...HomaLimits.maximumMessageLength).contains(responseSize.bytes) {
            throw ValidationError("--response-size \(responseSize): must be 1 … \(HomaLimits.maximumMessageLength)")
        }
    }

    /// - Parameter link: what `--load` refers to.
    func plan(link: BitRate?, baseline: SlowdownBaseline?) throws -> LoadPlan {
        let sizes = try usage { try Workload.named(workload) }.sizes
            .truncated(to: min(longest?.bytes ?? .max, HomaLimits.maximumMessageLength))
        let pace: LoadPlan.Pace
        if let outstanding {
            pace = .closedLoop(outstanding: outstanding)
        } else if let load {
            guard let link else { throw ValidationError("--load needs --link, the rate that it is a fraction of") }
            pace = .openLoop(perSecond: LoadPlan.perSecond(load: load, of: link, sizes: sizes))
        } else {
            pace = .openLoop(perSecond: rate ?? 1000)
        }
        return LoadPlan(
            sizes: sizes, pace: pace, response: responseSize.map { .fixed(bytes: $0.bytes) } ?? .echo,
            warmUp: warmUp.duration, duration: duration.duration, drain: drain.duration, seed: seed,
            outstandingCap: cap, connections: connections, baseline: baseline)
    }
}

/// Demands on a result, and what becomes of them.
struct ThresholdOptions: ParsableArguments {
    @Option(help: "Fail (exit status 1) unless this holds, e.g. 'p99<50us' or 'rate>100000'. May be repeated.")
    var threshold: [String] = []

    func parsed() throws -> [Threshold] { try threshold.map { text in try usage { try Threshold(text) } } }

    /// Reports each threshold on standard error; throws exit status 1 when one is missed.
    func check(_ subject: some ThresholdSubject) throws {
        var missed = false
        for threshold in try parsed() {
            switch threshold.evaluate(subject) {
            case .met: note("threshold \(threshold): met")
            case .missed(let value):
                note("threshold \(threshold): MISSED, measured \(value)")
                missed = true
            case .notMeasured:
                note("threshold \(threshold): MISSED, nothing was measured")
                missed = true
            }
        }
        if missed { throw ExitCode.thresholdMissed }
    }
}
