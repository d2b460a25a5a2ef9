// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix

/// Lets the calling thread run on `core` only.
///
/// - Parameter core: numbered from 0, as in `/proc/cpuinfo`.
/// - Throws: `EINVAL` when there is no such core or the process may not use it.
public func pinCurrentThread(toCore core: Int) throws(SystemError) {
    try SystemError.check(homa_pin_thread(UInt32(clamping: core)), "sched_setaffinity", "core \(core)")
}
