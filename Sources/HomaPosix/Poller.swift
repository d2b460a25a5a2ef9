// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase
internal import Synchronization

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
    /// Whose room is waited for.
    private var filledDescriptor: Int32?

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
        try SystemError.check(homa_poll_add(pollDescriptor, descriptor), "epoll_ctl", "descriptor \(descriptor)")
        // The newcomer is watched for arrivals only, and may have the number of one that was closed.
        if filledDescriptor == descriptor { filledDescriptor = nil }
    }

    /// Watches a socket for arrivals, beside the others, until ``unwatch(_:)`` or until it is closed.
    ///
    /// - Throws: what `epoll_ctl` says.
    public func watchAlso(_ descriptor: Int32) throws(SystemError) {
        try SystemError.check(homa_poll_add(pollDescriptor, descriptor), "epoll_ctl", "descriptor \(descriptor)")
    }

    /// Ends what ``watchAlso(_:)`` began.
    public func unwatch(_ descriptor: Int32) { _ = homa_poll_remove(pollDescriptor, descriptor) }

    /// Starts or stops waiting for room in the send buffer of the first socket. Free when nothing changes.
    ///
    /// - Throws: what `epoll_ctl` says, when the socket was closed too early.
    public mutating func setWantsWritable(_ wanted: Bool) throws(SystemError) {
        try waitForRoom(in: wanted ? socketDescriptor : nil)
    }

    /// Waits for room in the send buffer of one of the sockets that are watched, or of none. Free when nothing changes.
    ///
    /// - Throws: what `epoll_ctl` says, when the socket was closed.
    public mutating func waitForRoom(in descriptor: Int32?) throws(SystemError) {
        guard descriptor != filledDescriptor else { return }
        // The one before may have been closed, which ended its watch.
        if let before = filledDescriptor { _ = homa_poll_set_writable(pollDescriptor, before, 0) }
        filledDescriptor = nil
        guard let descriptor else { return }
        let result = homa_poll_set_writable(pollDescriptor, descriptor, 1)
        try SystemError.check(result, "epoll_ctl", "descriptor \(descriptor)")
        filledDescriptor = descriptor
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

/// Ends another thread's wait in a ``Poller`` or a ``PollSet``. Share it freely between threads.
public final class Waker: Sendable {
    /// Readable from a wake until the poller has seen it: for a ``PollSet`` that is to be woken.
    public let eventDescriptor: Int32
    /// Set from the first wake until the poller has seen it, so that a burst costs one system call.
    private let isPending = Atomic(false)

    /// - Throws: what `eventfd` says, `EMFILE` above all.
    public init() throws(SystemError) {
        eventDescriptor = try SystemError.check(homa_event_create(), "eventfd")
    }

    deinit { close(eventDescriptor) }

    /// Makes the current or the next wait return. Never blocks, and may be called from a signal handler.
    ///
    /// What the caller wrote before is visible to the poller's thread after that wait.
    public func wake() {
        guard !isPending.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = write(eventDescriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Takes the wake back. Order matters: a wake after the exchange must leave the event set.
    func drain() {
        var count: UInt64 = 0
        _ = read(eventDescriptor, &count, MemoryLayout<UInt64>.size)
        _ = isPending.exchange(false, ordering: .acquiringAndReleasing)
    }
}

/// Many descriptors that one thread waits for, level-triggered.
public final class PollSet {
    /// What is waited for.
    public struct Interest: OptionSet, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Something can be read, or a connection accepted.
        public static let readable = Interest(rawValue: HOMA_POLL_READABLE)
        /// Something can be written.
        public static let writable = Interest(rawValue: HOMA_POLL_WRITABLE)
        /// Of several sets that wait for the same descriptor, one wakes (`EPOLLEXCLUSIVE`).
        public static let exclusive = Interest(rawValue: HOMA_POLL_EXCLUSIVE)
    }

    private static let capacity = 64
    private let pollDescriptor: Int32
    private let ready = UnsafeMutablePointer<homa_ready>.allocate(capacity: capacity)

    /// - Throws: what `epoll_create` says, `EMFILE` above all.
    public init() throws(SystemError) {
        pollDescriptor = try SystemError.check(homa_poll_open(), "epoll_create1")
    }

    deinit {
        close(pollDescriptor)
        ready.deallocate()
    }

    /// Waits for `descriptor` too, until it is closed.
    ///
    /// - Throws: what `epoll_ctl` says.
    public func add(_ descriptor: Int32, _ interest: Interest) throws(SystemError) {
        let result = homa_poll_watch(pollDescriptor, descriptor, interest.rawValue, 0)
        try SystemError.check(result, "epoll_ctl", "descriptor \(descriptor)")
    }

    /// Waits for something else of a descriptor that is in the set.
    ///
    /// - Throws: what `epoll_ctl` says.
    public func modify(_ descriptor: Int32, _ interest: Interest) throws(SystemError) {
        let result = homa_poll_watch(pollDescriptor, descriptor, interest.rawValue, 1)
        try SystemError.check(result, "epoll_ctl", "descriptor \(descriptor)")
    }

    /// Sleeps `nanoseconds` at most (0 only looks, nil means without end) and calls `body` for what has news.
    ///
    /// An error or a hang-up is ``Poller/Events/error``, whatever was waited for.
    public func wait(nanoseconds: UInt64?, _ body: (_ descriptor: Int32, _ events: Poller.Events) -> Void) {
        let timeout = nanoseconds.map { Int64(clamping: $0) } ?? -1
        let count = Int(homa_poll_wait_all(pollDescriptor, timeout, ready, UInt32(Self.capacity)))
        for index in 0..<max(0, count) {
            body(ready[index].descriptor, Poller.Events(rawValue: ready[index].events))
        }
    }
}
