// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Finds the share of processor time that a simulation spends in the protocol core, by looking a thousand times
/// a second.
///
/// One at a time in a process: it takes SIGPROF and the profiling timer.
struct CoreSampler {
    nonisolated(unsafe) private static var flag: UnsafePointer<Bool>?
    nonisolated(unsafe) private static var samples = 0
    nonisolated(unsafe) private static var samplesInCore = 0

    /// Begins. `flag` must stay valid until ``stop()``.
    static func start(_ flag: UnsafePointer<Bool>) {
        Self.flag = flag
        samples = 0
        samplesInCore = 0
        signal(SIGPROF) { _ in
            CoreSampler.samples += 1
            if CoreSampler.flag?.pointee == true { CoreSampler.samplesInCore += 1 }
        }
        setTimer(microseconds: 1000)
    }

    /// Ends; the share from 0 to 1, or nil when there were too few samples to tell (fewer than 100).
    static func stop() -> Double? {
        setTimer(microseconds: 0)
        signal(SIGPROF, SIG_IGN)
        flag = nil
        return samples >= 100 ? Double(samplesInCore) / Double(samples) : nil
    }

    private static func setTimer(microseconds: Int) {
        let period = timeval(tv_sec: 0, tv_usec: microseconds)
        var timer = itimerval(it_interval: period, it_value: period)
        setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &timer, nil)
    }
}
