// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench

/// Everything the demo measured. Times are in nanoseconds, rates in bits per second.
package struct DemoMeasurements {
    var idle = DemoIdle()
    var link: DemoLink?

    /// The disturbance of all parts together.
    var disturbance: Disturbance {
        .worst(of: [idle.disturbance].compactMap { $0 } + (link?.carriers.compactMap(\.disturbance) ?? []))
    }
}

/// The idle network: two processes on loopback, one request or a few at a time.
struct DemoIdle {
    /// Median round trips of 100 bytes in the best round, as others may disturb some.
    var roundTrip: [ProtocolChoice: Double] = [:]
    /// Of 500 KB requests in the best round.
    var goodput: [ProtocolChoice: Double] = [:]
    var memory = DemoMemory()
    var disturbance: Disturbance?
    /// What did not work, a sentence each.
    var failures: [String] = []
}

/// Receive memory of Homa nodes, in bpages of 64 KB: the most of any node.
struct DemoMemory: Equatable {
    var touched = 0.0
    var highWater = 0.0

    func merged(with other: DemoMemory) -> DemoMemory {
        DemoMemory(touched: max(touched, other.touched), highWater: max(highWater, other.highWater))
    }
}

/// A loaded link, and what each protocol made of it.
struct DemoLink {
    /// What the network was made of.
    enum Place: Equatable {
        case namespaces(IsolatedLab.Right)
        /// And why it had to be.
        case simulator(because: String)

        var isSimulated: Bool { if case .simulator = self { true } else { false } }

        /// As in records.
        var name: String {
            switch self {
            case .namespaces(let right): right.rawValue
            case .simulator: "simulator"
            }
        }
    }

    var place: Place
    var rate: BitRate
    var hosts: Int
    /// Homa first, then TCP with one connection and with several.
    var carriers: [DemoCarrier]
    /// Seconds that the overload lasted, and that were measured after it.
    var overloadSeconds: Double
    var afterSeconds: Double
    /// Load after the overload, as a fraction of the link.
    var afterLoad: Double

    var homa: DemoCarrier { carriers[0] }

    /// The TCP whose short messages were faster at a phase: the rival, which is fairest.
    func rival(_ phase: KeyPath<DemoCarrier, DemoPhase>) -> DemoCarrier? {
        carriers.dropFirst().min { $0[keyPath: phase].shortP99 ?? .infinity < $1[keyPath: phase].shortP99 ?? .infinity }
    }
}

/// What one protocol made of the loaded link.
struct DemoCarrier {
    var name: String
    /// For records: `homa`, `tcp`, `tcp-pool`.
    var key: String
    var isHoma: Bool { key == "homa" }
    var half = DemoPhase(load: 0.5)
    var high = DemoPhase(load: 0.8)
    var overload = DemoPhase(load: 1.6)
    /// From the overload's end until short messages were as fast as before.
    var recovery: DemoRecovery?
    /// What did not work, a sentence each.
    var failures: [String] = []
    /// Requests without an answer when the run ended.
    var unanswered = 0
    var packetsRetransmitted = 0.0
    var memory = DemoMemory()
    var disturbance: Disturbance?
}

/// What one protocol did at one load.
struct DemoPhase {
    /// Payload offered, requests and responses, as a fraction of the link.
    var load: Double
    var shortCount = 0
    var shortP50: Double?
    var shortP99: Double?
    var shortMinimum: Double?
    /// Times as long as alone, at the 99th percentile, where the network knows how long alone is.
    var slowdownP99: Double?
    /// Of messages of all sizes.
    var allP99: Double?
    /// Answered in the phase; of the overload: from its start to the end of the measurement.
    var goodput = 0.0
    var answeredPerSecond = 0.0
}

/// When short messages were as fast again as before an overload.
enum DemoRecovery: Equatable {
    case after(seconds: Double)
    case notWithin(seconds: Double)

    var text: String {
        switch self {
        case .after(let seconds): "\(fixed(seconds, 1)) s"
        case .notWithin(let seconds): "more than \(fixed(seconds, 1)) s"
        }
    }
}
