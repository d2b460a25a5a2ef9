// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import HomaPosix

/// Why another `homa` process was of no use.
struct ChildError: Error, CustomStringConvertible {
    var description: String
}

/// Another process of this program.
final class ChildProcess {
    /// What it reads.
    enum Input {
        case nothing
        /// What it is told by ``ChildProcess/say(_:)``. Its end tells the other process that this one is gone.
        case pipe
    }

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    /// What it says on standard error, if that is not to be seen.
    private let complaints: Pipe?
    private let arguments: [String]
    private var received: [UInt8] = []

    /// - Parameters:
    ///   - arguments: those of `homa`.
    ///   - launcher: a program, by its path, that becomes `homa` in the end, and its arguments: `ip netns exec …`.
    ///   - environment: variables that this process does not have.
    ///   - program: another program than `homa`, by its path.
    ///   - isQuiet: what it says on standard error is told only if it fails; at most some kilobytes.
    init(
        _ arguments: [String], through launcher: [String] = [], environment: [String: String] = [:],
        program: String? = nil, input kind: Input = .nothing, isQuiet: Bool = false
    ) throws {
        self.arguments = arguments
        let line = launcher + [program ?? Self.ownPath] + arguments
        process.executableURL = URL(fileURLWithPath: line[0])
        process.arguments = Array(line.dropFirst())
        if !environment.isEmpty {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        process.standardOutput = output
        complaints = isQuiet ? Pipe() : nil
        if let complaints { process.standardError = complaints }
        switch kind {
        case .nothing: process.standardInput = FileHandle.nullDevice
        case .pipe: process.standardInput = input
        }
        try process.run()
    }

    /// The file this process was started from, wherever it lies.
    static var ownPath: String { URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path }

    /// Ends it without asking, and waits until it is gone.
    func end() {
        process.terminate()
        process.waitUntilExit()
    }

    deinit { if process.isRunning { process.terminate() } }

    var identifier: Int32 { process.processIdentifier }

    func say(_ line: String) { writeAll(line + "\n", to: input.fileHandleForWriting.fileDescriptor) }

    /// The next line on its standard output.
    func nextLine() throws -> String {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeFirst(end + 1) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            guard readSome() else {
                process.waitUntilExit()
                throw ChildError(description: "\(name) said nothing and ended" + complaint)
            }
        }
    }

    private func readSome() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(output.fileHandleForReading.fileDescriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count > 0 { received += buffer[..<count] }
            return count > 0
        }
    }

    /// Everything it still says until it ends. Throws when it ends badly.
    func finish() throws -> String {
        while readSome() {}
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ChildError(description: "\(name) ended with status \(process.terminationStatus)" + complaint)
        }
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// Asks it to end, and returns what it still had to say.
    func stop() throws -> String {
        process.terminate()
        return try finish()
    }

    private var name: String { "'homa \(arguments.joined(separator: " "))'" }

    /// The last thing it said on standard error, for the end of a sentence.
    private var complaint: String {
        guard let data = try? complaints?.fileHandleForReading.readToEnd(),
            let line = String(decoding: data, as: UTF8.self).split(separator: "\n").last
        else { return "" }
        return ": " + line.trimmingPrefix("homa: ")
    }
}

/// The records that another process printed.
struct ChildRecords {
    private let objects: [[String: Any]]

    init(_ text: String) {
        objects = text.split(separator: "\n").compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    /// The value of a measure.
    func value(_ measure: String) -> Double? {
        objects.first { $0["measure"] as? String == measure }?["value"] as? Double
    }

    /// All values of a measure, in the order printed.
    func all(_ measure: String) -> [Double] {
        objects.filter { $0["measure"] as? String == measure }.compactMap { $0["value"] as? Double }
    }

    /// The last value of a measure, and that of its rival in the same record.
    func last(_ measure: String) -> (value: Double, rival: Double?)? {
        guard let object = objects.last(where: { $0["measure"] as? String == measure }),
            let value = object["value"] as? Double
        else { return nil }
        return (value, object["rival_value"] as? Double)
    }

    /// Values of a measure by one of its context fields, in the order printed.
    func series(_ measure: String, by key: String) -> [(key: Double, value: Double)] {
        objects.filter { $0["measure"] as? String == measure }.compactMap { object in
            guard let place = object[key] as? Double, let value = object["value"] as? Double else { return nil }
            return (place, value)
        }
    }
}
