// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase

/// Puts one thread to sleep until its socket has news, a deadline passes, or another thread wakes it.
public struct Poller: ~Copyable, @unchecked Sendable {
    /// Why a wait ended. Empty: the time is over, or a signal came early; look at the clock.
    public struct Events: OptionSet, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// A datagram can be received.
        public static let readable = Events(rawValue: HOMA_POLL_READABLE)
        /// The send buffer has room again. Reported only while ``Poller/setWantsWritable(_:)`` asks for it.
        public static let writable = Events(rawValue: HOMA_POLL_WRITABLE)
        /// The error queue is not empty. Reported until it is.
        public static let error = Events(rawValue: HOMA_POLL_ERROR)
        /// Somebody called ``Waker/wake()``.
        public static let woken = Events(rawValue: HOMA_POLL_WOKEN)
    }

    /// What other threads hold to end a wait; it may outlive the poller.
    public let waker: Waker
    private let pollDescriptor: Int32
    private let socketDescriptor: Int32
    /// A second socket; closing it ends the watch.
    private var secondDescriptor: Int32?
    private var wantsWritable = false

    /// - Parameter socketDescriptor: watched, not owned; it must stay open as long as the poller lives.
    /// - Throws: what `eventfd` or `epoll_create` says, `EMFILE` above all.
    public init(socketDescriptor: Int32) throws(SystemError) {
        let waker = try Waker()
        let result = homa_poll_create(socketDescriptor, waker.eventDescriptor)
        pollDescriptor = try SystemError.check(result, "epoll_create1", "descriptor \(socketDescriptor)")
        self.waker = waker
        self.socketDescriptor = socketDescriptor
    }

    deinit { close(pollDescriptor) }

    /// Ends the current or the next wait; ``waker`` does the same from any thread.
    public func wake() { waker.wake() }

    /// Watches a second socket too, in place of the one given before, which must have been closed.
    ///
    /// - Throws: what `epoll_ctl` says.
    public mutating func watch(_ descriptor: Int32) throws(SystemError) {
        secondDescriptor = nil
        try SystemError.check(homa_poll_add(pollDescriptor, descriptor), "epoll_ctl", "descriptor \(descriptor)")
        secondDescriptor = descriptor
        // The newcomer is watched for arrivals only; the next request for more is to reach both.
        if wantsWritable { wantsWritable = false }
    }

    /// Watches a socket for arrivals, beside the others, until ``unwatch(_:)`` or until it is closed.
    ///
    /// - Throws: what `epoll_ctl` says.
    public func watchAlso(_ descriptor: Int32) throws(SystemError) {
        try SystemError.check(homa_poll_add(pollDescriptor, descriptor), "epoll_ctl", "descriptor \(descriptor)")
    }

    /// Ends what ``watchAlso(_:)`` began.
    public func unwatch(_ descriptor: Int32) { _ = homa_poll_remove(pollDescriptor, descriptor) }

    /// Starts or stops waiting for room in the send buffer. Free when nothing changes.
    ///
    /// - Throws: what `epoll_ctl` says, when the socket was closed too early.
    public mutating func setWantsWritable(_ wanted: Bool) throws(SystemError) {
        guard wanted != wantsWritable else { return }
        for descriptor in [socketDescriptor, secondDescriptor ?? socketDescriptor] {
            let result = homa_poll_set_writable(pollDescriptor, descriptor, wanted ? 1 : 0)
            try SystemError.check(result, "epoll_ctl", "descriptor \(descriptor)")
        }
        wantsWritable = wanted
    }

    /// Sleeps until `deadline` at the latest; nil or ``Instant/distantFuture`` means without end.
    ///
    /// - Throws: what `epoll_wait` says; only a closed descriptor makes it fail.
    public func wait(until deadline: Instant?, clock: MonotonicClock = .process) throws(SystemError) -> Events {
        guard let deadline, deadline != .distantFuture else { return try wait(nanoseconds: nil) }
        return try wait(nanoseconds: deadline.nanoseconds(since: clock.now()))
    }

    /// Sleeps `nanoseconds` at most; 0 only looks, nil means without end.
    ///
    /// - Throws: what `epoll_wait` says; only a closed descriptor makes it fail.
    public func wait(nanoseconds: UInt64?) throws(SystemError) -> Events {
        let timeout = nanoseconds.map { Int64(clamping: $0) } ?? -1
        let events = Events(rawValue: try SystemError.check(homa_poll_wait(pollDescriptor, timeout), "epoll_wait"))
        if events.contains(.woken) { waker.drain() }
        return events
    }
}
