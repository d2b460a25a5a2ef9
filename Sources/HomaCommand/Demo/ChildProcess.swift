// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Why another `homa` process was of no use.
struct ChildError: Error, CustomStringConvertible {
    var description: String
}

/// Another process of this program.
final class ChildProcess {
    private let process = Process()
    private let output = Pipe()
    private let arguments: [String]

    /// - Parameters:
    ///   - arguments: those of `homa`.
    ///   - launcher: a program, by its path, that becomes `homa` in the end, and its arguments: `ip netns exec …`.
    ///   - environment: variables that this process does not have.
    ///   - program: another program than `homa`, by its path.
    init(
        _ arguments: [String], through launcher: [String] = [], environment: [String: String] = [:],
        program: String? = nil
    ) throws {
        self.arguments = arguments
        let line = launcher + [program ?? Self.ownPath] + arguments
        process.executableURL = URL(fileURLWithPath: line[0])
        process.arguments = Array(line.dropFirst())
        if !environment.isEmpty {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
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

    /// The first line on its standard output.
    func firstLine() throws -> String {
        var line: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") {
            line.append(byte)
        }
        guard !line.isEmpty else {
            process.waitUntilExit()
            throw ChildError(description: "'homa \(arguments.joined(separator: " "))' said nothing and ended")
        }
        return String(decoding: line, as: UTF8.self)
    }

    /// Everything it says until it ends. Throws when it ends badly.
    func finish() throws -> String {
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ChildError(
                description: "'homa \(arguments.joined(separator: " "))' ended with status \(process.terminationStatus)"
            )
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Asks it to end, and returns what it still had to say.
    func stop() throws -> String {
        process.terminate()
        return try finish()
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
