// SPDX-License-Identifier: Apache-2.0

import HomaBench

/// A serving process on loopback. It occupies a core while it lives, so only one lives at a time.
struct DemoServer {
    private let process: ChildProcess
    private let carrier: ProtocolChoice
    private let address: String

    init(_ carrier: ProtocolChoice) throws {
        self.carrier = carrier
        process = try Self.start(
            onProcessor: 1,
            [
                "serve", "0", "--protocol", carrier.rawValue, "--bind", "127.0.0.1", "--spin", "forever", "--json",
            ])
        let line = try process.nextLine()
        guard let port = line.split(separator: " ").last.flatMap({ UInt16($0) }) else {
            throw ChildError(description: "the \(carrier.rawValue) server said '\(line)' instead of its port")
        }
        address = carrier == .homa ? HomaEcho.address(host: "127.0.0.1", udpPort: port) : "127.0.0.1:\(port)"
    }

    /// Runs a measuring process against this server, then ends the server.
    func measure(_ command: String, _ arguments: [String]) throws -> (client: ChildRecords, server: ChildRecords) {
        let client = try Self.start(
            onProcessor: 0,
            [command, address, "--protocol", carrier.rawValue, "--spin", "forever", "--json"] + arguments)
        let said = ChildRecords(try client.finish())
        return (said, ChildRecords(try process.stop()))
    }

    /// It ends with this process, whatever becomes of it. Server and client spin, so each has a processor of its own;
    /// on a busy machine they would else be put on one, and wait for each other's turn to end.
    private static func start(onProcessor number: Int, _ arguments: [String]) throws -> ChildProcess {
        let processors = processors(readFile("/proc/self/status"))
        var launcher: [String] = []
        if processors.count >= 2, let taskset = SystemTools.path(of: "taskset") {
            launcher = [taskset, "--cpu-list", "\(processors[number])"]
        }
        return try ChildProcess(["tied"] + arguments, through: launcher, input: .pipe, isQuiet: true)
    }

    /// Processors that a process may run on, from the text of `/proc/PID/status`.
    static func processors(_ text: String) -> [Int] {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") }) else {
            return []
        }
        let list = line.drop { $0 != ":" }.dropFirst().filter { !$0.isWhitespace }
        return list.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }
}
