// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaPosix
import Synchronization
import Testing

/// A UDP socket on 127.0.0.1 that can send to itself.
private final class Datagrams {
    let file: Int32
    let address: PeerAddress

    init() throws {
        file = try Sockets.datagram(boundTo: PeerAddress(ipv4: 0x7F00_0001, port: 0))
        address = try PeerAddress.bound(to: file)
    }

    deinit { close(file) }

    func send(_ count: Int, to peer: PeerAddress) -> Int {
        let bytes = [UInt8](repeating: 7, count: count)
        return peer.withSocketAddress { name in
            sendto(file, bytes, count, 0, name.baseAddress?.assumingMemoryBound(to: sockaddr.self), UInt32(name.count))
        }
    }

    func receive() -> Int {
        var bytes = [UInt8](repeating: 0, count: 2048)
        return recv(file, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    }
}

private final class Counter: Sendable {
    let value = Atomic(0)
}

@Suite("Poller")
struct PollerTests {
    @Test("a wait without news ends at its deadline")
    func timesOut() throws {
        let socket = try Datagrams()
        let poller = try Poller(socketDescriptor: socket.file)
        let clock = MonotonicClock()
        let deadline = clock.now().advanced(byNanoseconds: 3_000_000)
        #expect(try poller.wait(until: deadline, clock: clock) == [])
        #expect(clock.now() >= deadline)
        #expect(try poller.wait(nanoseconds: 0) == [])
    }

    @Test("another thread's wake ends the wait, and a burst of wakes counts as one")
    func wakes() throws {
        let socket = try Datagrams()
        let poller = try Poller(socketDescriptor: socket.file)
        let waker = poller.waker
        let thread = try BackgroundThread {
            usleep(5000)
            for _ in 0..<3 { waker.wake() }
        }
        #expect(try poller.wait(nanoseconds: 10_000_000_000) == .woken)
        thread.join()
        _ = try poller.wait(nanoseconds: 0)
        #expect(try poller.wait(nanoseconds: 0) == [])
        poller.wake()
        #expect(try poller.wait(until: nil) == .woken)
    }

    @Test("no wake is lost between two threads")
    func noLostWakes() throws {
        let socket = try Datagrams()
        let poller = try Poller(socketDescriptor: socket.file)
        let waker = poller.waker
        let counter = Counter()
        let thread = try BackgroundThread {
            for _ in 0..<2000 {
                counter.value.add(1, ordering: .relaxed)
                waker.wake()
                usleep(1)
            }
        }
        var waits = 0
        while counter.value.load(ordering: .relaxed) < 2000 {
            // A lost wake would end this wait by its time, with work left undone.
            #expect(try poller.wait(nanoseconds: 5_000_000_000) == .woken)
            waits += 1
        }
        thread.join()
        #expect(waits > 0)
    }

    @Test("datagrams and room in the send buffer end the wait")
    func readiness() throws {
        let socket = try Datagrams()
        var poller = try Poller(socketDescriptor: socket.file)
        #expect(socket.send(3, to: socket.address) == 3)
        #expect(try poller.wait(nanoseconds: 1_000_000_000) == .readable)
        #expect(socket.receive() == 3)
        try poller.setWantsWritable(true)
        #expect(try poller.wait(nanoseconds: 1_000_000_000) == .writable)
        try poller.setWantsWritable(false)
        #expect(try poller.wait(nanoseconds: 0) == [])
    }
}

@Suite("Poll set")
struct PollSetTests {
    private func news(_ set: PollSet, _ nanoseconds: UInt64? = 0) -> [Int32: Poller.Events] {
        var news: [Int32: Poller.Events] = [:]
        set.wait(nanoseconds: nanoseconds) { news[$0] = $1 }
        return news
    }

    @Test("each descriptor is told with its own news, and only with what was asked of it")
    func several() throws {
        let (first, second) = (try Datagrams(), try Datagrams())
        let set = try PollSet()
        try set.add(first.file, .readable)
        try set.add(second.file, [.readable, .writable])
        #expect(news(set) == [second.file: .writable])
        #expect(second.send(5, to: first.address) == 5)
        #expect(news(set, 1_000_000_000) == [first.file: .readable, second.file: .writable])
        try set.modify(second.file, .readable)
        #expect(first.receive() == 5)
        #expect(news(set) == [:])
    }

    @Test("a wait without news ends after its time, and a waker ends one without end")
    func ends() throws {
        let set = try PollSet()
        let waker = try Waker()
        try set.add(waker.eventDescriptor, .readable)
        let start = MonotonicClock.nanoseconds()
        #expect(news(set, 3_000_000) == [:])
        #expect(MonotonicClock.nanoseconds() - start >= 3_000_000)
        let thread = try BackgroundThread {
            usleep(2000)
            waker.wake()
        }
        #expect(news(set, nil) == [waker.eventDescriptor: .readable])
        thread.join()
        // Nobody has taken the wake back: whoever asks next is told as well.
        #expect(news(set, nil) == [waker.eventDescriptor: .readable])
    }

    @Test("a connection that ended is an error or the end of its bytes, and a closed descriptor cannot be added")
    func connections() throws {
        let listener = try Sockets.listen(on: PeerAddress(ipv4: 0x7F00_0001, port: 0), options: TCPOptions())
        defer { close(listener) }
        let address = try PeerAddress.bound(to: listener)
        let client = try Sockets.connect(to: address, options: TCPOptions())
        let set = try PollSet()
        try set.add(listener, .readable)
        #expect(news(set, 1_000_000_000) == [listener: .readable])
        let server = try #require(Sockets.accept(listener, options: TCPOptions()))
        try set.add(server, .readable)
        #expect(news(set) == [:])
        close(client)
        #expect(news(set, 1_000_000_000)[server]?.contains(.readable) == true)
        close(server)
        #expect { try set.add(server, .readable) } throws: { ($0 as? SystemError)?.code == EBADF }
        #expect(Sockets.accept(listener, options: TCPOptions()) == nil)
    }

    @Test("a refused connection names the address")
    func refused() throws {
        let closed = try Datagrams().address
        #expect { try Sockets.connect(to: closed, options: TCPOptions()) } throws: {
            $0 as? SystemError == SystemError(call: "connect", code: ECONNREFUSED, context: "\(closed)")
        }
    }
}
