// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Set by the signal handler, which may do no more than that.
nonisolated(unsafe) private var wasInterrupted: sig_atomic_t = 0

/// SIGINT and SIGTERM while something has to be put in order before the process may end.
enum Interruption {
    /// From now on the signals do not end the process.
    static func catchSignals() {
        for number in [SIGINT, SIGTERM] { signal(number) { _ in wasInterrupted = 1 } }
        // A program that ends before it has read all its input is reported by its status.
        signal(SIGPIPE, SIG_IGN)
    }

    static var happened: Bool { wasInterrupted != 0 }

    /// Throws when a signal has come.
    static func check() throws(LabError) {
        if happened { throw LabError("interrupted") }
    }
}
