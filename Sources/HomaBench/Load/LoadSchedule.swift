// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads

/// One request of a load: which, when, how long.
public struct ScheduledRequest: Sendable, Equatable {
    /// 0, 1, 2, …
    public var sequence: UInt64
    /// When it should be sent, in nanoseconds since the start of the run; 0 under a closed loop.
    public var intended: UInt64
    /// Length in bytes.
    public var bytes: Int
    /// Which of the plan's servers it goes to, from 0.
    public var target: Int

    public init(sequence: UInt64, intended: UInt64, bytes: Int, target: Int = 0) {
        self.sequence = sequence
        self.intended = intended
        self.bytes = bytes
        self.target = target
    }
}

/// The requests of a load in order, without end. Same plan, same requests.
///
/// Sizes, times and servers come from separate generators, so that a change of the rate keeps the sizes.
public struct RequestSequence: Sendable {
    private let sizes: SizeDistribution
    private var sizeRandom: SeededRandom
    private var arrivals: PoissonArrivals?
    private var targetRandom: SeededRandom
    private let targets: Int
    private let profile: LoadProfile?
    private var time: UInt64 = 0
    private var sequence: UInt64 = 0

    init(_ plan: LoadPlan) {
        var seeds = SeededRandom(seed: plan.seed)
        sizes = plan.sizes
        sizeRandom = SeededRandom(seed: seeds.next())
        let arrivalSeed = seeds.next()
        if case .openLoop(let rate) = plan.pace { arrivals = PoissonArrivals(perSecond: rate, seed: arrivalSeed) }
        targetRandom = SeededRandom(seed: seeds.next())
        targets = plan.targets
        profile = plan.profile
    }

    /// The next request.
    public mutating func next() -> ScheduledRequest {
        time += arrivals?.nextGap() ?? 0
        defer { sequence += 1 }
        let target = targets == 1 ? 0 : Int(targetRandom.next() % UInt64(targets))
        return ScheduledRequest(
            sequence: sequence, intended: profile?.due(time) ?? time, bytes: sizes.sample(using: &sizeRandom),
            target: target)
    }
}

extension LoadPlan {
    /// The plan's requests, made one by one.
    public func makeSequence() -> RequestSequence { RequestSequence(self) }

    /// All requests of an open loop, from the start of the warm-up to the end of the measurement.
    ///
    /// Every protocol that carries out this plan sends exactly these. A closed loop has no such list.
    public func schedule() -> [ScheduledRequest] {
        guard case .openLoop(let rate) = pace else { preconditionFailure("a closed loop has no schedule") }
        let end = window.end
        var requests: [ScheduledRequest] = []
        requests.reserveCapacity(Int(rate * Double(end) / 1e9 * 1.05) + 16)
        var sequence = makeSequence()
        var request = sequence.next()
        while request.intended < end {
            requests.append(request)
            request = sequence.next()
        }
        return requests
    }
}
