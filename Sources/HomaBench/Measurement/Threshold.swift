// SPDX-License-Identifier: Apache-2.0

/// A demand on a result, such as `p99<50us`: what makes a benchmark pass or fail.
public struct Threshold: Sendable, Equatable, CustomStringConvertible {
    /// What is compared.
    public enum Quantity: Sendable, Equatable {
        /// A latency percentile, 0 to 100, in nanoseconds.
        case percentile(Double)
        /// The mean latency in nanoseconds.
        case mean
        /// The longest latency in nanoseconds.
        case maximum
        /// Completed RPCs per second.
        case rate
        /// Payload in bits per second.
        case goodput
        /// RPCs that failed, never finished, or brought back wrong bytes.
        case errors
    }

    /// How it is compared.
    public enum Relation: String, Sendable, CaseIterable {
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="

        /// True when `value` stands in this relation to `limit`.
        public func holds(_ value: Double, _ limit: Double) -> Bool {
            switch self {
            case .less: value < limit
            case .atMost: value <= limit
            case .greater: value > limit
            case .atLeast: value >= limit
            }
        }
    }

    public let quantity: Quantity
    public let relation: Relation
    /// The limit, in nanoseconds, per second, bits per second, or a count, as the quantity has it.
    public let limit: Double
    /// The demand as it was written.
    public let description: String

    /// What became of a demand.
    public enum Verdict: Sendable, Equatable {
        case met(Double)
        case missed(Double)
        /// The result does not have this quantity, or nothing was recorded.
        case notMeasured
    }

    /// Compares a result with the demand.
    public func evaluate(_ subject: some ThresholdSubject) -> Verdict {
        guard let value = subject.value(of: quantity) else { return .notMeasured }
        return relation.holds(value, limit) ? .met(value) : .missed(value)
    }

    /// True only when the quantity was measured and the demand is met.
    public func holds(for subject: some ThresholdSubject) -> Bool {
        if case .met = evaluate(subject) { true } else { false }
    }
}

/// Something a threshold can be held against.
public protocol ThresholdSubject {
    /// The quantity in its base unit (nanoseconds, per second, bits per second); nil when not measured.
    func value(of quantity: Threshold.Quantity) -> Double?
}

extension LatencyRecorder: ThresholdSubject {
    public func value(of quantity: Threshold.Quantity) -> Double? {
        guard count > 0 else { return nil }
        return switch quantity {
        case .percentile(let percent): Double(percentile(percent))
        case .mean: mean
        case .maximum: Double(maximum)
        case .rate, .goodput, .errors: nil
        }
    }
}
