// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The clock all measurements are taken with: `CLOCK_MONOTONIC`, read without a system call (about 25 ns).
public enum MonotonicClock {
    /// Nanoseconds since an arbitrary origin.
    @inline(__always)
    public static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
