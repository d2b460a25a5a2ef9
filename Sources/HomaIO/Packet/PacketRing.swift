// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import HomaBase
internal import HomaPosix

/// Memory shared with the kernel and the socket it belongs to; both go with the value.
struct PacketRing: ~Copyable {
    private var ring: homa_ring
    let base: UnsafeMutableRawPointer
    let frameBytes: Int
    let frameCount: Int

    init(_ ring: homa_ring) {
        self.ring = ring
        base = ring.base
        frameBytes = Int(ring.frame_bytes)
        frameCount = Int(ring.frame_count)
    }

    deinit {
        var ring = ring
        homa_ring_close(&ring)
    }

    var descriptor: Int32 { ring.fd }

    @inline(__always)
    func frame(_ index: Int) -> UnsafeMutableRawPointer { base + index * frameBytes }

    @inline(__always)
    func next(_ index: Int) -> Int { index + 1 == frameCount ? 0 : index + 1 }
}

extension SystemError {
    /// Says what is missing when a packet socket is refused.
    static func checkPacketSocket(_ result: Int32, _ what: String) throws(SystemError) {
        try check(result, "socket", what + "; packet sockets need CAP_NET_RAW and kernel 5.0")
    }
}
