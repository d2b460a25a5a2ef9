// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench
import HomaWorkloads

/// Options that say what load to offer; the same for every protocol.
struct LoadOptions: ParsableArguments {
    @Option(help: "w1 … w5, or a message size such as 100 or 500K.")
    var workload = "w3"

    @Option(
        help: "Leave out longer messages, e.g. 64Ki; by default those above 1 000 000 bytes.",
        within: .bytes(1...1_000_000_000))
    var longest: ByteCount?

    @Option(
        help: "Offered payload as a fraction of --link, e.g. 0.5. Open loop with Poisson arrivals.",
        within: .number(0.0001...10))
    var load: Double?

    @Option(help: "Offered requests per second. Open loop with Poisson arrivals.", within: .number(0.001...1e8))
    var rate: Double?

    @Option(help: "Closed loop instead: always this many requests outstanding.", within: .count(1...100_000))
    var outstanding: Int?

    @Option(
        help: "Bytes of each response; by default the request is echoed.",
        within: .bytes(1...HomaLimits.maximumMessageLength))
    var responseSize: ByteCount?

    @Option(name: .customLong("for"), help: "Time measured.", within: .length)
    var duration = TimeSpan(.seconds(5))

    @Option(help: "Time before anything is measured.", within: .time)
    var warmUp = TimeSpan(.seconds(1))

    @Option(help: "How long to wait for the last responses before they count as unfinished.", within: .time)
    var drain = TimeSpan(.seconds(2))

    @Option(help: "Decides sizes, arrival times and contents.", within: .seed)
    var seed: UInt64 = 1

    @Option(help: "Connections, for --protocol tcp.", within: .count(1...1000))
    var connections = 1

    @Option(
        help: "Open loop: most requests outstanding at once; later ones wait, and their waiting counts.",
        within: .count(1...1_000_000))
    var cap = 100_000

    /// Requests per second that an open loop can offer, as --rate has it.
    static let rates = 0.001...1e8
    /// Requests of one run: what was due and never sent is counted one by one when it ends.
    static let mostRequests = 1e9

    func validate() throws {
        let paces = [load != nil, rate != nil, outstanding != nil].filter { $0 }.count
        guard paces <= 1 else { throw ValidationError("give one of --load, --rate and --outstanding") }
        _ = try usage { try Workload.named(workload) }
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
            pace = .openLoop(perSecond: try inRange(LoadPlan.perSecond(load: load, of: link, sizes: sizes)))
        } else {
            pace = .openLoop(perSecond: try inRange(rate ?? 1000))
        }
        return LoadPlan(
            sizes: sizes, pace: pace, response: responseSize.map { .fixed(bytes: $0.bytes) } ?? .echo,
            warmUp: warmUp.duration, duration: duration.duration, drain: drain.duration, seed: seed,
            outstandingCap: cap, connections: connections, baseline: baseline)
    }

    /// A rate that can be offered for as long as is asked for.
    private func inRange(_ rate: Double) throws -> Double {
        guard Self.rates.contains(rate) else {
            throw ValidationError(
                "--load \(load ?? 0) of that link is \(rate) requests/s: must be \(Self.rates.lowerBound) … "
                    + "\(Int(Self.rates.upperBound))")
        }
        let count = rate * ((warmUp.duration + duration.duration) / .seconds(1))
        guard count <= Self.mostRequests else {
            throw ValidationError(
                "\(fixed(rate, 0)) requests/s for --for \(duration) and --warm-up \(warmUp) are \(fixed(count, 0)): "
                    + "must be at most \(fixed(Self.mostRequests, 0)) requests")
        }
        return rate
    }
}
