// SPDX-License-Identifier: Apache-2.0

public import Glibc
public import HomaBase

/// The real clock: nanoseconds since an origin, never going back, unaffected by setting the date.
///
/// It goes on while the machine sleeps. With one that did not, a call under way when its client fell asleep would seem
/// younger on waking than a server that had started since, and would run there a second time.
///
/// Instants of different clocks compare only when the clocks have the same origin; copies of one
/// clock do, and every node of a process uses ``process``.
@frozen
public struct MonotonicClock: Sendable {
    /// The origin on CLOCK_BOOTTIME, in nanoseconds.
    public let origin: UInt64

    /// One clock for the whole process, started when it is first used.
    public static let process = MonotonicClock()

    /// A clock that starts now, at ``Instant/zero``.
    @inlinable
    public init() { self.init(origin: Self.nanoseconds()) }

    /// A clock with a given origin.
    ///
    /// - Parameter origin: nanoseconds on CLOCK_BOOTTIME; 0 makes instants comparable between processes.
    @inlinable
    public init(origin: UInt64) { self.origin = origin }

    /// The time now. No system call: the kernel's shared page is read.
    @inlinable
    public func now() -> Instant { Instant(nanoseconds: Self.nanoseconds() &- origin) }

    /// CLOCK_BOOTTIME itself, in nanoseconds: for differences.
    @inlinable
    public static func nanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
    }
}
