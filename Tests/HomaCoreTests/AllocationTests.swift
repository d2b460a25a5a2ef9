// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

#if canImport(Glibc)
    import Glibc

    /// The count is the whole process's, and other tests run at the same time; so this one runs alone, on request:
    /// `HOMA_ALLOCATION_TESTS=1 swift test --filter AllocationTests`.
    @Suite("Memory in steady state", .enabled(if: getenv("HOMA_ALLOCATION_TESTS") != nil, "runs alone, on request"))
    struct AllocationTests {
        /// Bytes of memory that the process occupies.
        static func residentBytes() -> Int {
            guard let file = fopen("/proc/self/statm", "r") else { return 0 }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 256)
            guard fgets(&line, 256, file) != nil else { return 0 }
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * Int(getpagesize())
        }

        /// Hands every packet of one host to the other until both are silent; returns how many there were.
        static func ferry(_ one: LoneHost, _ other: LoneHost, _ lengths: Range<Int>, _ random: inout SeededRandom)
            -> Int
        {
            var packets = 0
            var moved = true
            while moved {
                moved = false
                while let packet = one.endpoint.nextPacket(at: one.now) {
                    _ = other.endpoint.receive(packet.header, from: LoneHost.client, at: one.now)
                    moved = true
                    packets += 1
                }
                while let packet = other.endpoint.nextPacket(at: one.now) {
                    _ = one.endpoint.receive(packet.header, from: LoneHost.server, at: one.now)
                    moved = true
                    packets += 1
                }
                while let event = other.endpoint.nextEvent() {
                    moved = true
                    guard case .requestArrived(let request) = event else { continue }
                    _ = try! other.pool.release(request.lease)
                    let length = Int.random(in: lengths, using: &random)
                    _ = try! other.endpoint.respond(to: request.rpc, length: length, payload: 1, at: one.now)
                }
                while let event = one.endpoint.nextEvent() {
                    moved = true
                    guard case .responseArrived(_, _, let lease, _, _) = event else { continue }
                    _ = try! one.pool.release(lease)
                }
            }
            return packets
        }

        /// Method: calls of random lengths, several at once; the resident memory after a warm-up and at the
        /// end. The smallest allocation takes 32 bytes, so one kept per packet would show. (One that is freed again
        /// would not; a profiler finds those.)
        @Test("an echo workload keeps no memory per packet")
        func echo() throws {
            let one = try LoneHost()
            let other = try LoneHost()
            var random = SeededRandom(seed: 4)
            var packets = 0
            func run(_ rounds: Int) throws {
                for _ in 0..<rounds {
                    one.now = one.now.advanced(byNanoseconds: 1_000_000)
                    for _ in 0..<8 {
                        _ = try one.endpoint.call(
                            CallRequest(
                                destination: LoneHost.server, serverPort: 99, clientPort: 0x8000,
                                length: .random(in: 1...100_000, using: &random), payload: 1, cookie: 1), at: one.now)
                    }
                    packets += Self.ferry(one, other, 1..<100_000, &random)
                    one.endpoint.expireTimers(at: one.now)
                    other.endpoint.expireTimers(at: one.now)
                }
            }
            try run(200)
            packets = 0
            let before = Self.residentBytes()
            try run(500)
            let grown = Self.residentBytes() - before
            #expect(packets > 100_000)
            #expect(before > 0)
            #expect(grown < 2 * packets, "\(grown) bytes for \(packets) packets")
        }
    }
#endif
