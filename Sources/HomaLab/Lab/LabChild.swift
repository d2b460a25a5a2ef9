// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import HomaPosix

/// A process of this program in a host of the lab. It is spoken with over its standard input and output.
final class LabChild {
    let host: String
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var received: [UInt8] = []
    private var inputIsOpen = true

    init(host: String, arguments: [String]) throws(LabError) {
        self.host = host
        guard let tool = SystemTools.path(of: "ip") else { throw LabError("ip is not installed") }
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
        process.executableURL = URL(fileURLWithPath: tool)
        // `ip` becomes the program, so the process to be ended is the one started here.
        process.arguments = ["netns", "exec", host, program] + arguments
        process.standardInput = input
        process.standardOutput = output
        do { try process.run() } catch { throw LabError("cannot start a process in \(host): \(error)") }
    }

    var file: Int32 { output.fileHandleForReading.fileDescriptor }

    func say(_ line: String) { writeAll(line + "\n", to: input.fileHandleForWriting.fileDescriptor) }

    /// A whole line that has been read, if there is one.
    func takeLine() -> String? {
        guard let end = received.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        defer { received.removeFirst(end + 1) }
        return String(decoding: received[..<end], as: UTF8.self)
    }

    /// Reads what is there. False when there will be no more.
    func readSome() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = read(file, &buffer, buffer.count)
        if count > 0 { received += buffer[..<count] }
        return count > 0 || (count < 0 && errno == EINTR)
    }

    /// Lets it come to its end.
    func closeInput() {
        guard inputIsOpen else { return }
        inputIsOpen = false
        try? input.fileHandleForWriting.close()
    }

    var isRunning: Bool { process.isRunning }

    func send(signal number: Int32) {
        if process.isRunning { kill(process.processIdentifier, number) }
    }
}

/// The processes of a run, one in each host.
struct LabChildren {
    private(set) var all: [LabChild] = []

    mutating func start(in host: String, _ arguments: [String]) throws(LabError) {
        all.append(try LabChild(host: host, arguments: arguments))
    }

    /// One line from each, in order.
    ///
    /// - Throws: when one ends instead, when that takes too long, or when the user interrupts.
    func lines(within limit: Duration) throws(LabError) -> [String] {
        var lines = [String?](repeating: nil, count: all.count)
        let deadline = ContinuousClock.now + limit
        while let index = lines.firstIndex(of: nil) {
            try StopSignals.check()
            guard ContinuousClock.now < deadline else { throw LabError("\(all[index].host) does not answer") }
            var files = all.indices.filter { lines[$0] == nil }.map {
                pollfd(fd: all[$0].file, events: Int16(POLLIN), revents: 0)
            }
            _ = poll(&files, nfds_t(files.count), 100)
            for child in all.indices where lines[child] == nil {
                guard files.contains(where: { $0.fd == all[child].file && $0.revents != 0 }) else { continue }
                let goesOn = all[child].readSome()
                lines[child] = all[child].takeLine()
                guard goesOn || lines[child] != nil else {
                    throw LabError("the process in \(all[child].host) ended before it had done its part")
                }
            }
        }
        return lines.compactMap { $0 }
    }

    func say(_ line: String) { for child in all { child.say(line) } }

    /// Ends them all, gently at first, and waits until they are gone.
    func end() {
        for child in all { child.closeInput() }
        // Who has asked for the end has waited enough.
        let patience = StopSignals.flag.isRaised ? 0 : 2000
        for (milliseconds, number) in [(patience, SIGTERM), (2000, SIGKILL), (1000, SIGKILL)] {
            for _ in 0..<milliseconds / 10 where all.contains(where: \.isRunning) { usleep(10_000) }
            for child in all { child.send(signal: number) }
        }
    }
}
