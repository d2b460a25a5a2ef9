// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc

/// Zeroed memory straight from the kernel, unmapped when the value goes away.
///
/// Pages come with the first touch, so a large region costs nothing until it is used. The base is
/// aligned to the page size. Nothing stops two threads from using the bytes at the same time; that
/// is the owner's business.
public struct MappedRegion: ~Copyable, @unchecked Sendable {
    /// The first byte.
    public let baseAddress: UnsafeMutableRawPointer
    /// Length in bytes, as asked for.
    public let byteCount: Int
    /// The memory file behind a shared region, for another process to map; nil for a private one.
    ///
    /// It belongs to this value and is closed with it.
    public let fileDescriptor: Int32?

    /// Maps private memory.
    ///
    /// - Parameter byteCount: 1 or more.
    /// - Throws: `EINVAL` for a size below 1, `ENOMEM` when the address space is exhausted.
    public init(byteCount: Int) throws(SystemError) {
        try Self.checkSize(byteCount)
        var base: UnsafeMutableRawPointer?
        try SystemError.check(homa_map_private(byteCount, &base), "mmap", "\(byteCount) bytes")
        baseAddress = base!
        self.byteCount = byteCount
        fileDescriptor = nil
    }

    /// Maps a new memory file that other processes can map too. Its size is fixed for good.
    ///
    /// - Parameters:
    ///   - byteCount: 1 or more.
    ///   - name: shown in `/proc/<pid>/maps`; at most 249 bytes.
    /// - Throws: `EINVAL` for a bad size or name, or what the system says.
    public init(sharedByteCount byteCount: Int, name: String) throws(SystemError) {
        try Self.checkSize(byteCount)
        let file = try SystemError.check(
            homa_memory_file(name, byteCount), "memfd_create", "\(name), \(byteCount) bytes")
        try self.init(owning: file, byteCount: byteCount)
    }

    /// Maps a memory file made elsewhere by ``init(sharedByteCount:name:)``.
    ///
    /// - Parameters:
    ///   - file: the descriptor; it is duplicated, the caller keeps its own.
    ///   - byteCount: how much to map from the start, 1 or more.
    /// - Throws: `EPERM` when the file could still be made shorter, since its owner could then crash
    ///   this process; `EINVAL` when it is too short; or what the system says.
    public init(mapping file: Int32, byteCount: Int) throws(SystemError) {
        try Self.checkSize(byteCount)
        guard try SystemError.check(homa_is_sealed(file), "fcntl", "descriptor \(file)") == 1 else {
            throw SystemError(call: "fcntl", code: EPERM, context: "descriptor \(file) can be made shorter")
        }
        var status = stat()
        try SystemError.checkErrno(fstat(file, &status), "fstat", "descriptor \(file)")
        guard status.st_size >= byteCount else {
            throw SystemError(call: "mmap", code: EINVAL, context: "\(byteCount) of \(status.st_size) bytes")
        }
        let copy = try SystemError.checkErrno(fcntl(file, F_DUPFD_CLOEXEC, 0), "fcntl", "descriptor \(file)")
        try self.init(owning: copy, byteCount: byteCount)
    }

    private init(owning file: Int32, byteCount: Int) throws(SystemError) {
        var base: UnsafeMutableRawPointer?
        let result = homa_map_shared(file, byteCount, &base)
        if result < 0 { close(file) }
        try SystemError.check(result, "mmap", "\(byteCount) bytes")
        baseAddress = base!
        self.byteCount = byteCount
        fileDescriptor = file
    }

    deinit {
        munmap(baseAddress, byteCount)
        if let fileDescriptor { close(fileDescriptor) }
    }

    /// Bytes of the region that are in memory now, in whole pages. Slow: for diagnosis and tests.
    public func residentByteCount() -> Int {
        let pageSize = Int(getpagesize())
        let pageCount = (byteCount + pageSize - 1) / pageSize
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: pageCount) { pages in
            guard mincore(baseAddress, byteCount, pages.baseAddress) == 0 else { return 0 }
            return pages.count { $0 & 1 == 1 } * pageSize
        }
    }

    /// Gives memory back to the system. The bytes read as zeros from then on, here and in other processes, until
    /// somebody writes to them. Where the system refuses, nothing changes.
    ///
    /// - Parameters:
    ///   - offset: a multiple of the page size.
    ///   - byteCount: likewise.
    public func discard(offset: Int, byteCount: Int) {
        precondition(offset >= 0 && byteCount >= 0 && offset + byteCount <= self.byteCount, "not bytes of the region")
        _ = homa_discard(baseAddress + offset, byteCount, fileDescriptor == nil ? 0 : 1)
    }

    private static func checkSize(_ byteCount: Int) throws(SystemError) {
        guard byteCount < 1 else { return }
        throw SystemError(call: "mmap", code: EINVAL, context: "\(byteCount) bytes")
    }
}
