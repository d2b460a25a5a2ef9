// SPDX-License-Identifier: Apache-2.0

package import HomaBase
package import HomaBench
package import HomaWorkloads

/// What one host of a lab is to do in a run; handed to its process as one line of JSON.
package struct LabJob: Codable, Sendable {
    /// `homa` or `tcp`.
    var carrier: String
    /// Where every host serves.
    var port: UInt16
    /// The other hosts, as addresses with ports.
    package var targets: [String]
    var workload: String
    /// Requests per second of this host.
    var requestsPerSecond: Double
    /// Nil: requests are echoed.
    var responseBytes: Int?
    var warmUpNanoseconds: Int64
    var durationNanoseconds: Int64
    var drainNanoseconds: Int64
    var seed: UInt64
    var cap: Int
    /// To each other host, over TCP.
    var connections: Int
    var baseline: LabBaseline
    /// Nil: an idle thread never sleeps.
    var spinNanoseconds: Int64?
    /// Protocol settings of Homa.
    var settings: LabSettings
    /// Whether the kernel may cut and join trains of packets.
    var usesOffloads: Bool
    /// How the rate changes during the run.
    var profile: LoadProfile?

    package init(
        carrier: String, port: UInt16, targets: [String], workload: String, requestsPerSecond: Double,
        responseBytes: Int? = nil, warmUpNanoseconds: Int64, durationNanoseconds: Int64, drainNanoseconds: Int64,
        seed: UInt64, cap: Int, connections: Int, baseline: LabBaseline, spinNanoseconds: Int64? = nil,
        settings: LabSettings, usesOffloads: Bool, profile: LoadProfile? = nil
    ) {
        self.carrier = carrier
        self.port = port
        self.targets = targets
        self.workload = workload
        self.requestsPerSecond = requestsPerSecond
        self.responseBytes = responseBytes
        self.warmUpNanoseconds = warmUpNanoseconds
        self.durationNanoseconds = durationNanoseconds
        self.drainNanoseconds = drainNanoseconds
        self.seed = seed
        self.cap = cap
        self.connections = connections
        self.baseline = baseline
        self.spinNanoseconds = spinNanoseconds
        self.settings = settings
        self.usesOffloads = usesOffloads
        self.profile = profile
    }

    package func plan() throws -> LoadPlan {
        let sizes = try Workload.named(workload).sizes.truncated(to: HomaLimits.maximumMessageLength)
        var plan = LoadPlan(
            sizes: sizes, pace: .openLoop(perSecond: requestsPerSecond),
            response: responseBytes.map { .fixed(bytes: $0) } ?? .echo, warmUp: .nanoseconds(warmUpNanoseconds),
            duration: .nanoseconds(durationNanoseconds), drain: .nanoseconds(drainNanoseconds), seed: seed,
            outstandingCap: cap, connections: connections, targets: targets.count,
            baseline: SlowdownBaseline(
                rttNanoseconds: baseline.rttNanoseconds, bitsPerSecond: baseline.bitsPerSecond))
        plan.profile = profile
        return plan
    }

    /// Requests per second of one host that make payload fill a share of its link in each direction, when every host
    /// calls every other one: its requests and the responses it gives leave by the same link.
    package static func requestsPerSecond(
        load: Double, rate: BitRate, sizes: SizeDistribution, responseBytes: Int?
    ) -> Double {
        let mean = sizes.truncated(to: HomaLimits.maximumMessageLength).mean
        return load * Double(rate.bitsPerSecond) / 8 / (mean + (responseBytes.map(Double.init) ?? mean))
    }
}

/// The idle network that slowdowns are measured against.
package struct LabBaseline: Codable, Sendable {
    var rttNanoseconds: UInt64
    var bitsPerSecond: UInt64

    package init(
        rttNanoseconds: UInt64, bitsPerSecond: UInt64
    ) {
        self.rttNanoseconds = rttNanoseconds
        self.bitsPerSecond = bitsPerSecond
    }
}

/// What one host's process has to say after a run; one line of JSON.
struct LabHostReport: Codable, Sendable {
    var tally: LoadTally
    /// Datagrams that found the receiving socket full, during the run.
    var receiveBufferErrors: UInt64
    /// TCP segments sent again during the run.
    var segmentsResent: UInt64
    /// What the Homa node counted.
    var counters: [String: UInt64]
}
