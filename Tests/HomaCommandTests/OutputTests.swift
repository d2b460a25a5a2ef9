// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import HomaCommand

@Suite("What becomes of results", .serialized)
struct OutputTests {
    private static let small =
        #"{"topology": {"hosts": 2}, "traffic": {"workload": "w1", "load": 0.5}, "length": {"messages": 20}}"#

    @Test(
        "a result that cannot be written is an error: one line, and exit status 2",
        arguments: [
            ["--help"], ["--version"], ["bench", "--help"], ["workload", "list"], ["workload", "show", "w3"],
            ["workload", "show", "w3", "--json"], ["experiment", "list"], ["experiment", "list", "--json"],
            ["sim", "presets"], ["sim", "presets", "quick"], ["sim", "chips"], ["sim", "chips", "--json"],
            ["sim", "run", small], ["sim", "run", small, "--json"],
            ["sim", "sweep", small, "--vary", "seed=1", "--out", "x"],
            ["sim", "sweep", small, "--vary", "seed=1", "--out", "x", "--json"], ["serve", "0", "--for", "10s"],
            ["serve", "0", "--for", "10s", "--protocol", "tcp"], ["suite-part", "core", "--count", "1000"],
        ])
    func fullDisk(arguments: [String]) throws {
        let process = try HomaProcess(arguments, output: "/dev/full")
        #expect(process.finish() == 2, "\(process.errors)")
        let complaints = process.errors.split(separator: "\n").filter { $0.contains("cannot write to standard output") }
        #expect(complaints.count == 1, "\(process.errors)")
    }

    @Test("measurements that nobody gets to see are errors as well", arguments: ["homa", "tcp", "udp"])
    func measurements(carrier: String) throws {
        let server = try HomaServer(carrier)
        for arguments in [["ping"], ["ping", "--json"], ["bench"], ["bench", "--json"]] {
            guard carrier != "udp" || arguments[0] == "ping" else { continue }
            let measured = [server.address, "--protocol", carrier, "--for", "50ms", "--warm-up", "0"]
            let process = try HomaProcess([arguments[0]] + measured + arguments.dropFirst(), output: "/dev/full")
            #expect(process.finish() == 2, "\(arguments) \(process.errors)")
            #expect(process.errors.contains("cannot write to standard output: No space left on device"))
        }
    }

    @Test("a reader that has gone away gets no complaint")
    func brokenPipe() throws {
        let shell = Process()
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let homa = tests.deletingLastPathComponent().appendingPathComponent("homa").path
        let errors = Pipe()
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = [
            "-c",
            "trap '' PIPE; for i in 1 2 3; do '\(homa)' experiment list; done | head -n 1 >/dev/null; "
                + "echo ${PIPESTATUS[1]}",
        ]
        shell.standardError = errors
        shell.standardOutput = FileHandle.nullDevice
        try shell.run()
        let said = try errors.fileHandleForReading.readToEnd() ?? Data()
        shell.waitUntilExit()
        #expect(String(decoding: said, as: UTF8.self) == "")
    }

    @Test("with standard output closed a result is lost, and says so, whatever has got its number")
    func closed() throws {
        let shell = Process()
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let homa = tests.deletingLastPathComponent().appendingPathComponent("homa").path
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = ["-c", "'\(homa)' workload list >&- 2>/dev/null"]
        try shell.run()
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 2)
    }

    @Test("a folder that is not there is told by name, and none is made in its place")
    func folders() throws {
        for arguments in [
            ["experiment", "run", "shard-approximation", "--quick", "--store", "nowhere/store"],
            ["experiment", "report", "--store", "nowhere"], ["sim", "merge", "x", "--out", "nowhere/merged"],
            ["sim", "sweep", Self.small, "--vary", "seed=1", "--out", "nowhere/sweep.jsonl"],
        ] {
            let process = try HomaProcess(arguments)
            #expect(process.finish() == 2, "\(arguments)")
            let isNamed = process.errors.contains("nowhere") || arguments[1] == "merge"
            #expect(isNamed, "\(process.errors)")
            #expect(!FileManager.default.fileExists(atPath: process.folder.appending(path: "nowhere").path))
        }
    }

    @Test("the version is told, and records have it")
    func version() throws {
        let process = try HomaProcess(["--version"])
        #expect(process.finish() == 0 && process.output == "homa 0.1.0\n")
        let server = try HomaServer("udp")
        let ping = try HomaProcess(
            [server.address].reduce(["ping"]) { $0 + [$1] } + ["--protocol", "udp", "--for", "50ms", "--json"])
        #expect(ping.finish() == 0 && ping.output.contains("\"version\":\"0.1.0\""))
    }
}
