// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaScenarios
import HomaWorkloads

/// A model of one host's downlink whose messages belong to several shards.
///
/// Messages arrive at random and each belongs to a shard chosen at random, as identifiers choose it. Every shard lets
/// its shortest remaining message come, and the shards that have any share the link equally: none knows how long
/// the others' messages are. One shard is the shortest of all first. Nothing else is modelled: no packets, no grants
/// that take time.
struct ShardedLink: Equatable, Sendable {
    /// A workload's name, W1 to W5.
    var workload = "w3"
    var load = 0.8
    var shards = 1
    var messages = 100_000
    var seed: UInt64 = 1
    /// Gb/s.
    var rate = 25.0
    /// The shortest time in which anything arrives.
    static let leastNanoseconds = 2500.0

    var json: JSONValue {
        .object([
            .init("model", .string("sharded link")), .init("workload", .string(workload)), .init("load", .double(load)),
            .init("shards", .integer(shards)), .init("messages", .integer(messages)),
            .init("seed", .integer(Int(seed))), .init("gbps", .double(rate)),
        ])
    }

    var key: String { StableHash.of(json.description) }

    /// Slowdowns of all messages and of the shortest half, and the mean number of shards that have a message while any
    /// has.
    func run() -> JSONValue {
        guard let sizes = try? Workload.named(workload).sizes else { return .null }
        var run = Run(self, sizes)
        return run.finish()
    }

    private var nanosecondsPerByte: Double { 8 / rate }

    private struct Message {
        var born: Double
        var size: Int
    }

    /// The state of a run.
    private struct Run {
        let model: ShardedLink
        let sizes: SizeDistribution
        var arrivals: PoissonArrivals
        var random: SeededRandom
        /// Remaining nanoseconds at full rate and message, shortest last, by shard.
        var queues: [[(left: Double, message: Message)]]
        var now = 0.0
        var slowdowns: [(size: Int, slowdown: Double)] = []
        var busyTime = 0.0
        var shardTime = 0.0

        init(_ model: ShardedLink, _ sizes: SizeDistribution) {
            self.model = model
            self.sizes = sizes
            let perByte = model.nanosecondsPerByte
            arrivals = PoissonArrivals(
                meanIntervalNanoseconds: sizes.mean * perByte / model.load, seed: model.seed)
            random = SeededRandom(seed: model.seed &+ 99)
            queues = Array(repeating: [], count: model.shards)
        }

        mutating func finish() -> JSONValue {
            var next = Double(arrivals.nextGap())
            for _ in 0..<model.messages {
                advance(to: next)
                arrive()
                next += Double(arrivals.nextGap())
            }
            advance(to: .infinity)
            return outcome()
        }

        private mutating func arrive() {
            let size = sizes.sample(using: &random)
            let shard = Int(random.next() % UInt64(model.shards))
            let left = Double(size) * model.nanosecondsPerByte
            let place = queues[shard].firstIndex { $0.left <= left } ?? queues[shard].count
            queues[shard].insert((left, Message(born: now, size: size)), at: place)
        }

        /// Lets time pass, ending what is complete.
        private mutating func advance(to end: Double) {
            while now < end {
                let busy = queues.indices.filter { !queues[$0].isEmpty }
                guard let first = busy.min(by: { queues[$0].last!.left < queues[$1].last!.left }) else {
                    if end.isFinite { now = end }
                    return
                }
                let share = Double(busy.count)
                let step = min(queues[first].last!.left * share, end - now)
                for shard in busy { queues[shard][queues[shard].count - 1].left -= step / share }
                now += step
                busyTime += step
                shardTime += step * share
                if queues[first].last!.left <= 1e-9 { complete(queues[first].removeLast().message) }
            }
        }

        private mutating func complete(_ message: Message) {
            let best = Double(message.size) * model.nanosecondsPerByte + ShardedLink.leastNanoseconds
            slowdowns.append((message.size, (now - message.born + ShardedLink.leastNanoseconds) / best))
        }

        private func outcome() -> JSONValue {
            let half = sizes.quantile(0.5)
            let short = slowdowns.filter { $0.size <= half }.map(\.slowdown).sorted()
            let all = slowdowns.map(\.slowdown).sorted()
            return .object([
                .init("slowdown_mean", .double(all.reduce(0, +) / Double(all.count))),
                .init("slowdown_p99_short", .double(short[short.count * 99 / 100])),
                .init("slowdown_p99", .double(all[all.count * 99 / 100])),
                .init("busy_shards", .double(shardTime / busyTime)),
            ])
        }
    }
}
