// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaPosix

/// One serving thread's event loop and its connections.
final class TCPServerLoop: @unchecked Sendable {  // made on one thread, then used by its own thread only
    /// Up to this many connections are polled by reading them; with more, epoll finds the ready ones faster.
    private static let directLimit = 4
    /// A thread that polls its connections directly looks into the epoll set once in so many turns: for new
    /// connections, sockets that can be written again, and the end.
    private static let directTurns = 64

    private struct Entry {
        var connection: TCPServerConnection
        var interest: PollSet.Interest
    }

    private let epoll: PollSet
    private let listeners: [Int32]
    private let stop: Int32
    private let options: TCPEchoServer.Options
    private var entries: [Int32: Entry] = [:]
    private var stopped = false

    init(listeners: [Int32], stop: Int32, options: TCPEchoServer.Options) throws(SystemError) {
        epoll = try PollSet()
        self.listeners = listeners
        self.stop = stop
        self.options = options
        for listener in listeners {
            try epoll.add(listener, options.threads > 1 ? [.readable, .exclusive] : .readable)
        }
        try epoll.add(stop, .readable)
    }

    /// Serves until told to stop.
    func run() {
        var turn = 0
        while !stopped {
            turn += 1
            if options.spin, !entries.isEmpty, entries.count <= Self.directLimit, turn % Self.directTurns != 0 {
                receiveFromAll()
            } else {
                epoll.wait(nanoseconds: options.spin ? 0 : nil, handle)
            }
        }
        entries = [:]
    }

    /// Tries every connection without asking epoll first.
    private func receiveFromAll() {
        for (file, entry) in entries { update(file, entry.connection.receive()) }
    }

    private func handle(file: Int32, ready: Poller.Events) {
        if file == stop {
            stopped = true
        } else if listeners.contains(file) {
            acceptAll(file)
        } else if let entry = entries[file] {
            if ready.contains(.writable) { update(file, entry.connection.send()) }
            // Errors and hang-ups come without the read bit; reading finds out.
            if ready != .writable, entries[file] != nil { update(file, entry.connection.receive()) }
        }
    }

    private func acceptAll(_ listener: Int32) {
        while let file = Sockets.accept(listener, options: options.sockets) {
            let connection = TCPServerConnection(
                file: file, maximumLength: options.maximumMessageLength, writesEach: options.writesEach)
            guard (try? epoll.add(file, .readable)) != nil else { continue }
            entries[file] = Entry(connection: connection, interest: .readable)
        }
    }

    private func update(_ file: Int32, _ state: TCPServerConnection.State) {
        switch state {
        case .closed:
            entries[file] = nil  // the last reference: closes the socket, which leaves the epoll set
        case .open(let wantsRead, let wantsWrite):
            var interest: PollSet.Interest = []
            if wantsRead { interest.insert(.readable) }
            if wantsWrite { interest.insert(.writable) }
            guard let entry = entries[file], entry.interest != interest else { return }
            entries[file]?.interest = interest
            if (try? epoll.modify(file, interest)) == nil { entries[file] = nil }
        }
    }
}
