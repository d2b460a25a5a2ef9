// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An epoll set, level-triggered. Used by one thread.
final class Epoll {
    /// What is waited for and what has happened: the bits of `epoll_event.events`.
    struct Interest: OptionSet {
        let rawValue: UInt32
        static let read = Interest(rawValue: 0x001)
        static let write = Interest(rawValue: 0x004)
        /// Wake one of several sets that wait for the same file (`EPOLLEXCLUSIVE`).
        static let exclusive = Interest(rawValue: 1 << 28)
    }

    /// Size of `struct epoll_event` and place of its data: packed on x86-64 only.
    #if arch(x86_64)
        private static let eventSize = 12
        private static let dataOffset = 4
    #else
        private static let eventSize = 16
        private static let dataOffset = 8
    #endif
    private static let capacity = 256

    private let file: Int32
    private let events: UnsafeMutableRawPointer

    init() throws(SocketError) {
        let cloexec = Int32(O_CLOEXEC)  // EPOLL_CLOEXEC has the same value by definition
        let created = linuxEpollCreate(cloexec)
        guard created >= 0 else { throw .last("epoll_create1") }
        file = created
        events = .allocate(byteCount: Self.eventSize * Self.capacity, alignment: 8)
    }

    deinit {
        close(file)
        events.deallocate()
    }

    func add(_ target: Int32, _ interest: Interest) throws(SocketError) {
        try control(1, target, interest)  // EPOLL_CTL_ADD
    }

    func modify(_ target: Int32, _ interest: Interest) throws(SocketError) {
        try control(3, target, interest)  // EPOLL_CTL_MOD
    }

    private func control(_ operation: Int32, _ target: Int32, _ interest: Interest) throws(SocketError) {
        var event: (UInt64, UInt64) = (0, 0)
        let result = withUnsafeMutableBytes(of: &event) { bytes in
            bytes.storeBytes(of: interest.rawValue, as: UInt32.self)
            bytes.storeBytes(of: target, toByteOffset: Self.dataOffset, as: Int32.self)
            return linuxEpollControl(file, operation, target, bytes.baseAddress)
        }
        _ = try checked(result, "epoll_ctl")
    }

    /// Waits until something happens or `timeout` nanoseconds have passed (nil: for ever; 0: not at all).
    ///
    /// A timeout is kept to about 50 µs (the kernel's timer slack), not rounded to `epoll_wait`'s milliseconds.
    func wait(timeout: UInt64?, _ body: (_ file: Int32, _ ready: Interest) -> Void) {
        if let timeout, timeout > 0 { sleep(nanoseconds: timeout) }
        let count = linuxEpollWait(file, events, Int32(Self.capacity), timeout == nil ? -1 : 0)
        for index in 0..<max(0, Int(count)) {
            let event = events + index * Self.eventSize
            let ready = Interest(rawValue: event.loadUnaligned(as: UInt32.self))
            body(event.loadUnaligned(fromByteOffset: Self.dataOffset, as: Int32.self), ready)
        }
    }

    private func sleep(nanoseconds: UInt64) {
        var set = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        _ = linuxPoll(&set, 1, &time, nil)
    }
}

/// Wakes a thread out of an epoll set. Level-triggered: once woken, it stays awake.
final class WakeUp: Sendable {
    let file: Int32

    init() throws(SocketError) {
        let created = linuxEventFile(0, Int32(O_NONBLOCK) | Int32(O_CLOEXEC))
        guard created >= 0 else { throw .last("eventfd") }
        file = created
    }

    deinit { close(file) }

    func wake() {
        var one: UInt64 = 1
        _ = write(file, &one, 8)
    }
}
