// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Why stores cannot be taken together.
public enum MergeError: Error, Equatable, Sendable, CustomStringConvertible {
    case nothing
    case otherSweep(String, String)
    case contradiction(point: Int, String, String)
    case incomplete(missing: [Int], of: Int)

    public var description: String {
        switch self {
        case .nothing: "the files hold no finished point"
        case .otherSweep(let first, let second): "\(first) and \(second) hold points of different sweeps"
        case .contradiction(let point, let first, let second):
            "point \(point) has one result in \(first) and another in \(second): different versions of the program?"
        case .incomplete(let missing, let count):
            "\(missing.count) of \(count) points are missing: \(Self.list(missing)); run their shares again"
        }
    }

    private static func list(_ numbers: [Int]) -> String {
        let shown = numbers.prefix(20).map(String.init).joined(separator: ", ")
        return numbers.count > 20 ? "\(shown), …" : shown
    }
}

/// Takes the stores of a sweep's shares together.
public enum SweepMerge {
    /// The lines of all points in their order. Throws when one is missing or the files do not belong together.
    ///
    /// The same point in two files is fine when the results are equal, which they are unless the program changed.
    public static func merge(_ paths: [String]) throws -> String {
        var found: [Int: (record: SweepRecord, path: String)] = [:]
        var first: (record: SweepRecord, path: String)?
        for path in paths {
            for record in try records(of: path) {
                if let first, first.record.sweep != record.sweep || first.record.points != record.points {
                    throw MergeError.otherSweep(first.path, path)
                }
                if first == nil { first = (record, path) }
                if let other = found[record.index], other.record.line != record.line {
                    throw MergeError.contradiction(point: record.index, other.path, path)
                }
                found[record.index] = (record, path)
            }
        }
        guard let count = first?.record.points else { throw MergeError.nothing }
        let missing = (0..<count).filter { found[$0] == nil }
        guard missing.isEmpty else { throw MergeError.incomplete(missing: missing, of: count) }
        return (0..<count).map { found[$0]!.record.line + "\n" }.joined()
    }

    private static func records(of path: String) throws(SweepError) -> [SweepRecord] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .cannotOpen(path, String(cString: strerror(errno))) }
        defer { close(file) }
        return try SweepLines(SweepStore.readAll(file, path), of: path).records
    }

    /// Writes a file in one step: it has its old content or all of the new one.
    public static func write(_ text: String, to path: String) throws { try SweepStore.replace(path, with: text) }
}
