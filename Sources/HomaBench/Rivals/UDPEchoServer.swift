// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import Glibc
public import HomaPosix

/// Sends every datagram back where it came from, spinning on one thread: the other end of `UDPPingPong`.
public final class UDPEchoServer: Sendable {
    /// The address it is bound to.
    public let address: PeerAddress
    private let thread: BackgroundThread
    private let stopping: StopFlag

    /// Starts to serve on `address`; port 0 lets the kernel choose.
    public init(on address: PeerAddress) throws(SystemError) {
        let file = try Sockets.datagram(boundTo: address)
        let stopping = StopFlag()
        do throws(SystemError) {
            self.address = try PeerAddress.bound(to: file)
            thread = try BackgroundThread { echoDatagrams(file, until: stopping) }
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

/// Echoes until told to stop, then closes the socket.
private func echoDatagrams(_ file: Int32, until stopping: StopFlag) {
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: 65_536, alignment: 64)
    defer {
        buffer.deallocate()
        close(file)
    }
    var sender = sockaddr_storage()
    while !stopping.isRaised {
        withUnsafeMutablePointer(to: &sender) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
                let count = recvfrom(file, buffer, 65_536, Int32(MSG_DONTWAIT), address, &length)
                if count >= 0 { _ = sendto(file, buffer, count, 0, address, length) }
            }
        }
    }
}
