// SPDX-License-Identifier: Apache-2.0

/// Why no share could be made out.
public struct ShareError: Error, Equatable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// Which points of a sweep one process runs: those whose number leaves `index` when divided by `count`.
///
/// Points are dealt out one by one, because neighbours in the grid cost about the same: blocks would give one
/// process all the long ones.
public struct SweepShare: Equatable, Sendable {
    /// 0 ..< `count`.
    public var index: Int
    /// At least 1.
    public var count: Int

    public init(index: Int, count: Int) throws(ShareError) {
        guard (1...1_000_000).contains(count) else {
            throw ShareError("a sweep cannot be cut in \(count) shares; 1 … 1000000 are permitted")
        }
        guard (0..<count).contains(index) else {
            throw ShareError("there is no share \(index + 1) of \(count); 1 … \(count) are permitted")
        }
        self.index = index
        self.count = count
    }

    /// Reads `2/8`: the second of eight.
    public init(parsing text: String) throws(ShareError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let number = parts[0], let count = parts[1] else {
            throw ShareError("'\(text)' is no share; write, for example, 2/8 for the second of eight")
        }
        try self.init(index: number - 1, count: count)
    }

    public func contains(point: Int) -> Bool { point % count == index }

    /// `share-2-of-8`, as in the name of its file.
    public var name: String { "share-\(index + 1)-of-\(count)" }

    /// The file of this share: `results.jsonl` becomes `results.share-2-of-8.jsonl`.
    public func file(for path: String) -> String {
        let folderEnd = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        let file = path[folderEnd...]
        guard let dot = file.lastIndex(of: "."), dot != file.startIndex else { return "\(path).\(name)" }
        return "\(path[..<dot]).\(name)\(path[dot...])"
    }
}

extension SweepShare {
    /// The share that a job array gives this process; nil outside of one.
    ///
    /// Slurm: `SLURM_ARRAY_TASK_ID`, `_MIN`, `_STEP` and `_COUNT`. Kubernetes: `JOB_COMPLETION_INDEX` of an indexed
    /// job, which does not tell how many there are. With a `count`, given or in `HOMA_SHARE_COUNT`, Slurm's task ids
    /// are taken as 0 ..< count: then a part of the array can be submitted again and still runs its own points.
    public static func ofJobArray(
        _ environment: [String: String], count given: Int? = nil
    ) throws(ShareError) -> SweepShare? {
        let count: Int?
        if let given { count = given } else { count = try number("HOMA_SHARE_COUNT", environment) }
        if let task = try number("SLURM_ARRAY_TASK_ID", environment) {
            if let count { return try SweepShare(index: task, count: count) }
            let first = try number("SLURM_ARRAY_TASK_MIN", environment) ?? 0
            let step = max(1, try number("SLURM_ARRAY_TASK_STEP", environment) ?? 1)
            guard let tasks = try number("SLURM_ARRAY_TASK_COUNT", environment) else {
                throw ShareError("SLURM_ARRAY_TASK_ID is set, but not SLURM_ARRAY_TASK_COUNT; give --share-count")
            }
            guard (task - first) % step == 0 else {
                throw ShareError("SLURM_ARRAY_TASK_ID \(task) is not reached from \(first) in steps of \(step)")
            }
            return try SweepShare(index: (task - first) / step, count: tasks)
        }
        if let task = try number("JOB_COMPLETION_INDEX", environment) {
            guard let count else {
                throw ShareError(
                    "JOB_COMPLETION_INDEX is set, but Kubernetes does not tell how many there are; give --share-count, "
                        + "or set HOMA_SHARE_COUNT to the job's completions")
            }
            return try SweepShare(index: task, count: count)
        }
        guard given == nil else {
            throw ShareError("a count of shares is given, but no job array says which one this is; give --share")
        }
        return nil
    }

    private static func number(_ name: String, _ environment: [String: String]) throws(ShareError) -> Int? {
        guard let text = environment[name], !text.isEmpty else { return nil }
        guard let value = Int(text), value >= 0 else { throw ShareError("\(name) is '\(text)', which is no number") }
        return value
    }
}
