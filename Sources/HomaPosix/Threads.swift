// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc

/// Runs `body` on a thread made for it and returns what it returns.
///
/// For calls that may block for seconds, such as asking a name server: in Swift's own pool a few of them would stop
/// every other task.
///
/// - Throws: `SystemError` when the system has no thread for it (EAGAIN); `body` does not run then.
public nonisolated(nonsending) func runOnOwnThread<Value: Sendable>(
    _ body: @escaping @Sendable () -> Value
) async throws(SystemError) -> Value {
    let result: Result<Value, SystemError> = await withUnsafeContinuation { continuation in
        let work = Unmanaged.passRetained(ThreadWork { continuation.resume(returning: .success(body())) })
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, runThreadWork, work.toOpaque())
        guard code == 0 else {
            work.release()
            continuation.resume(returning: .failure(SystemError(call: "pthread_create", code: code)))
            return
        }
        pthread_detach(thread)
    }
    return try result.get()
}

private final class ThreadWork: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// A top-level function: a closure made in an isolated context would trap on a foreign thread.
private func runThreadWork(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<ThreadWork>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}

/// A plain thread, for loops that may spin: they would keep Swift's own threads from everything else.
public final class BackgroundThread: @unchecked Sendable {  // the handle is written once, before the value is shared
    private var handle = pthread_t()

    /// Starts a thread that runs `body` once.
    ///
    /// - Throws: `EAGAIN` when the system has no thread for it; `body` does not run then.
    public init(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let work = Unmanaged.passRetained(ThreadWork(body))
        let code = pthread_create(&handle, nil, runThreadWork, work.toOpaque())
        guard code == 0 else {
            work.release()
            throw SystemError(call: "pthread_create", code: code)
        }
    }

    /// Waits until the body has returned. Call exactly once.
    public func join() { pthread_join(handle, nil) }
}

/// Lets the calling thread run on `core` only.
///
/// - Parameter core: numbered from 0, as in `/proc/cpuinfo`.
/// - Throws: `EINVAL` when there is no such core or the process may not use it.
public func pinCurrentThread(toCore core: Int) throws(SystemError) {
    try SystemError.check(homa_pin_thread(UInt32(clamping: core)), "sched_setaffinity", "core \(core)")
}
