// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The file of finished points: one JSON object a line, added when its simulation ends.
///
/// A line is written with one call and forced to the disk, so that a process that is killed loses at most the points
/// it had under way. Opening the file again finds what is finished, cuts off a torn last line, and goes on. The file is
/// locked meanwhile: two processes would run every point twice.
public final class SweepStore {
    public let path: String
    private let plan: SweepPlan
    private var file: Int32
    private var records: [Int: SweepRecord] = [:]
    /// What was repaired when the file was opened, in words; nil when nothing was.
    public private(set) var repair: String?

    /// Opens the file, or makes it.
    public init(path: String, plan: SweepPlan) throws {
        self.path = path
        self.plan = plan
        file = try Self.openLocked(path)
        do {
            try load()
        } catch {
            close(file)
            throw error
        }
    }

    deinit { if file >= 0 { close(file) } }

    /// Numbers of the points that are finished.
    public var finished: Set<Int> { Set(records.keys) }

    /// Adds a finished point. When this returns, it survives the end of the process.
    public func append(_ point: SweepPoint, result: JSONValue) throws {
        let record = SweepRecord(plan: plan, point: point, result: result)
        try Self.writeAll(record.line + "\n", to: file, path)
        guard fsync(file) == 0 else { throw SweepError.cannotWrite(path, Self.reason) }
        records[point.index] = record
    }

    /// Puts the lines into the order of the points, once all of `share` are there.
    ///
    /// The bytes of a finished store depend on the sweep alone, not on threads and interruptions. The new text replaces
    /// the old one in one step, so that a process killed here leaves one or the other.
    public func sortWhenComplete(share: SweepShare) throws {
        guard plan.points(of: share).allSatisfy({ records[$0.index] != nil }) else { return }
        let text = records.sorted { $0.key < $1.key }.map { $0.value.line + "\n" }.joined()
        let current = try Self.readAll(file, path)
        guard Array(text.utf8) != current else { return }
        try Self.replace(path, with: text)
    }

    private func load() throws {
        let bytes = try Self.readAll(file, path)
        let lines = try SweepLines(bytes, of: path)
        for record in lines.records {
            guard record.sweep == plan.id, record.points == plan.points.count,
                plan.points[record.index].key == record.key
            else { throw SweepError.otherSweep(path) }
            records[record.index] = record
        }
        guard let torn = lines.torn else { return }
        guard ftruncate(file, off_t(lines.wholeBytes)) == 0 else { throw SweepError.cannotWrite(path, Self.reason) }
        repair = "the last line of \(path) was torn (\(torn.utf8.count) bytes); its point is run again"
    }
}

extension SweepStore {
    private static var reason: String { String(cString: strerror(errno)) }

    /// Opens and locks. A file that was replaced between the two is opened again: the lock would hold nobody off.
    private static func openLocked(_ path: String) throws(SweepError) -> Int32 {
        while true {
            let file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            guard file >= 0 else { throw .cannotOpen(path, reason) }
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
                let isInUse = errno == EWOULDBLOCK
                let why = reason
                close(file)
                throw isInUse ? .inUse(path) : .cannotOpen(path, "cannot lock it: \(why)")
            }
            var opened = stat()
            var named = stat()
            guard fstat(file, &opened) == 0 else { throw .cannotOpen(path, reason) }
            if opened.st_mode & S_IFMT != S_IFREG {
                close(file)
                throw .cannotOpen(path, "it is no ordinary file")
            }
            if stat(path, &named) == 0, named.st_ino == opened.st_ino, named.st_dev == opened.st_dev { return file }
            close(file)
        }
    }

    static func readAll(_ file: Int32, _ path: String) throws(SweepError) -> [UInt8] {
        var information = stat()
        guard fstat(file, &information) == 0 else { throw .cannotOpen(path, reason) }
        let size = Int(information.st_size)
        var failure: String?
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let got = pread(file, buffer.baseAddress! + count, size - count, off_t(count))
                if got == 0 { break }
                if got < 0 {
                    if errno == EINTR { continue }
                    failure = reason
                    break
                }
                count += got
            }
        }
        if let failure { throw .cannotOpen(path, failure) }
        return bytes
    }

    static func writeAll(_ text: String, to file: Int32, _ path: String) throws(SweepError) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .cannotWrite(path, reason) }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Writes a file beside `path` and gives it that name.
    static func replace(_ path: String, with text: String) throws(SweepError) {
        let draft = "\(path).\(getpid()).draft"
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw .cannotWrite(draft, reason) }
        defer { close(file) }
        do throws(SweepError) {
            try writeAll(text, to: file, draft)
        } catch {
            unlink(draft)
            throw error
        }
        guard fsync(file) == 0, rename(draft, path) == 0 else {
            let why = reason
            unlink(draft)
            throw .cannotWrite(path, why)
        }
    }
}
