// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// Where the labs of this machine are written down: one file each. Gone after a restart, as the labs are.
package struct LabStore {
    var folder = "/run/homa-lab"

    package init(
        folder: String = "/run/homa-lab"
    ) {
        self.folder = folder
    }

    private func path(_ name: String) -> String { "\(folder)/\(name).json" }

    /// Writes down a new lab. Refuses when there is one of that name.
    func create(_ state: LabState) throws(LabError) {
        let name = state.description.name
        guard mkdir(folder, 0o755) == 0 || errno == EEXIST else {
            throw LabError("cannot make \(folder): \(String(cString: strerror(errno)))")
        }
        let file = open(path(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else {
            if errno == EEXIST {
                throw LabError("there is a lab '\(name)' already; 'homa lab down --name \(name)' removes it")
            }
            throw LabError("cannot make \(path(name)): \(String(cString: strerror(errno)))")
        }
        close(file)
        try save(state)
    }

    /// Replaces what is written about a lab, as a whole or not at all.
    func save(_ state: LabState) throws(LabError) {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            try encoder.encode(state).write(
                to: URL(fileURLWithPath: path(state.description.name)), options: .atomic)
        } catch { throw LabError("cannot write \(path(state.description.name)): \(error)") }
    }

    /// The lab of that name.
    package func load(_ name: String) throws(LabError) -> LabState {
        try LabDescription.check(name: name)
        guard let data = FileManager.default.contents(atPath: path(name)) else {
            let known = names()
            let others = known.isEmpty ? "there are none" : "there are: \(known.joined(separator: ", "))"
            throw LabError("there is no lab '\(name)' (no \(path(name))); \(others)")
        }
        do {
            return try JSONDecoder().decode(LabState.self, from: data)
        } catch { throw LabError("\(path(name)) is not a lab's state: \(error)") }
    }

    func remove(_ name: String) throws(LabError) {
        guard unlink(path(name)) == 0 || errno == ENOENT else {
            throw LabError("cannot remove \(path(name)): \(String(cString: strerror(errno)))")
        }
    }

    /// Names of all labs, sorted.
    package func names() -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }
}

/// Namespaces as the system has them now.
enum SystemNamespaces {
    /// The inode of a named namespace; nil when there is none of that name.
    static func inode(_ name: String) -> UInt64? {
        var status = stat()
        return stat("/run/netns/\(name)", &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// Processes whose network it is.
    static func processes(in name: String) throws(LabError) -> [Int32] {
        try SystemCommand("ip", "netns", "pids", name).run().split(separator: "\n").compactMap { Int32($0) }
    }
}
