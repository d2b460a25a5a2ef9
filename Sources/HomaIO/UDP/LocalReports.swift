// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// Packets that this host itself refused to send. The kernel's own report comes for few of them, and does not always
/// name the port.
///
/// The oldest few wait to be asked for; more are only counted, since others are refused as long as the reason lasts.
struct LocalReports {
    static let capacity = 8
    private var records: InlineArray<8, homa_socket_error> = .init(repeating: homa_socket_error())
    private var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func add(_ code: Int32, peer: PeerAddress, header: UnsafeRawBufferPointer) {
        guard count < Self.capacity else { return }
        var record = homa_socket_error()
        record.peer = peer.shimAddress
        record.code = UInt32(code)
        record.origin = UInt8(errorOriginLocal)
        record.payload_count = UInt8(min(header.count, DriverError.maximumPayloadBytes))
        withUnsafeMutableBytes(of: &record.payload) {
            $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: header[0..<Int(record.payload_count)]))
        }
        records[count] = record
        count += 1
    }

    mutating func removeFirst() -> homa_socket_error? {
        guard count > 0 else { return nil }
        let first = records[0]
        for i in 1..<count { records[i - 1] = records[i] }
        count -= 1
        return first
    }
}
