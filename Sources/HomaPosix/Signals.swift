// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaBase
public import Synchronization

public final class StopFlag: Sendable {
    @usableFromInline
    let flag = Atomic<Bool>(false)

    public init() {}

    /// True from the first ``raise()`` on.
    @inlinable
    public var isRaised: Bool { flag.load(ordering: .relaxed) }

    /// Asks for the end. A second time changes nothing.
    @inlinable
    public func raise() { flag.store(true, ordering: .relaxed) }
}

/// SIGINT and SIGTERM as requests to come to an end, which the program carries out in its own time.
///
/// The one place that handles them, for the whole process. A handler stays until the process ends, and the programs
/// that it starts begin with the system's default again.
public enum StopSignals {
    /// What a second request does.
    public enum Second: Sendable {
        /// Whoever asks twice wants no more order: the process ends at once, with status 128 + the signal's number.
        case endsProcess
        /// What was made must be removed first, however often somebody asks.
        case isIgnored
    }

    /// Raised by the first request.
    public static let flag = StopFlag()
    private static let isLenient = Atomic<Bool>(false)
    /// Wakes who waits; nil in a process that has no descriptor to spare, where waiting is looking again and again.
    private static let waker = try? Waker()

    /// From now on a request does not end the process but raises the flag that is returned.
    ///
    /// So that what is to be put in order can be, a reader that goes away does not end the process either: writing to
    /// it is an error (EPIPE).
    @discardableResult
    public static func catchRequests(second: Second) -> StopFlag {
        // Made now: a handler may not make them.
        _ = (flag, waker)
        isLenient.store(second == .isIgnored, ordering: .relaxed)
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGINT, SIGTERM] { signal(number, handleRequest) }
        return flag
    }

    /// Waits for a request, or until `limit` has passed. A second request ends the process.
    public static func wait(atMost limit: Duration?) async {
        let flag = catchRequests(second: .endsProcess)
        let clock = MonotonicClock.process
        let end = limit.map { clock.now().advanced(byNanoseconds: $0.wholeNanoseconds) }
        let look: @Sendable () -> Void = {
            let set = try? PollSet()
            if let set, let waker { try? set.add(waker.eventDescriptor, .readable) }
            while !flag.isRaised {
                let rest = end.map { $0.nanoseconds(since: clock.now()) }
                guard rest != 0 else { return }
                guard let set, waker != nil else {
                    usleep(100_000)
                    continue
                }
                set.wait(nanoseconds: rest) { _, _ in }
            }
        }
        // Without a thread to wait on there is nothing to be done but to wait here.
        do { try await runOnOwnThread(look) } catch { look() }
    }

    fileprivate static func request(_ number: Int32) {
        if flag.isRaised, !isLenient.load(ordering: .relaxed) { _exit(128 + number) }
        flag.raise()
        waker?.wake()
    }
}

/// A top-level function, since a closure could not become a C function that knows nothing of isolation.
private func handleRequest(_ number: Int32) {
    let code = errno
    StopSignals.request(number)
    errno = code
}
