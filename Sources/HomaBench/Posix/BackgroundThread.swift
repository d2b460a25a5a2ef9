// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A plain thread, for loops that may spin: they would keep Swift's own threads from everything else.
final class BackgroundThread: @unchecked Sendable {  // the handle is written once, before the value is shared
    private var handle = pthread_t()

    /// Starts a thread that runs `body` once.
    init(_ body: @escaping @Sendable () -> Void) throws(SocketError) {
        let box = Unmanaged.passRetained(ThreadBody(body))
        let result = pthread_create(&handle, nil, runThreadBody, box.toOpaque())
        guard result == 0 else {
            box.release()
            throw SocketError("pthread_create", code: result)
        }
    }

    /// Waits until the body has returned. Call exactly once.
    func join() { pthread_join(handle, nil) }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// A top-level function: a closure made in an isolated context would trap on a foreign thread.
private func runThreadBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
