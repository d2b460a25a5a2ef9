// SPDX-License-Identifier: Apache-2.0

/// CUBIC's congestion avoidance (RFC 9438). Windows in segments, times in seconds.
struct CubicWindow: BitwiseCopyable {
    /// Of the window that a loss leaves (RFC 9438, 4.6).
    static let beta = 0.7
    /// Segments per cubic second (RFC 9438, 5).
    static let scale = 0.4
    /// Makes Reno's growth as slow as goes with a reduction to only `beta` (RFC 9438, 4.3).
    static let renoGain = 3 * (1 - beta) / (1 + beta)

    private static let none = UInt64.max

    var hyStart = HyStart()
    /// Since when the present congestion avoidance lasts, in picoseconds.
    private var epoch = CubicWindow.none
    /// Where the window was when it was last too large.
    private var maximum = 0.0
    /// Window before the last reduction.
    private var prior = 0.0
    /// Seconds from the start of the epoch until the window is at `maximum` again.
    private var delay = 0.0
    /// What Reno would have.
    private var estimate = 0.0

    /// The window after `acknowledged` segments.
    @inline(__always)
    mutating func grown(from window: Double, by acknowledged: Double, roundTrip: UInt64, at now: UInt64) -> Double {
        if epoch == Self.none { begin(window, at: now) }
        let time = Double(now - epoch) * 1e-12
        estimate += (estimate < prior ? Self.renoGain : 1) * acknowledged / window
        if value(at: time) < estimate { return max(window, estimate) }
        let target = min(max(window, value(at: time + Double(roundTrip) * 1e-12)), 1.5 * window)
        return window + (target - window) / window * acknowledged
    }

    private mutating func begin(_ window: Double, at now: UInt64) {
        epoch = now
        if window < maximum {
            delay = Self.cubeRoot((maximum - window) / Self.scale)
        } else {
            delay = 0
            maximum = window
        }
        estimate = window
    }

    /// The cubic curve, seconds after the start of the epoch.
    private func value(at time: Double) -> Double {
        let distance = time - delay
        return Self.scale * distance * distance * distance + maximum
    }

    /// A loss has shown that this window was too large. When it was below the one before, others need room: leave them
    /// some (fast convergence).
    mutating func noteLoss(window: Double) {
        prior = window
        maximum = window < maximum ? window * (1 + Self.beta) / 2 : window
        epoch = Self.none
    }

    /// After a timeout the curve begins flat, wherever slow start ends (RFC 9438, 4.8).
    mutating func forgetMaximum() {
        maximum = 0
        epoch = Self.none
    }

    /// Nothing was sent for a time that ends now; some of that may have been before the epoch.
    mutating func skip(_ idle: UInt64, at now: UInt64) {
        if epoch != Self.none { epoch = min(epoch + idle, now) }
    }

    /// By Newton's method: the same on every machine.
    static func cubeRoot(_ value: Double) -> Double {
        guard value > 0 else { return 0 }
        var root = Double(sign: .plus, exponent: value.exponent / 3, significand: 1.5)
        for _ in 0..<8 { root -= (root - value / (root * root)) / 3 }
        return root
    }
}
