// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import HomaPosix

/// Makes a lab and carries out runs in it, in namespaces that nobody else sees and that end with this process.
///
/// ``IsolatedLab`` starts it where it is root of a mount and a network namespace of its own. Reads a
/// ``LabDescription``, answers, then reads a ``LabJob`` for each run, and ends with its standard input: then the last
/// process in these namespaces is gone, and the system removes all that was in them.
package enum LabInside {
    /// Ends the process with its input.
    package static func run() async throws {
        // A run that is over is told from one that is not by its answer, so the status means nothing.
        var state: LabState?
        for await line in StandardInput.lines() {
            let answer: LabAnswer
            do {
                if let state {
                    answer = LabAnswer(report: try measure(line, state))
                } else {
                    state = try make(line)
                    answer = LabAnswer()
                }
            } catch { answer = LabAnswer(error: "\(error)") }
            try say(String(decoding: try JSONEncoder().encode(answer), as: UTF8.self))
        }
    }

    private static func make(_ line: String) throws -> LabState {
        let description = try JSONDecoder().decode(LabDescription.self, from: Data(line.utf8))
        // Names of namespaces are files under /run. On a file system of our own they are seen here only.
        guard mount("homa", "/run", "tmpfs", 0, "mode=755") == 0 else {
            throw LabError("no file system can be mounted: \(String(cString: strerror(errno)))")
        }
        return try LabBuilder(store: LabStore()).make(description.validated())
    }

    private static func measure(_ line: String, _ state: LabState) throws -> LabRunReport {
        let job = try JSONDecoder().decode(LabJob.self, from: Data(line.utf8))
        return try LabRun(state: state, job: job, hosts: state.description.hosts, usesIPv6: false).gather()
    }
}

/// What the process in the lab has to say: one line of JSON for each it was told.
struct LabAnswer: Codable, Sendable {
    var error: String?
    var report: LabRunReport?
}
