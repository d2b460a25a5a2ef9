// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaPosix
import Testing

@Suite("Mapped region")
struct MappedRegionTests {
    @Test("a large private region is zero and takes memory only where it is touched")
    func lazy() throws {
        let region = try MappedRegion(byteCount: 1 << 34)
        #expect(region.fileDescriptor == nil)
        #expect(region.baseAddress.load(fromByteOffset: 1 << 33, as: UInt64.self) == 0)
        region.baseAddress.storeBytes(of: 7, as: UInt64.self)
        let pages = try MappedRegion(byteCount: 1 << 20)
        pages.baseAddress.storeBytes(of: 1, toByteOffset: 5000, as: UInt8.self)
        #expect(pages.residentByteCount() == Int(getpagesize()))
    }

    @Test("what one mapping of a memory file writes, another reads")
    func shared() throws {
        let first = try MappedRegion(sharedByteCount: 100_000, name: "homa-test")
        let descriptor = first.fileDescriptor
        let file = try #require(descriptor)
        let second = try MappedRegion(mapping: file, byteCount: 100_000)
        #expect(first.baseAddress != second.baseAddress)
        first.baseAddress.storeBytes(of: 0xABCD, toByteOffset: 99_990, as: UInt32.self)
        #expect(second.baseAddress.loadUnaligned(fromByteOffset: 99_990, as: UInt32.self) == 0xABCD)
        #expect(ftruncate(file, 10) == -1, "nobody can take the bytes away")
    }

    @Test("what is discarded takes no memory any more, and reads as zeros everywhere", arguments: [false, true])
    func discard(isShared: Bool) throws {
        let page = 64 << 10
        let region =
            isShared
            ? try MappedRegion(sharedByteCount: 4 * page, name: "homa-test") : try MappedRegion(byteCount: 4 * page)
        region.baseAddress.initializeMemory(as: UInt8.self, repeating: 7, count: 4 * page)
        #expect(region.residentByteCount() == 4 * page)
        region.discard(offset: page, byteCount: 2 * page)
        #expect(region.residentByteCount() == 2 * page)
        let bytes = region.baseAddress.assumingMemoryBound(to: UInt8.self)
        #expect(bytes[page - 1] == 7 && bytes[3 * page] == 7)
        if let file = region.fileDescriptor {
            let other = try MappedRegion(mapping: file, byteCount: 4 * page)
            #expect(other.baseAddress.load(fromByteOffset: 2 * page, as: UInt8.self) == 0)
        }
        #expect(bytes[page] == 0 && bytes[3 * page - 1] == 0)
    }

    @Test("bad sizes and files that could shrink are errors")
    func refused() throws {
        #expect(throws: SystemError(call: "mmap", code: EINVAL, context: "0 bytes")) { try MappedRegion.probe(0) }
        #expect { try MappedRegion.probe(1 << 50) } throws: { ($0 as? SystemError)?.code == ENOMEM }
        let shared = try MappedRegion(sharedByteCount: 4096, name: "homa-test")
        let descriptor = shared.fileDescriptor
        let file = try #require(descriptor)
        #expect { try MappedRegion.probe(mapping: file, 8192) } throws: { ($0 as? SystemError)?.code == EINVAL }
        let plain = open("/tmp", O_TMPFILE | O_RDWR, 0o600)
        defer { close(plain) }
        #expect { try MappedRegion.probe(mapping: plain, 1) } throws: { $0 is SystemError }
    }
}

extension MappedRegion {
    /// Noncopyable values cannot leave the closures of `#expect`.
    static func probe(_ byteCount: Int) throws { _ = try MappedRegion(byteCount: byteCount) }
    static func probe(mapping file: Int32, _ byteCount: Int) throws {
        _ = try MappedRegion(mapping: file, byteCount: byteCount)
    }
}

/// What `O_TMPFILE` is on this platform; the Glibc module does not show it.
private let O_TMPFILE: Int32 = 0o20000000 | O_DIRECTORY

@Suite("Clock, errors, threads")
struct ClockTests {
    @Test("the clock starts near zero and never goes back")
    func monotone() {
        let clock = MonotonicClock()
        var last = clock.now()
        #expect(last.nanoseconds < 1_000_000_000)
        for _ in 0..<10_000 {
            let now = clock.now()
            #expect(now >= last)
            last = now
        }
        #expect(MonotonicClock(origin: clock.origin).now() >= last)
    }

    @Test("the clock counts the time for which the machine sleeps")
    func sleep() {
        func reading() -> UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_BOOTTIME, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
        let before = reading()
        let time = MonotonicClock.nanoseconds()
        #expect(before <= time && time <= reading())
    }

    @Test("an error says what failed, on what, and why")
    func description() {
        let error = SystemError(call: "bind", code: EADDRINUSE, context: "127.0.0.1:4000")
        #expect("\(error)" == "bind (127.0.0.1:4000): Address already in use")
    }

    @Test("there is no core one million")
    func pinning() {
        #expect { try pinCurrentThread(toCore: 1_000_000) } throws: { ($0 as? SystemError)?.code == EINVAL }
    }
}
