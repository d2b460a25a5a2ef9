// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import HomaCommand

@Suite("Exit statuses of measurements", .serialized)
struct FailureStatusTests {
    @Test(
        "a server that stands still shows in the percentiles, whatever becomes of the requests",
        arguments: ["homa", "tcp"])
    func stall(carrier: String) throws {
        let server = try HomaServer(carrier)
        // Of 4 s the server stands still for 1 s at least, and half a second more if the load is late in beginning: an
        // eighth of all requests waits for half a second or longer.
        let bench = try HomaProcess([
            "bench", server.address, "--protocol", carrier, "--workload", "100", "--rate", "400", "--for", "4s",
            "--warm-up", "0", "--drain", "10s", "--threshold", "errors>=0", "--threshold", "p87.5>=500ms",
        ])
        try bench.wait { bench.errors.contains("open loop, 400 requests/s") }
        server.process.send(SIGSTOP)
        usleep(1_500_000)
        server.process.send(SIGCONT)
        #expect(bench.finish() == 0, "\(bench.errors)")
    }

    @Test("requests that fail fail the command, unless a threshold permits so many", arguments: ["homa", "tcp"])
    func failures(carrier: String) throws {
        func run(_ thresholds: [String]) throws -> (status: Int32, errors: String) {
            let server = try HomaServer(carrier)
            let bench = try HomaProcess(
                [
                    "bench", server.address, "--protocol", carrier, "--workload", "100", "--rate", "200", "--for", "1s",
                    "--warm-up", "0", "--drain", "100ms",
                ] + thresholds.flatMap { ["--threshold", $0] })
            try bench.wait { bench.errors.contains("open loop") }
            usleep(500_000)
            server.process.send(SIGKILL)
            return (bench.finish(), bench.errors)
        }
        let plain = try run([])
        #expect(plain.status == 1 && plain.errors.contains("failed or were left unfinished"), "\(plain.errors)")
        #expect(try run(["errors<1000"]).status == 0)
        let few = try run(["errors<2"])
        #expect(few.status == 1 && few.errors.contains("threshold errors<2: MISSED, errors = "), "\(few.errors)")
        let late = try run(["errors<1000", "p99.9<100s"])
        #expect(late.status == 1 && late.errors.contains("p99.9 is at least"), "\(late.errors)")
    }

    @Test("more than can be sent is left unfinished, and no success")
    func overload() throws {
        let server = try HomaServer("tcp")
        let bench = try HomaProcess([
            "bench", server.address, "--protocol", "tcp", "--workload", "100", "--rate", "2000000", "--for", "100ms",
            "--warm-up", "0", "--drain", "0", "--cap", "10",
        ])
        #expect([1, 2].contains(bench.finish()), "\(bench.errors)")
        #expect(!bench.output.contains(" 0 unfinished") && bench.output.contains("≥"), "\(bench.output)")
    }

    @Test("a server that is not there is a measurement that could not be made", arguments: ["homa", "tcp", "udp"])
    func nobody(carrier: String) throws {
        let ping = try HomaProcess(["ping", "127.0.0.1:9", "--protocol", carrier, "--for", "100ms", "--warm-up", "0"])
        #expect(ping.finish() == 2, "\(ping.errors)")
    }
}
