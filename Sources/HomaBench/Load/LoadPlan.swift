// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaWorkloads

/// A load, described without naming a protocol: whoever carries it out issues the same requests.
public struct LoadPlan: Sendable, Equatable {
    /// What decides when a request is sent.
    public enum Pace: Sendable, Equatable {
        /// Poisson arrivals at this mean rate (per second), whether or not earlier responses have come back.
        /// Latency counts from the intended time, so a stalled server shows in the tail.
        case openLoop(perSecond: Double)
        /// Always this many requests outstanding; latency counts from the time a request is handed over.
        case closedLoop(outstanding: Int)
    }

    /// What the server sends back.
    public enum Response: Sendable, Equatable {
        /// The request itself.
        case echo
        /// This many bytes, at least 1; requests under 16 bytes are echoed all the same.
        case fixed(bytes: Int)
    }

    /// Request sizes, truncated to Homa's longest message (1 000 000 bytes) whatever the protocol.
    public let sizes: SizeDistribution
    public var pace: Pace
    public var response: Response
    /// Time before anything is measured.
    public var warmUp: Duration
    /// Time measured, after the warm-up.
    public var duration: Duration
    /// How long to wait, after the last request, for what is still outstanding.
    public var drain: Duration
    /// Decides sizes, arrival times and contents.
    public var seed: UInt64
    /// Open loop: no more requests than this are outstanding at once; later ones wait, and their waiting counts.
    public var outstandingCap: Int
    /// Connections to each server, for protocols that have them.
    public var connections: Int
    /// Servers that the requests are spread over, evenly and at random.
    public var targets: Int
    /// What messages begin with, and the least that they are long.
    public var framing = MessageFraming.pattern
    /// What latencies are compared with; nil leaves the slowdown out.
    public var baseline: SlowdownBaseline?
    /// Open loop: how the rate changes during the run; nil leaves it as it is.
    public var profile: LoadProfile?

    public init(
        sizes: SizeDistribution, pace: Pace, response: Response = .echo, warmUp: Duration = .seconds(1),
        duration: Duration = .seconds(5), drain: Duration = .seconds(1), seed: UInt64 = 1,
        outstandingCap: Int = 100_000, connections: Int = 1, targets: Int = 1, baseline: SlowdownBaseline? = nil
    ) {
        precondition(targets >= 1, "requests go to somebody")
        self.sizes = sizes.truncated(to: HomaLimits.maximumMessageLength)
        self.pace = pace
        self.response = response
        self.warmUp = warmUp
        self.duration = duration
        self.drain = drain
        self.seed = seed
        self.outstandingCap = outstandingCap
        self.connections = connections
        self.targets = targets
        self.baseline = baseline
    }

    /// Requests per second that make request payload fill `fraction` of a link. Packet headers are not
    /// counted, so that the offered payload is the same for every protocol.
    public static func perSecond(load fraction: Double, of link: BitRate, sizes: SizeDistribution) -> Double {
        let mean = sizes.truncated(to: HomaLimits.maximumMessageLength).mean
        return fraction * Double(link.bitsPerSecond) / (8 * mean)
    }

    /// One of `count` equal parts of the load, with other sizes and times than the rest: together they are the plan.
    public func part(_ index: Int, of count: Int) -> LoadPlan {
        precondition(count >= 1 && index >= 0 && index < count, "one of the parts")
        guard count > 1 else { return self }
        var part = self
        part.seed = seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(index)
        part.outstandingCap = max(1, outstandingCap / count)
        switch pace {
        case .openLoop(let rate): part.pace = .openLoop(perSecond: rate / Double(count))
        case .closedLoop(let outstanding):
            let share = (outstanding + count - 1 - index) / count
            part.pace = .closedLoop(outstanding: max(1, share))
        }
        return part
    }

    /// The measured part of the run.
    public var window: MeasurementWindow { MeasurementWindow(warmUp: warmUp, duration: duration) }

    /// Most requests outstanding at once under either pace.
    public var outstandingLimit: Int {
        switch pace {
        case .openLoop: outstandingCap
        case .closedLoop(let outstanding): outstanding
        }
    }

    /// Apart, so that the usual case stays small enough to become part of its callers.
    @inline(never)
    private static func framed(
        _ key: UInt64, length: Int, answer: Int, _ framing: MessageFraming
    ) -> PatternMessage {
        let length = max(length, framing.headerLength)
        return PatternMessage(key: key, length: length, responseLength: min(length, answer), framing: framing)
    }

    /// What request number `request.sequence` consists of.
    public func message(for request: ScheduledRequest) -> PatternMessage {
        let answer =
            switch response {
            case .echo: request.bytes
            case .fixed(let bytes): bytes
            }
        let key = MessagePattern.key(seed: seed, sequence: request.sequence)
        guard framing == .pattern else {
            // An echo is as long as the request is in the end.
            let answer = response == .echo ? Int.max : answer
            return Self.framed(key, length: request.bytes, answer: answer, framing)
        }
        return PatternMessage(key: key, length: request.bytes, responseLength: answer)
    }
}
