// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaPosix

/// The rings of a ``PacketRingDriver``. Their memory is the kernel's and is taken when the driver is made.
public struct PacketRingOptions: Sendable {
    /// Bytes of each frame, a power of two, 2048 … 65 536; default 4096. Packets and trains that are longer with
    /// their headers cost a system call each, so jumbo frames want 16 384.
    public var frameBytes = 4096
    /// Frames for arrivals of each family, a power of two, 64 … 65 536; default 2048: 8 MB. What comes when all are
    /// full is lost.
    public var receiveFrames = 2048
    /// Frames for packets that leave, a power of two, 64 … 65 536; default 512: 2 MB.
    public var sendFrames = 512

    public init() {}

    func validate() throws(SystemError) {
        try Self.check(frameBytes, in: 2048...65_536, "frameBytes")
        try Self.check(receiveFrames, in: 64...65_536, "receiveFrames")
        try Self.check(sendFrames, in: 64...65_536, "sendFrames")
    }

    private static func check(_ value: Int, in range: ClosedRange<Int>, _ name: String) throws(SystemError) {
        guard !range.contains(value) || value & (value - 1) != 0 else { return }
        throw SystemError(
            call: "PacketRingOptions", code: EINVAL,
            context: "\(name) is \(value), not a power of two from \(range.lowerBound) to \(range.upperBound)")
    }
}
