// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The executable that is built beside the tests, run in a folder of its own.
final class HomaProcess {
    private let process = Process()
    let folder: URL

    /// - Parameter output: where its standard output goes; nil: into a file that ``output`` reads.
    init(_ arguments: [String], output: String? = nil) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "homa-command-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let homa = tests.deletingLastPathComponent().appendingPathComponent("homa")
        try #require(FileManager.default.isExecutableFile(atPath: homa.path), "no \(homa.path): swift build makes it")
        process.executableURL = homa
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        // Files, because a pipe that nobody empties would stop the process.
        for name in ["out", "err"] { try Data().write(to: folder.appending(path: name)) }
        let out = output ?? folder.appending(path: "out").path
        process.standardOutput = FileHandle(forWritingAtPath: out)
        process.standardError = FileHandle(forWritingAtPath: folder.appending(path: "err").path)
        try process.run()
    }

    deinit {
        if process.isRunning { process.terminate() }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Waits for the end: the exit status, or the signal that ended it as a negative number.
    func finish() -> Int32 {
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// Waits until `condition` holds.
    func wait(until condition: () -> Bool) throws {
        let limit = Date(timeIntervalSinceNow: 120)
        while !condition() {
            try #require(process.isRunning && Date() < limit, "it did not come so far: \(errors)")
            usleep(2000)
        }
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    private func text(_ name: String) -> String {
        (try? String(contentsOf: folder.appending(path: name), encoding: .utf8)) ?? ""
    }

    var output: String { text("out") }
    var errors: String { text("err") }
}

/// A serving process on loopback.
struct HomaServer {
    let process: HomaProcess
    let address: String

    init(_ carrier: String) throws {
        process = try HomaProcess(["serve", "0", "--protocol", carrier, "--bind", "127.0.0.1"])
        let process = process
        try process.wait { process.output.hasSuffix("\n") }
        let port = try #require(process.output.split(whereSeparator: \.isWhitespace).last.map(String.init))
        address = carrier == "homa" ? "127.0.0.1:\(port)/99" : "127.0.0.1:\(port)"
    }
}
