// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios
import HomaSim
import Testing

/// The command as users have it: a process that can be interrupted and killed.
@Suite("homa sim as a process", .serialized)
struct CommandTests {
    private static let scenario =
        #"{"topology": {"hosts": 4}, "traffic": {"workload": "w1", "load": 0.5}, "length": {"messages": 100}}"#
    private static let sweep = ["sim", "sweep", scenario, "--vary", "seed=1..16", "--jobs", "2", "--out"]

    @Test("a sweep that is killed and interrupted resumes, and ends like one that was left alone")
    func interruptions() throws {
        let scratch = try Scratch()
        let whole = try HomaProcess(Self.sweep + [scratch.file("whole")])
        #expect(whole.finish() == 0)

        let path = scratch.file("torn")
        let killed = try HomaProcess(Self.sweep + [path])
        try killed.end(with: SIGKILL, when: { scratch.lines("torn") >= 3 })
        #expect(killed.finish() == SIGKILL)
        let afterKill = scratch.lines("torn")
        #expect((3..<16).contains(afterKill))

        let interrupted = try HomaProcess(Self.sweep + [path])
        try interrupted.end(with: SIGINT, when: { scratch.lines("torn") >= afterKill + 3 })
        #expect(interrupted.finish() == 2)
        #expect(interrupted.errors.contains("\(afterKill) were finished"))
        #expect(interrupted.errors.contains("this runs them:\nhoma sim sweep"))
        let afterInterrupt = scratch.lines("torn")
        #expect((afterKill + 3..<16).contains(afterInterrupt))

        let last = try HomaProcess(Self.sweep + [path])
        #expect(last.finish() == 0)
        #expect(last.errors.contains("\(afterInterrupt) were finished, \(16 - afterInterrupt) are now"))
        #expect(try scratch.text("torn") == scratch.text("whole"))
    }

    @Test("a process that crashes says how to repeat what it was simulating")
    func crash() throws {
        let long = try HomaProcess(["sim", "run", Self.scenario, "--messages", "100000000", "--progress"])
        try long.end(with: SIGILL, when: { long.errors.contains("packet-hops/s") })
        #expect(long.finish() == SIGILL)
        let command = try #require(long.errors.split(separator: "\n").last { $0.hasPrefix("homa sim run '{") })
        let json = command.dropFirst("homa sim run '".count).dropLast()
        #expect(try Scenario(parsing: String(json)).length.messages == 100_000_000)
    }

    @Test("shares of a job array, merged, are what one process writes")
    func shares() throws {
        let scratch = try Scratch()
        let arguments = ["sim", "sweep", Self.scenario, "--vary", "seed=1..5", "--out", scratch.file("s.jsonl")]
        for index in 0..<3 {
            let environment = ["JOB_COMPLETION_INDEX": "\(index)", "HOMA_SHARE_COUNT": "3"]
            #expect(try HomaProcess(arguments, environment: environment).finish() == 0)
        }
        let parts = try scratch.names
        #expect(parts == ["s.share-1-of-3.jsonl", "s.share-2-of-3.jsonl", "s.share-3-of-3.jsonl"])
        let merge = try HomaProcess(["sim", "merge"] + parts.map(scratch.file) + ["--out", scratch.file("merged")])
        #expect(merge.finish() == 0)
        #expect(try HomaProcess(arguments).finish() == 0)
        #expect(try scratch.text("merged") == scratch.text("s.jsonl"))
        let short = try HomaProcess(["sim", "merge", scratch.file(parts[0])])
        #expect(short.finish() == 2 && short.errors.contains("3 of 5 points are missing: 1, 2, 4"))
    }

    @Test("the same seed gives the same bytes, another seed others, and the replay of a result is that result")
    func determinism() throws {
        func output(_ arguments: String...) throws -> String {
            let process = try HomaProcess(["sim", "run", "--deterministic", "--json"] + arguments)
            #expect(process.finish() == 0, "\(process.errors)")
            return process.output
        }
        let first = try output(Self.scenario)
        #expect(try output(Self.scenario) == first)
        #expect(try output(Self.scenario, Self.scenario, "--jobs", "2") == first + first)
        #expect(try output(Self.scenario, "--seed", "2") != first)
        let result = try JSONValue(parsing: first)
        let replay = try #require(result["scenario"]).description
        #expect(try output(replay) == first)
        for key in ["packet_hops_per_cpu_second", "max_rss_bytes", "machine", "build"] { #expect(result[key] == nil) }
    }

    @Test("a result has the figures that are asked for first, and those of the machine")
    func figures() throws {
        let process = try HomaProcess(["sim", "run", Self.scenario, "--json"])
        #expect(process.finish() == 0)
        let lines = process.output.split(separator: "\n")
        #expect(lines.count == 1)
        let result = try JSONValue(parsing: lines[0])
        for key in [
            "slowdown_mean", "slowdown_median", "messages", "host_downlink_queue_max_bytes", "switch_buffer_max_bytes",
            "switch_buffer_max_us", "drops", "packet_hops", "packet_hops_per_cpu_second", "simulated_seconds",
            "max_rss_bytes", "seed",
        ] {
            #expect(result[key]?.number != nil, "\(key)")
        }
        #expect(
            result["slowdown_p99_by_size_percentile"]?.members?.map(\.key) == ["10", "50", "90", "99", "100"])
        #expect(result["messages"]?.integer == 100)
        #expect(result["machine"]?["packet_hops_per_cpu_second"] == result["packet_hops_per_cpu_second"])
        #expect(result["build"]?.text == "debug" && process.errors.contains("DEBUG BUILD"))
    }

    @Test(
        "exit statuses tell what happened",
        arguments: [
            (["run", scenario, "--threshold", "slowdown_mean<1000"], 0, "met"),
            (["run", scenario, "--threshold", "slowdown_mean<1"], 1, "MISSED"),
            (["run", scenario, "--threshold", "slowdown_men<1"], 64, "did you mean slowdown_mean?"),
            (["run", scenario, "--load", "1.5"], 2, "traffic.load is 1.5"),
            (["run", scenario, "--set", "load"], 64, "no '='"), (["run", "/no/such/file.json"], 64, "built-in"),
            (["run", "qick"], 64, "did you mean quick?"), (["run", "{"], 2, "no JSON"),
            (["run", "--jobs", "0"], 64, "1024"),
            (["sweep", scenario, "--vary", "seed=1", "--out", "/no/such/folder/file"], 2, "cannot open"),
            (["sweep", scenario, "--vary", "seed=", "--out", "x"], 64, "empty value"),
            (["presets", "tomahawk3"], 0, ""), (["presets", "tomahawk"], 64, "did you mean tomahawk3?"),
            (["chips"], 0, ""),
        ] as [([String], Int32, String)])
    func exitStatuses(_ arguments: [String], _ status: Int32, _ words: String) throws {
        let process = try HomaProcess(["sim"] + arguments)
        #expect(process.finish() == status)
        #expect(process.errors.contains(words) || words.isEmpty, "\(process.errors)")
    }
}

extension Scratch {
    /// Whole lines of a file; 0 when there is none.
    fileprivate func lines(_ name: String) -> Int {
        (FileManager.default.contents(atPath: file(name)) ?? Data()).count { $0 == UInt8(ascii: "\n") }
    }
}

/// The executable that is built beside the tests.
private final class HomaProcess {
    private let process = Process()
    private let files: Scratch

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        files = try Scratch()
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let homa = tests.deletingLastPathComponent().appendingPathComponent("homa")
        try #require(FileManager.default.isExecutableFile(atPath: homa.path), "no \(homa.path): swift build makes it")
        process.executableURL = homa
        process.arguments = arguments
        let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SLURM_") }
        process.environment = inherited.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        // Files, because a pipe that nobody empties would stop the process.
        for name in ["out", "err"] { try files.write("", to: name) }
        process.standardOutput = FileHandle(forWritingAtPath: files.file("out"))
        process.standardError = FileHandle(forWritingAtPath: files.file("err"))
        try process.run()
    }

    /// Waits for the end: the exit status, or the signal that ended it.
    func finish() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Sends a signal once `condition` holds.
    func end(with signal: Int32, when condition: () -> Bool) throws {
        let limit = Date(timeIntervalSinceNow: 120)
        while !condition() {
            try #require(process.isRunning && Date() < limit, "it did not come so far: \(errors)")
            usleep(2000)
        }
        kill(process.processIdentifier, signal)
    }

    var output: String { (try? files.text("out")) ?? "" }
    var errors: String { (try? files.text("err")) ?? "" }
}
