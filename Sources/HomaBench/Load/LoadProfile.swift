// SPDX-License-Identifier: Apache-2.0

/// How the rate of an open loop changes during a run: phases one after the other, each with a multiple of the plan's
/// rate. What comes after the last phase goes on as it did.
///
/// A profile bends time and nothing else, so a plan sends the same requests in the same order with it and without.
public struct LoadProfile: Codable, Sendable, Equatable {
    public struct Phase: Codable, Sendable, Equatable {
        /// Rate in this phase ÷ the plan's rate; above 0.
        public var factor: Double
        /// Length in nanoseconds; the first phase begins with the run, warm-up included.
        public var nanoseconds: UInt64

        public init(factor: Double, nanoseconds: UInt64) {
            precondition(factor > 0 && factor.isFinite && nanoseconds > 0, "a phase has a rate and a length")
            self.factor = factor
            self.nanoseconds = nanoseconds
        }
    }

    public var phases: [Phase]

    public init(_ phases: [Phase]) {
        precondition(!phases.isEmpty, "a profile has phases")
        self.phases = phases
    }

    /// When a request is due that would be due at `time` if the rate were the plan's all the while; both in nanoseconds
    /// since the start of the run.
    public func due(_ time: UInt64) -> UInt64 {
        var rest = Double(time)
        var start = 0.0
        for phase in phases {
            let capacity = phase.factor * Double(phase.nanoseconds)
            if rest < capacity { return UInt64(start + rest / phase.factor) }
            rest -= capacity
            start += Double(phase.nanoseconds)
        }
        return UInt64(start + rest / phases[phases.count - 1].factor)
    }
}
