// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc

/// Waits for SIGINT or SIGTERM, or until `limit` has passed.
func waitForEnd(_ limit: Duration?) async {
    await withTaskGroup(of: Void.self) { group in
        group.addTask { await waitForSignal() }
        if let limit { group.addTask { try? await Task.sleep(for: limit) } }
        await group.next()
        group.cancelAll()
    }
}

private func waitForSignal() async {
    let (signals, continuation) = AsyncStream<Void>.makeStream()
    let sources = [SIGINT, SIGTERM].map { number in
        // The default action would end the process before anything is said.
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { continuation.yield() }
        source.resume()
        return source
    }
    for await _ in signals { break }
    for source in sources { source.cancel() }
}
