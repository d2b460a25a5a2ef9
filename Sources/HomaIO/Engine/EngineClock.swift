// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// The time an engine goes by: never going back.
protocol EngineClock: Sendable {
    func now() -> Instant
}

extension MonotonicClock: EngineClock {}
