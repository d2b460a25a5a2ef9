// SPDX-License-Identifier: Apache-2.0

import HomaScenarios

/// The result of a point, or the lack of one: then every figure is not a number.
struct Outcome: Sendable {
    private let result: JSONValue?

    init(_ result: JSONValue?) { self.result = result }

    /// There are figures.
    var isReady: Bool { result != nil }

    /// The figure at a path such as `slowdown_mean` or `homa.packets_retransmitted`.
    func callAsFunction(_ path: String) -> Double {
        path.split(separator: ".").reduce(result) { $0?[String($1)] }?.number ?? .nan
    }

    // MARK: Simulations

    var mean: Double { self("slowdown_mean") }
    var p99: Double { self("slowdown_p99") }
    /// 99th percentile of the slowdown of messages around the median size.
    var shortP99: Double { self("slowdown_p99_by_size_percentile.50") }
    /// The most that any switch held, in bytes.
    var switchBytes: Double { self("switch_buffer_max_bytes") }
    /// The same in microseconds of its bandwidth.
    var switchMicroseconds: Double { self("switch_buffer_max_us") }
    /// The longest queue to a host, in bytes.
    var queueBytes: Double { self("host_downlink_queue_max_bytes") }
    var drops: Double { self("drops") }

    /// Messages that did not complete, of all, 0 … 1.
    var incompleteShare: Double {
        let lost = self("messages_incomplete") + self("messages_failed")
        return lost / (lost + self("messages"))
    }

    /// A figure of a tier of links, such as `queue.max_bytes` of `host_downlink`.
    func tier(_ name: String, _ path: String) -> Double {
        let tier = result?["tiers"]?.elements?.first { $0["name"]?.text == name }
        return Outcome(tier)(path)
    }

    /// The largest of a figure over all switches whose name begins so, such as `downlinks.max_us` of `leaf`.
    func switches(_ prefix: String, _ path: String) -> Double {
        let all = result?["switches"]?.elements ?? []
        let figures = all.filter { $0["name"]?.text?.hasPrefix(prefix) == true }.map { Outcome($0)(path) }
        return figures.max() ?? .nan
    }
}
