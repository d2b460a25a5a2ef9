// SPDX-License-Identifier: Apache-2.0

import Glibc
import Homa
import HomaBase
import Testing

/// Everything here runs one after the other: nodes are threads, some spin, and times are checked.
@Suite("Loopback", .serialized) struct LoopbackTests {}

/// A configuration for tests: one loopback address, a free UDP port.
func loopback(_ address: String = "127.0.0.1") -> HomaConfiguration {
    var configuration = HomaConfiguration()
    configuration.bindAddress = address
    return configuration
}

extension HomaNode {
    /// Calls and returns the response's bytes.
    func ask(_ server: HomaAddress, _ bytes: [UInt8]) async throws -> [UInt8] {
        try await call(server, sending: bytes).copyBytes()
    }

    /// The same with the server's address as text.
    func ask(_ server: String, _ bytes: [UInt8]) async throws -> [UInt8] {
        try await call(server, sending: bytes).copyBytes()
    }

    /// The address of this node's Homa port.
    func address(port: UInt16) -> HomaAddress { HomaAddress(node: localAddress, port: port) }
}

/// Bytes that show when they are out of place.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
    let period = periods[seed & 255]
    return [UInt8](unsafeUninitializedCapacity: count) { bytes, length in
        while length < count {
            let part = min(period.count, count - length)
            _ = period.withUnsafeBytes { memcpy(bytes.baseAddress! + length, $0.baseAddress!, part) }
            length += part
        }
    }
}

/// The pattern of each seed, which comes again after 64 KB: made once, for it takes long without optimisation.
private let periods: [[UInt8]] = (0..<256).map { seed in
    var bytes = [UInt8](repeating: 0, count: 65_536)
    var index = 0
    while index < bytes.count {
        bytes[index] = UInt8(truncatingIfNeeded: (index &* 31) ^ (index >> 8) ^ seed)
        index &+= 1
    }
    return bytes
}

/// Runs `body` with a node whose port 100 answers every request with itself.
func withEcho<Result>(
    _ configuration: HomaConfiguration = loopback(), _ body: (HomaNode, HomaAddress) async throws -> Result
) async throws -> Result {
    try await withHomaNode(configuration) { node in
        let socket = try node.openSocket(port: 100)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await socket.serveInline { try? $0.respondWithRequest() } }
            let result = try await body(node, node.address(port: 100))
            socket.close()
            return result
        }
    }
}

/// The code of the error that `body` throws, nil when it throws none.
func code(of body: () async throws -> Void) async -> HomaError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? HomaError)?.code
    }
}
