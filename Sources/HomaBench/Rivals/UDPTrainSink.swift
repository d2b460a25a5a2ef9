// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import Glibc
public import HomaPosix

/// Takes the trains of a `UDPTrainSource`, spinning on one thread.
public final class UDPTrainSink: Sendable {
    /// The address it is bound to.
    public let address: PeerAddress
    private let thread: BackgroundThread
    private let stopping: StopFlag

    /// Starts to receive on `address`; port 0 lets the kernel choose.
    public init(on address: PeerAddress) throws(SystemError) {
        let file = try Sockets.datagram(boundTo: address)
        let stopping = StopFlag()
        do throws(SystemError) {
            try Sockets.set(file, UDPTrains.protocolLevel, UDPTrains.joinOption, 1)
            Sockets.growBuffers(file, UDPTrains.socketBuffer)
            self.address = try PeerAddress.bound(to: file)
            thread = try BackgroundThread { TrainReceiver(file: file).run(until: stopping) }
        } catch {
            close(file)
            throw error
        }
        self.stopping = stopping
    }

    /// Stops and returns when the thread has ended. Call exactly once.
    public func stop() {
        stopping.raise()
        thread.join()
    }
}

/// The receiving thread's state. One source at a time: a new address begins a new count.
private final class TrainReceiver {
    private let file: Int32
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: UDPTrains.memoryBytes, alignment: 4096)
    private var position = 0
    private var source = sockaddr_storage()
    private var sourceLength = socklen_t(0)
    private var total: UInt64 = 0
    private var answered: UInt64 = 0

    init(file: Int32) { self.file = file }

    deinit {
        memory.deallocate()
        close(file)
    }

    func run(until stopping: StopFlag) {
        while !stopping.isRaised {
            var address = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let count = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(file, memory + position, UDPTrains.slot, Int32(MSG_DONTWAIT), $0, &length)
                }
            }
            if count > 0 { take(count, from: &address, length) }
        }
    }

    private func take(_ count: Int, from address: inout sockaddr_storage, _ length: socklen_t) {
        if length != sourceLength || memcmp(&address, &source, Int(length)) != 0 {
            source = address
            sourceLength = length
            (total, answered) = (0, 0)
        }
        total += UInt64(count)
        position = (position + UDPTrains.slot) % UDPTrains.memoryBytes
        if total - answered >= UInt64(UDPTrains.answerInterval) { answer() }
    }

    private func answer() {
        answered = total
        var word = total
        withUnsafeMutablePointer(to: &source) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(file, &word, 8, 0, $0, sourceLength)
            }
        }
    }
}
