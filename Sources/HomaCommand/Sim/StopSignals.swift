// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc
import HomaScenarios

/// Turns the first SIGINT or SIGTERM into a request to stop; the second ends the process at once.
final class StopSignals {
    private var sources: [any DispatchSourceSignal] = []

    init(_ stop: StopFlag) {
        sources = [SIGINT, SIGTERM].map { number in
            // The default action would end the process before anything is said.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if stop.isStopped { _exit(128 + number) }
                stop.stop()
            }
            source.resume()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }
}
