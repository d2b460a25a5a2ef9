// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaPosix

/// The time an engine goes by: never going back.
protocol EngineClock: Sendable {
    func now() -> Instant
}

extension MonotonicClock: EngineClock {}
