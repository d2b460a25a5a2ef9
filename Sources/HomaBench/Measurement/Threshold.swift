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
        /// RPCs that failed, were left unfinished, or brought back wrong bytes.
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
    /// How the limit was written.
    let written: Written

    /// A number with its unit as somebody wrote it.
    struct Written: Sendable, Equatable {
        var number: String
        var unit: String
        /// How many of the quantity's base unit the unit is.
        var factor: Double
    }

    /// What became of a demand.
    public enum Verdict: Sendable, Equatable {
        case met(Double)
        case missed(Double)
        /// The result does not have this quantity, or nothing was recorded.
        case notMeasured
    }

    /// Compares a result with the demand.
    ///
    /// A figure of which only a lower bound is known cannot meet a demand for less: nobody knows that it is.
    public func evaluate(_ subject: some ThresholdSubject) -> Verdict {
        guard let measured = subject.measured(quantity) else { return .notMeasured }
        let isOpen = measured.isLowerBound && (relation == .less || relation == .atMost)
        return relation.holds(measured.value, limit) && !isOpen ? .met(measured.value) : .missed(measured.value)
    }

    /// True only when the quantity was measured and the demand is met.
    public func holds(for subject: some ThresholdSubject) -> Bool {
        if case .met = evaluate(subject) { true } else { false }
    }
}

/// Something a threshold can be held against.
public protocol ThresholdSubject {
    /// The quantity in its base unit (nanoseconds, per second, bits per second); nil when not measured.
    func measured(_ quantity: Threshold.Quantity) -> MeasuredValue?
}

extension ThresholdSubject {
    /// The quantity in its base unit, or what it is at least; nil when not measured.
    public func value(of quantity: Threshold.Quantity) -> Double? { measured(quantity)?.value }
}

extension LatencyRecorder: ThresholdSubject {
    public func measured(_ quantity: Threshold.Quantity) -> MeasuredValue? {
        guard count > 0 else { return nil }
        return switch quantity {
        case .percentile(let percent): measured(percent)
        case .mean: MeasuredValue(mean, isLowerBound: unanswered > 0)
        case .maximum: MeasuredValue(Double(maximum), isLowerBound: isLowerBound(atPercentile: 100))
        case .rate, .goodput, .errors: nil
        }
    }
}
